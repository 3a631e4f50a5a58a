import { isJsonObject, parseBoundedJson } from '../oci/bounded-json.ts';
import { quote } from '../oci/quote.ts';
import type { ProjectSettings } from '../ports/projects.ts';
import { buildForCommand, inspectPlatformCommand } from './build-command.ts';
import { type Decision, type Denial, deny } from './decision.ts';

const defaultPlatform = 'linux/amd64';
const name = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const maxDepth = 64;

/** The `os/architecture` that an allowed image is for. */
export type PlatformDecision = Denial | (Extract<Decision, { allow: true }> & { platform: string });

/**
 * An image's config names the system that it is for (image-spec, config.md: `os` and `architecture` are
 * required), and a project may take only some. `config` is the blob, its size bounded by the caller.
 */
export function checkPlatform(config: Uint8Array, settings: ProjectSettings): PlatformDecision {
  const json = parseBoundedJson(config, maxDepth);
  if (!json.ok || !isJsonObject(json.value)) {
    const problem = json.ok ? 'is not a JSON object' : json.problem;
    return deny(
      'manifest-invalid',
      `The image's config ${problem}, so the image cannot be run.`,
      `Build it again: ${buildForCommand(defaultPlatform)}`,
      { rule: 'config' },
    );
  }
  const { os, architecture } = json.value;
  const missing = Object.entries({ os, architecture })
    .filter(([, value]) => typeof value !== 'string' || !name.test(value))
    .map(([field]) => field);
  if (missing.length > 0) {
    return deny(
      'manifest-invalid',
      `The image's config does not name its ${missing.join(' and ')}; an image must name both, such as os "linux" and architecture "amd64".`,
      fix(settings.platforms?.[0] ?? defaultPlatform),
      { rule: 'platform', missing },
    );
  }
  const platform = `${os}/${architecture}`;
  const accepted = settings.platforms;
  if (accepted && !accepted.includes(platform)) {
    return deny(
      'manifest-invalid',
      `The image is for ${quote(platform)}; this project accepts only ${accepted.join(', ') || 'no platform'}.`,
      accepted[0]
        ? fix(accepted[0])
        : "Ask an administrator of the project to accept a platform in the project's settings.",
      { rule: 'platform', platform, accepted },
    );
  }
  return { allow: true, platform };
}

function fix(platform: string): string {
  return `Build it with: ${buildForCommand(platform)} and check it with: ${inspectPlatformCommand}`;
}
