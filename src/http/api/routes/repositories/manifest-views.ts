import type { Descriptor } from '../../../../oci/descriptor.ts';
import type { ImageConfig } from '../../../../oci/image-config.ts';
import { layerCompressionOf, manifestKindOf } from '../../../../oci/media-types.ts';
import type { ChildImage, ManifestDetails } from '../../../../ports/manifests.ts';
import type {
  Attestation,
  InspectedChild,
  InspectedReferrer,
  Inspection,
} from '../../../../registry/inspect.ts';
import type { LayerMeasure } from '../../../../registry/layer-measures.ts';
import { toTime } from '../../schema.ts';

function common(row: ManifestDetails, platforms: readonly string[], imageSize: number) {
  const isIndex = manifestKindOf(row.mediaType) === 'index';
  return {
    digest: row.digest,
    mediaType: row.mediaType,
    kind: isIndex ? 'index' : row.platform === undefined ? 'artifact' : 'image',
    size: row.size,
    imageSize,
    platforms,
    artifactType: row.artifactType ?? null,
    subject: row.subject ?? null,
    pushedAt: toTime(row.pushedAt),
    pushedBy: row.pushedBy,
  };
}

export function summaryOf(
  row: ManifestDetails,
  children: readonly ChildImage[],
  tags: readonly string[],
) {
  const platforms = [row.platform, ...children.map((child) => child.platform)];
  const size = children.reduce((sum, child) => sum + child.imageSize, row.imageSize);
  return { ...common(row, [...new Set(platforms.filter(isText))].sort(), size), tags };
}

export function detailOf(inspection: Inspection) {
  const { details, manifest, config, measure, measureOf, children } = inspection;
  // What cannot be run has no platform, whatever its config says.
  const own = details.platform && (platformOf(config) ?? details.platform);
  const platforms = [own, ...children.map((child) => platformOf(child.descriptor.platform))];
  const size = children.reduce((sum, { held }) => sum + (held?.imageSize ?? 0), details.imageSize);
  return {
    ...common(details, [...new Set(platforms.filter(isText))], size),
    annotations: manifest.annotations ?? {},
    measure: measure ? measureView(measure) : null,
    config: manifest.config && config ? configView(manifest.config, config) : null,
    layers: manifest.layers.map((layer) => {
      const measured = measureOf(layer);
      return {
        ...described(layer),
        compression: layerCompressionOf(layer.mediaType) ?? null,
        measure: measured ? measureView(measured) : null,
        annotations: layer.annotations ?? {},
      };
    }),
    history: (config?.history ?? []).map((step) => ({
      created: step.created ?? null,
      createdBy: step.createdBy ?? null,
      comment: step.comment ?? null,
      emptyLayer: step.emptyLayer,
    })),
    images: children.map(childView),
    attestations: inspection.attestations.map(attestationView),
    attestationOf: inspection.attests ?? null,
    partOf: inspection.indexes,
    referrers: inspection.referrers.map(referrerView),
    moreReferrers: inspection.moreReferrers,
    tags: inspection.tags,
    moreTags: inspection.moreTags,
  };
}

const isText = (value: string | undefined): value is string => value !== undefined;

const described = ({ digest, mediaType, size }: Descriptor) => ({ digest, mediaType, size });

function platformOf(
  of:
    | { os?: string | undefined; architecture?: string | undefined; variant?: string | undefined }
    | undefined,
): string | undefined {
  if (!of?.os || !of.architecture) return undefined;
  return [of.os, of.architecture, of.variant].filter(isText).join('/');
}

const measureView = ({ state, uncompressedSize, reason }: LayerMeasure) => ({
  state,
  uncompressedSize: uncompressedSize ?? null,
  reason: reason ?? null,
});

function configView(descriptor: Descriptor, config: ImageConfig) {
  return {
    ...described(descriptor),
    os: config.os ?? null,
    architecture: config.architecture ?? null,
    variant: config.variant ?? null,
    created: config.created ?? null,
    author: config.author ?? null,
    user: config.user ?? null,
    workingDir: config.workingDir ?? null,
    entrypoint: config.entrypoint,
    command: config.command,
    env: config.env,
    exposedPorts: config.exposedPorts,
    volumes: config.volumes,
    stopSignal: config.stopSignal ?? null,
    labels: config.labels,
  };
}

const attestationView = ({ descriptor, predicateTypes }: Attestation) => ({
  ...described(descriptor),
  predicateTypes,
});

const childView = ({ descriptor, held, measure, attestations }: InspectedChild) => ({
  ...described(descriptor),
  platform: platformOf(descriptor.platform) ?? held?.platform ?? null,
  artifactType: descriptor.artifactType ?? null,
  annotations: descriptor.annotations ?? {},
  held: held !== undefined,
  imageSize: held?.imageSize ?? null,
  measure: measure ? measureView(measure) : null,
  attestations: attestations.map(attestationView),
});

const referrerView = (referrer: InspectedReferrer) => ({
  digest: referrer.digest,
  mediaType: referrer.mediaType,
  size: referrer.size,
  artifactType: referrer.artifactType ?? null,
  annotations: referrer.annotations ?? {},
  tag: referrer.tag ?? null,
});
