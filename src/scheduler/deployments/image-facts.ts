import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { layerCompressionOf, ociManifest } from '../../oci/media-types.ts';
import type { Blobs, Measure } from '../../ports/blobs.ts';
import type { Manifests } from '../../ports/manifests.ts';

/** Of an image, or of the one of an index that the host would run. */
export interface ImageFacts {
  /** `os/architecture` of all that there are to choose from. */
  readonly platforms: readonly string[];
  /** The one that runs here; undefined: none does. */
  readonly image: Digest | undefined;
}

/** Undefined: the repository does not hold it. `host`: platforms that it runs, best first. */
export async function findImage(
  manifests: Pick<Manifests, 'details' | 'childImages'>,
  repositoryId: string,
  digest: Digest,
  host: readonly string[],
): Promise<ImageFacts | undefined> {
  const [manifest] = await manifests.details(repositoryId, [digest]);
  if (!manifest) return undefined;
  const candidates = manifest.platform
    ? [{ digest, platform: manifest.platform }]
    : await manifests.childImages(repositoryId, [digest]);
  const runs = host.flatMap((one) => candidates.find(({ platform }) => platform === one) ?? []);
  return {
    platforms: [...new Set(candidates.map(({ platform }) => platform))],
    image: runs[0]?.digest,
  };
}

/** How an image's layers stand: `pending` until all are measured; bytes are uncompressed. */
export type LayerFacts =
  | { readonly state: 'pending' }
  | { readonly state: 'flagged'; readonly digest: Digest; readonly reason: string | undefined }
  | { readonly state: 'over'; readonly reason: string | undefined }
  | { readonly state: 'measured'; readonly size: number };

export async function measureLayers(
  deps: { manifests: Pick<Manifests, 'content'>; blobs: Pick<Blobs, 'measures'> },
  image: Digest,
): Promise<LayerFacts> {
  const bytes = await deps.manifests.content(image);
  const layers = bytes ? parseManifest(bytes, mediaTypeOf(bytes)).layers : [];
  const digests = [...new Set(layers.map((layer) => layer.digest))];
  const measures = digests.length > 0 ? await deps.blobs.measures(digests) : [];
  let size = 0;
  let pending = false;
  for (const layer of layers) {
    const compression = layerCompressionOf(layer.mediaType);
    if (compression === undefined) continue;
    const row = measures.find(
      (one) => one.digest === layer.digest && one.compression === compression,
    );
    const measure = row ?? unmeasured(layer);
    if (measure?.state === 'mismatch') {
      return { state: 'flagged', digest: layer.digest, reason: measure.reason };
    }
    if (measure?.state === 'over') return { state: 'over', reason: measure.reason };
    if (measure?.state === 'pending') pending = true;
    size += measure?.uncompressedSize ?? 0;
  }
  return pending ? { state: 'pending' } : { state: 'measured', size };
}

/** What the text says; an OCI manifest need not say what it is. */
function mediaTypeOf(manifest: Buffer): string {
  const { mediaType } = JSON.parse(manifest.toString()) as { mediaType?: string };
  return mediaType ?? ociManifest;
}

/** Bytes that live elsewhere (`urls`) are never measured: the engine brings them, within its own bounds. */
function unmeasured(
  layer: Descriptor,
): Pick<Measure, 'state' | 'reason' | 'uncompressedSize'> | undefined {
  if (layer.urls?.length) return undefined;
  return { state: 'pending', reason: undefined, uncompressedSize: undefined };
}
