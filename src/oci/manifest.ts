import { isJsonObject, parseBoundedJson } from './bounded-json.ts';
import type { Descriptor } from './descriptor.ts';
import { type RegistryError, refuse } from './errors.ts';
import {
  isImageConfig,
  isNonDistributable,
  type ManifestKind,
  manifestKindOf,
  manifestMediaTypes,
  ociIndex,
  ociManifest,
  withoutParameters,
} from './media-types.ts';
import { invalid, optionalText, parseAnnotations, parseDescriptor } from './parse-descriptor.ts';
import { quote } from './quote.ts';

/** A manifest that was read and found well formed; whether what it names is there is the registry's to see. */
export interface ParsedManifest {
  readonly kind: ManifestKind;
  readonly mediaType: string;
  /** As the referrers list gives it (distribution-spec, "Listing Referrers"): a manifest's own, else its config's media type. */
  readonly artifactType: string | undefined;
  /** Undefined for an index. */
  readonly config: Descriptor | undefined;
  /** Empty for an index. */
  readonly layers: readonly Descriptor[];
  /** Children of an index; empty for a manifest. */
  readonly manifests: readonly Descriptor[];
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  /** A manifest with an image's config that does not call itself an artifact. */
  readonly isImage: boolean;
}

/** Descriptors in one manifest, config and subject included. */
export const maxDescriptors = 10_000;
const maxDepth = 64;

/**
 * Reads a pushed manifest or index of OCI or of Docker's schema 2; its length is the caller's to bound.
 * Throws `manifest-invalid` naming the field and the rule, or `unsupported-media-type` where neither
 * `contentType` nor the document itself names one of the four media types.
 * Fields that the specifications do not name are let through.
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined): ParsedManifest {
  const fromHeader = contentType ? withoutParameters(contentType) : undefined;
  if (fromHeader && !manifestKindOf(fromHeader)) throw unsupported(fromHeader);

  const json = parseBoundedJson(bytes, maxDepth);
  if (!json.ok) throw invalid('the document', json.problem);
  const document = json.value;
  if (!isJsonObject(document)) throw invalid('the document', 'must be a JSON object');

  const mediaType = mediaTypeOf(document, fromHeader);
  if (document.schemaVersion !== 2) throw invalid('schemaVersion', 'must be 2');
  const kind = manifestKindOf(mediaType)!;
  checkOneKind(document, kind, mediaType);

  const config = kind === 'manifest' ? parseDescriptor(document.config, 'config') : undefined;
  const layers = kind === 'manifest' ? parseList(document, 'layers') : [];
  const manifests = kind === 'index' ? parseList(document, 'manifests') : [];
  checkOneSizeEach(config ? [config, ...layers] : manifests);
  const subject =
    document.subject == null ? undefined : parseDescriptor(document.subject, 'subject');
  const artifactType = optionalText(document.artifactType, 'artifactType');
  return {
    kind,
    mediaType,
    artifactType: artifactType ?? config?.mediaType,
    config,
    layers,
    manifests,
    subject,
    annotations: parseAnnotations(document.annotations, 'annotations'),
    isImage: config !== undefined && artifactType === undefined && isImageConfig(config.mediaType),
  };
}

/**
 * The blobs that must be in the repository: config and layers, each digest once, without layers whose
 * bytes may live elsewhere (image-spec, "Non-Distributable Layers", and layers with `urls`).
 */
export function requiredBlobs(manifest: ParsedManifest): Descriptor[] {
  const stored = manifest.layers.filter(
    (layer) => !isNonDistributable(layer.mediaType) && !layer.urls?.length,
  );
  return onceEach(manifest.config ? [manifest.config, ...stored] : stored);
}

/** The manifests that must be in the repository: an index's children, each digest once. A subject may be absent. */
export function requiredManifests(manifest: ParsedManifest): Descriptor[] {
  return onceEach(manifest.manifests);
}

