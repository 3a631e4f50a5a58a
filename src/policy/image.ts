import type { Plan } from '../config/plans.ts';
import type { ParsedManifest } from '../oci/manifest.ts';
import type { ProjectSettings } from '../ports/projects.ts';
import { checkConfigSize } from './config-size.ts';
import { type Decision, deny, firstDenial } from './decision.ts';
import { checkImageSize } from './image-size.ts';
import { checkLayerMediaTypes } from './layer-media-types.ts';
import { checkPlatform } from './platform.ts';
import { isRunnable } from './runnable.ts';

export interface ImageFacts {
  readonly manifest: ParsedManifest;
  /** The config blob's bytes, where `needsConfig` asks for them. */
  readonly config: Uint8Array | undefined;
  readonly plan: Plan;
  readonly settings: ProjectSettings;
}

/** `platform` is `os/architecture` of an image that can be run. */
export type ImageDecision = Decision & { readonly platform?: string };

/** Whether `checkImage` has to see the config. Its size by the manifest is within the plan's then. */
export function needsConfig(manifest: ParsedManifest, plan: Plan): boolean {
  return isRunnable(manifest) && checkConfigSize(manifest, plan).allow;
}

/**
 * All rules for a manifest that is put. Sizes hold for all; layer types and platform for images that can
 * be run, while indexes, artifacts, attestations and signatures pass.
 */
export function checkImage({ manifest, config, plan, settings }: ImageFacts): ImageDecision {
  const sizes = firstDenial([
    () => checkConfigSize(manifest, plan),
    () => checkImageSize(manifest, plan),
  ]);
  if (!sizes.allow || !isRunnable(manifest)) return sizes;

  const layers = checkLayerMediaTypes(manifest, settings);
  if (!layers.allow) return layers;
  if (!config) return configUnknown(manifest);
  if (config.byteLength !== manifest.config?.size) return configOfOtherSize(manifest, config);
  const platform = checkPlatform(config, settings);
  return platform.allow ? { ...layers, platform: platform.platform } : platform;
}

function configUnknown({ config }: ParsedManifest): Decision {
  return deny(
    'manifest-blob-unknown',
    `The image's config ${config?.digest} is not in this repository.`,
    'Push all blobs of an image before its manifest.',
    { digests: [config?.digest] },
  );
}

function configOfOtherSize(manifest: ParsedManifest, config: Uint8Array): Decision {
  return deny(
    'manifest-invalid',
    `The manifest says that the image's config has ${manifest.config?.size} bytes, and it has ${config.byteLength}.`,
    'Push the image again.',
    { field: 'config.size', size: config.byteLength },
  );
}
