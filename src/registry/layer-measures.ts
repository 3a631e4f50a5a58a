import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { type LayerCompression, layerCompressionOf } from '../oci/media-types.ts';
import type { Blobs, Measure } from '../ports/blobs.ts';

/** What a layer is uncompressed: `pending` until it was measured. */
export interface LayerMeasure {
  readonly state: Measure['state'];
  readonly uncompressedSize: number | undefined;
  readonly reason: string | undefined;
}

export type MeasureOf = (layer: Descriptor) => LayerMeasure | undefined;

/** One read for the layers of several images. The result gives undefined for what is no image's layer. */
export async function readMeasures(
  blobs: Pick<Blobs, 'measures'>,
  layers: readonly Descriptor[],
): Promise<MeasureOf> {
  const digests = [...new Set(layers.map((layer) => layer.digest))];
  const rows = digests.length > 0 ? await blobs.measures(digests) : [];
  const known = new Map(rows.map((row) => [keyOf(row.digest, row.compression), row]));
  return ({ digest, mediaType }) => {
    const compression = layerCompressionOf(mediaType);
    if (compression === undefined) return undefined;
    const row = known.get(keyOf(digest, compression));
    if (!row) return { state: 'pending', uncompressedSize: undefined, reason: undefined };
    const { state, uncompressedSize, reason } = row;
    return { state, uncompressedSize, reason };
  };
}

const keyOf = (digest: Digest, compression: LayerCompression) => `${digest} ${compression}`;

const worst: readonly Measure['state'][] = ['mismatch', 'over', 'pending', 'measured'];

/** Of an image: the worst of its layers, and their sizes together once all are known. */
export function sumOf(measures: readonly LayerMeasure[]): LayerMeasure {
  const states = new Set(measures.map(({ state }) => state));
  const state = worst.find((one) => states.has(one)) ?? 'measured';
  return {
    state,
    uncompressedSize:
      state === 'measured'
        ? measures.reduce((sum, { uncompressedSize = 0 }) => sum + uncompressedSize, 0)
        : undefined,
    reason: measures.find((measure) => measure.state === state)?.reason,
  };
}
