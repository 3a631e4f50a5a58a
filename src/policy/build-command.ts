import type { LayerCompression } from '../oci/media-types.ts';

/** The push that makes layers of `compression` whatever the base image has. `IMAGE` is the reader's to fill in. */
export function pushCommand(compression: LayerCompression): string {
  const options = {
    zstd: 'compression=zstd,compression-level=3',
    gzip: 'compression=gzip',
    none: 'compression=uncompressed',
  }[compression];
  return `docker buildx build --output type=image,name=IMAGE,push=true,oci-mediatypes=true,${options},force-compression=true .`;
}

export function buildForCommand(platform: string): string {
  return `docker build --platform ${platform} -t IMAGE .`;
}

export const inspectPlatformCommand = "docker inspect --format '{{.Os}}/{{.Architecture}}' IMAGE";