function onceEach(descriptors: readonly Descriptor[]): Descriptor[] {
  return [...new Map(descriptors.map((descriptor) => [descriptor.digest, descriptor])).values()];
}

type Document = Readonly<Record<string, unknown>>;

function mediaTypeOf(document: Document, fromHeader: string | undefined): string {
  if (document.schemaVersion === 1 || document.fsLayers !== undefined) {
    throw unsupported('application/vnd.docker.distribution.manifest.v1+json');
  }
  const field = optionalText(document.mediaType, 'mediaType');
  if (fromHeader && field !== undefined && field !== fromHeader) {
    throw refuse(
      'manifest-invalid',
      `The manifest's mediaType is ${quote(field)}, but its Content-Type is ${quote(fromHeader)}: both must be the same.`,
      `Send it with Content-Type: ${manifestKindOf(field) ? field : ociManifest}.`,
      { mediaType: field.slice(0, 255), contentType: fromHeader.slice(0, 255) },
    );
  }
  const mediaType = fromHeader || field;
  if (mediaType === undefined || !manifestKindOf(mediaType)) throw unsupported(mediaType);
  return mediaType;
}

/** A document that reads as both kinds would be a different image to different clients (CVE-2021-41190). */
function checkOneKind(document: Document, kind: ManifestKind, mediaType: string): void {
  const foreign = kind === 'manifest' ? ['manifests'] : ['config', 'layers'];
  const found = foreign.find((field) => document[field] != null);
  if (found) {
    const right = kind === 'manifest' ? ociIndex : ociManifest;
    throw refuse(
      'manifest-invalid',
      `A document of media type ${mediaType} must not have the field ${quote(found)}: it belongs to ${right}.`,
      'Send an index and a manifest as two documents, each with its own media type.',
      { field: found, mediaType },
    );
  }
}

function parseList(document: Document, field: 'layers' | 'manifests'): Descriptor[] {
  const value = document[field];
  if (value === null) return [];
  if (!Array.isArray(value)) throw invalid(field, 'must be a list of descriptors');
  const others = (document.config == null ? 0 : 1) + (document.subject == null ? 0 : 1);
  if (value.length + others > maxDescriptors) {
    throw refuse(
      'manifest-invalid',
      `The manifest has ${value.length + others} descriptors; at most ${maxDescriptors} are allowed.`,
      field === 'layers'
        ? 'Join steps of the Dockerfile, so that the image has fewer layers.'
        : 'Split the index in several, and name them in one index.',
      { descriptors: value.length + others, limit: maxDescriptors },
    );
  }
  return value.map((item, index) => parseDescriptor(item, `${field}[${index}]`));
}

function checkOneSizeEach(descriptors: readonly Descriptor[]): void {
  const sizes = new Map<string, number>();
  for (const { digest, size } of descriptors) {
    if ((sizes.get(digest) ?? size) !== size) {
      throw invalid(`the size of ${digest}`, 'must be the same wherever it is named');
    }
    sizes.set(digest, size);
  }
}

function unsupported(mediaType: string | undefined): RegistryError {
  const accepted = manifestMediaTypes.join(', ');
  const detail = { mediaType: mediaType?.slice(0, 255) ?? null, accepted: manifestMediaTypes };
  if (mediaType?.startsWith('application/vnd.docker.distribution.manifest.v1+')) {
    return refuse(
      'unsupported-media-type',
      'Manifests of Docker image format version 1 (schema 1) are not accepted.',
      'Convert it: skopeo copy --format v2s2 SOURCE DESTINATION, or build the image again with a current docker.',
      detail,
    );
  }
  return refuse(
    'unsupported-media-type',
    mediaType === undefined
      ? 'The manifest has no media type: neither a Content-Type header nor a mediaType field.'
      : `The manifest's media type ${quote(mediaType)} is not one that a registry can hold.`,
    `Send one of these as Content-Type: ${accepted}.`,
    detail,
  );
}
