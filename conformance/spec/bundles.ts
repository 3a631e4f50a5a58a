import {
  type Algorithm,
  type Compression,
  type Content,
  content,
  type Descriptor,
  imageConfig,
  layer,
  manifest,
  mediaTypes,
  uniqueBytes,
} from './content.ts';

/** Something to push whole: its blobs, then its manifests in order. The last manifest is the one to look at. */
export interface Bundle {
  readonly blobs: Content[];
  readonly manifests: Content[];
  /** By subject: what the referrers list must hold of this bundle. */
  readonly referrers: Map<string, Descriptor[]>;
}

export interface ImageOptions {
  readonly algorithm?: Algorithm;
  readonly compression?: Compression;
  readonly layers?: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
  readonly subject?: Descriptor;
  /** Puts each blob's bytes into its descriptor, as well. */
  readonly data?: boolean;
  /** Unknown fields in config and manifest. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export interface ArtifactOptions {
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly subject?: Descriptor;
  readonly configMediaType?: string;
  readonly layerMediaType?: string;
  /** The layer is the empty JSON object, too. */
  readonly hollow?: boolean;
  readonly algorithm?: Algorithm;
}

export function emptyBundle(): Bundle {
  return { blobs: [], manifests: [], referrers: new Map() };
}

function described(blob: Content, data = false): Descriptor {
  return data ? { ...blob.descriptor, data: blob.bytes.toString('base64') } : blob.descriptor;
}

function refer(bundle: Bundle, subject: Descriptor | undefined, descriptor: Descriptor): void {
  if (!subject) return;
  const list = bundle.referrers.get(subject.digest) ?? [];
  list.push(descriptor);
  bundle.referrers.set(subject.digest, list);
}

/** Adds an image to the bundle. */
export function addImage(bundle: Bundle, options: ImageOptions = {}): Content {
  const { algorithm = 'sha256', compression = 'gzip', subject, annotations } = options;
  const layers = Array.from({ length: options.layers ?? 2 }, () => layer(compression, algorithm));
  const config = imageConfig(
    layers.map(({ diffId }) => diffId),
    { ...options.platform, ...options.extra },
    mediaTypes.config,
    algorithm,
  );
  const image = manifest(
    mediaTypes.manifest,
    {
      config: described(config, options.data),
      layers: layers.map((blob) => described(blob, options.data)),
      ...(subject && { subject }),
      ...(annotations && { annotations }),
      ...options.extra,
    },
    algorithm,
  );
  bundle.blobs.push(config, ...layers);
  bundle.manifests.push(image);
  refer(bundle, subject, {
    ...image.descriptor,
    artifactType: mediaTypes.config,
    ...(annotations && { annotations }),
  });
  return image;
}

/** Adds an artifact: a manifest of no image, as the image-spec's guidance has it. */
export function addArtifact(bundle: Bundle, options: ArtifactOptions = {}): Content {
  const { algorithm = 'sha256', subject, annotations, artifactType } = options;
  const config = content('{}', options.configMediaType ?? mediaTypes.empty, algorithm);
  const blob = options.hollow
    ? config
    : content(
        uniqueBytes(),
        options.layerMediaType ?? 'application/vnd.example.letter.v1',
        algorithm,
      );
  const artifact = manifest(
    mediaTypes.manifest,
    {
      ...(artifactType && { artifactType }),
      config: config.descriptor,
      layers: [blob.descriptor],
      ...(subject && { subject }),
      ...(annotations && { annotations }),
    },
    algorithm,
  );
  bundle.blobs.push(config, blob);
  bundle.manifests.push(artifact);
  refer(bundle, subject, {
    ...artifact.descriptor,
    artifactType: artifactType ?? config.descriptor.mediaType,
    ...(annotations && { annotations }),
  });
  return artifact;
}

export interface IndexOptions {
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly subject?: Descriptor;
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly algorithm?: Algorithm;
  readonly mediaType?: string;
}

/** Adds an index of `children`, whose descriptors may carry a platform. */
export function addIndex(
  bundle: Bundle,
  children: readonly Descriptor[],
  options: IndexOptions = {},
): Content {
  const { subject, annotations, artifactType } = options;
  const index = manifest(
    options.mediaType ?? mediaTypes.index,
    {
      ...(artifactType && { artifactType }),
      manifests: children,
      ...(subject && { subject }),
      ...(annotations && { annotations }),
      ...options.extra,
    },
    options.algorithm,
  );
  bundle.manifests.push(index);
  refer(bundle, subject, {
    ...index.descriptor,
    ...(artifactType && { artifactType }),
    ...(annotations && { annotations }),
  });
  return index;
}

/** Adds images for two platforms and their index. */
export function addMultiPlatform(
  bundle: Bundle,
  options: ImageOptions & { index?: IndexOptions } = {},
): Content {
  const children = (['amd64', 'arm64'] as const).map((architecture) => {
    const platform = { os: 'linux', architecture };
    return { ...addImage(bundle, { ...options, platform }).descriptor, platform };
  });
  return addIndex(bundle, children, {
    ...(options.algorithm && { algorithm: options.algorithm }),
    ...(options.extra && { extra: options.extra }),
    ...options.index,
  });
}

/** One image, alone. */
export function image(options: ImageOptions = {}): Bundle & { readonly top: Content } {
  const bundle = emptyBundle();
  return { ...bundle, top: addImage(bundle, options) };
}
