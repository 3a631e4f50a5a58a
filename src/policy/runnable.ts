import type { ParsedManifest } from '../oci/manifest.ts';
import { isNonDistributable, layerCompressionOf } from '../oci/media-types.ts';

/** `{}`: the config of something that only dresses as an image. */
const emptyObjectSize = 2;

/**
 * Whether a manifest is an image that someone could run, and the rules for images hold. Signatures
 * (cosign) and attestations (BuildKit) come with an image's config, too, but with no layer of an image.
 */
export function isRunnable(manifest: ParsedManifest): boolean {
  if (!manifest.isImage) return false;
  if (manifest.layers.length === 0) return (manifest.config?.size ?? 0) > emptyObjectSize;
  return manifest.layers.some(({ mediaType }) => looksLikeLayer(mediaType));
}

function looksLikeLayer(mediaType: string): boolean {
  return (
    layerCompressionOf(mediaType) !== undefined ||
    isNonDistributable(mediaType) ||
    mediaType.startsWith('application/vnd.oci.image.layer.') ||
    mediaType.startsWith('application/vnd.docker.image.rootfs.')
  );
}
