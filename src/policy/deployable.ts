import type { Descriptor } from '../oci/descriptor.ts';
import type { ParsedManifest } from '../oci/manifest.ts';
import { manifestKindOf } from '../oci/media-types.ts';
import { isRunnable } from './runnable.ts';

/** Whether a push of this means something to run: an image, or an index of images that is about nothing else. */
export function isDeployable(manifest: ParsedManifest): boolean {
  if (manifest.subject) return false;
  if (manifest.kind === 'manifest') return isRunnable(manifest);
  return manifest.artifactType === undefined && manifest.manifests.some(isImageOfPlatform);
}

/** Attestations stand beside images as manifests of no platform. */
function isImageOfPlatform({ mediaType, artifactType, platform }: Descriptor): boolean {
  return (
    manifestKindOf(mediaType) === 'manifest' &&
    artifactType === undefined &&
    platform?.os !== 'unknown'
  );
}
