import type { ParsedManifest } from '../oci/manifest.ts';
import {
  isNonDistributable,
  type LayerCompression,
  layerCompressionOf,
} from '../oci/media-types.ts';
import { quote } from '../oci/quote.ts';
import type { ProjectSettings } from '../ports/projects.ts';
import { pushCommand } from './build-command.ts';
import { allowed, type Decision, type Denial, deny } from './decision.ts';

const names: Record<LayerCompression, string> = { none: 'tar', gzip: 'tar+gzip', zstd: 'tar+zstd' };

/** From the one that is recommended to the one that is least. */
const preference: readonly LayerCompression[] = ['zstd', 'gzip', 'none'];

/**
 * The text of a `Warning: 299` for a push with gzip layers. Pulls of zstd unpack faster; it is no more
 * than a hint.
 */
export const gzipHint = `This image has gzip layers; zstd is recommended: ${pushCommand('zstd')}`;

/** For images that can run: each layer is a tar, plain or compressed in a way that the project takes. */
export function checkLayerMediaTypes(
  manifest: ParsedManifest,
  settings: ProjectSettings,
): Decision {
  const [first] = layerMediaTypeDenials(manifest, settings);
  if (first) return first;
  const warnings = layerWarnings(manifest, settings);
  return warnings.length > 0 ? { allow: true, warnings } : allowed;
}

export function layerWarnings(manifest: ParsedManifest, settings: ProjectSettings): string[] {
  const gzip = manifest.layers.some(({ mediaType }) => layerCompressionOf(mediaType) === 'gzip');
  return gzip && acceptedBy(settings).includes('zstd') ? [gzipHint] : [];
}

/** Every layer that breaks the rule, in order. */
export function* layerMediaTypeDenials(
  manifest: ParsedManifest,
  settings: ProjectSettings,
): Generator<Denial> {
  const accepted = acceptedBy(settings);
  for (const [index, { mediaType, digest }] of manifest.layers.entries()) {
    if (isNonDistributable(mediaType)) continue;
    const compression = layerCompressionOf(mediaType);
    if (compression === undefined || !accepted.includes(compression)) {
      yield denial(index, mediaType, digest, compression, accepted);
    }
  }
}

function acceptedBy({ layerCompressions }: ProjectSettings): LayerCompression[] {
  return preference.filter((compression) => layerCompressions?.includes(compression) ?? true);
}

function denial(
  index: number,
  mediaType: string,
  digest: string,
  compression: LayerCompression | undefined,
  accepted: readonly LayerCompression[],
): Denial {
  const who = compression === undefined ? 'images may have' : 'this project accepts only';
  const kinds = accepted.map((one) => names[one]);
  const fix = accepted[0];
  return deny(
    'unsupported',
    `Layer ${index + 1} of the image has the media type ${quote(mediaType)}; ${who} layers of ${listed(kinds)}.`,
    fix
      ? `Build and push it again with: ${pushCommand(fix)}`
      : "Ask an administrator of the project to accept a layer compression in the project's settings.",
    { layer: index, digest, mediaType: mediaType.slice(0, 255), accepted: kinds },
  );
}

function listed(words: readonly string[]): string {
  if (words.length === 0) return 'no kind';
  if (words.length === 1) return words[0]!;
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
