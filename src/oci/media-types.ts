/** Media types of the OCI image-spec and of Docker's schema 2, and what each is for. */

export const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
export const ociIndex = 'application/vnd.oci.image.index.v1+json';
export const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';
export const dockerManifestList = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const ociConfig = 'application/vnd.oci.image.config.v1+json';
export const dockerConfig = 'application/vnd.docker.container.image.v1+json';
export const emptyJson = 'application/vnd.oci.empty.v1+json';

export type ManifestKind = 'manifest' | 'index';
export type LayerCompression = 'none' | 'gzip' | 'zstd';

const manifestKinds = new Map<string, ManifestKind>([
  [ociManifest, 'manifest'],
  [dockerManifest, 'manifest'],
  [ociIndex, 'index'],
  [dockerManifestList, 'index'],
]);

const layerCompressions = new Map<string, LayerCompression>([
  ['application/vnd.oci.image.layer.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.v1.tar+zstd', 'zstd'],
  ['application/vnd.docker.image.rootfs.diff.tar', 'none'],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip'],
  ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'zstd'],
]);

/** Layers that the image-spec lets a registry lack: their bytes may live elsewhere (image-spec, "Non-Distributable Layers"). */
const nonDistributable = new Set([
  'application/vnd.oci.image.layer.nondistributable.v1.tar',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
  'application/vnd.docker.image.rootfs.foreign.diff.tar',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
]);

export const manifestMediaTypes = [...manifestKinds.keys()];

export function manifestKindOf(mediaType: string): ManifestKind | undefined {
  return manifestKinds.get(mediaType);
}

/** How a layer of this media type is compressed, or undefined where it is no image layer's type. */
export function layerCompressionOf(mediaType: string): LayerCompression | undefined {
  return layerCompressions.get(mediaType);
}

export function isNonDistributable(mediaType: string): boolean {
  return nonDistributable.has(mediaType);
}

export function isImageConfig(mediaType: string): boolean {
  return mediaType === ociConfig || mediaType === dockerConfig;
}

/** A media type without its parameters, lower case: `application/json; charset=utf-8` -> `application/json`. */
export function withoutParameters(contentType: string): string {
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}
