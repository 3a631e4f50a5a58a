import type { RuntimeCapabilities } from '../ports/runtime-driver.ts';

export type NetworkVerdict =
  | { readonly allowed: true; readonly warning?: string }
  | { readonly allowed: false; readonly message: string; readonly hint: string };

/**
 * Whether an image may be deployed where nothing proves that functions reach neither this host nor private
 * networks: one of the project's own team may, with a warning; one from outside may not, since nobody here
 * made it.
 */
export function networkVerdict(
  capabilities: Pick<RuntimeCapabilities, 'networkGuard' | 'missing'>,
  image: { readonly teamId: string },
  project: { readonly teamId: string },
): NetworkVerdict {
  if (capabilities.networkGuard) return { allowed: true };
  const reason = capabilities.missing.find((one) => /guard/.test(one));
  const hint = reason ?? 'Ask the operator of this installation for the network guard.';
  if (image.teamId === project.teamId) {
    return {
      allowed: true,
      warning: `Functions here are not kept from the host's own network. ${hint}`,
    };
  }
  return {
    allowed: false,
    message:
      "The image is not of the project's team, and functions here are not kept from the host's own network.",
    hint,
  };
}
