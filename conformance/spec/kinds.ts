import {
  addArtifact,
  addImage,
  addIndex,
  addMultiPlatform,
  type Bundle,
  emptyBundle,
} from './bundles.ts';
import {
  content,
  type Descriptor,
  imageConfig,
  layer,
  manifest,
  mediaTypes,
  unknownDigest,
} from './content.ts';

const letter = 'application/vnd.example.letter.v1';
const parcel = 'application/vnd.example.parcel.v1';
const greeting = { 'org.example.greeting': 'hello', 'org.example.empty': '' };

export interface Kind {
  readonly name: string;
  make(): Bundle;
  /** True: the last manifest is pushed by digest alone, since a tag push names it by sha256. */
  readonly byDigestOnly?: boolean;
}

function made(name: string, fill: (bundle: Bundle) => void, byDigestOnly = false): Kind {
  return {
    name,
    byDigestOnly,
    make() {
      const bundle = emptyBundle();
      fill(bundle);
      return bundle;
    },
  };
}

/** Layers whose bytes the registry need not have, beside one that it has. */
function fillNonDistributable(bundle: Bundle): void {
  const own = layer();
  const far = ['+gzip', '', '+zstd'].map((suffix): Descriptor => {
    const digest = unknownDigest();
    return {
      mediaType: `application/vnd.oci.image.layer.nondistributable.v1.tar${suffix}`,
      digest,
      size: 31_337,
      urls: [`https://blobs.example.com/${digest}`],
    };
  });
  const config = imageConfig([own.diffId, ...far.map(({ digest }) => digest)]);
  bundle.blobs.push(config, own);
  bundle.manifests.push(
    manifest(mediaTypes.manifest, {
      config: config.descriptor,
      layers: [own.descriptor, ...far],
    }),
  );
}

/** Docker's schema 2: a manifest and a list of it. */
function fillDocker(bundle: Bundle, list: boolean): void {
  const own = layer();
  const config = imageConfig([own.diffId], {}, mediaTypes.dockerConfig);
  const blob = content(own.bytes, mediaTypes.dockerLayer);
  const image = manifest(mediaTypes.dockerManifest, {
    config: config.descriptor,
    layers: [blob.descriptor],
  });
  bundle.blobs.push(config, blob);
  bundle.manifests.push(image);
  const platform = { os: 'linux', architecture: 'amd64' };
  if (list)
    addIndex(bundle, [{ ...image.descriptor, platform }], { mediaType: mediaTypes.dockerList });
}

/** What BuildKit makes: an image and its attestation, whose platform is unknown. */
function fillAttested(bundle: Bundle): void {
  const platform = { os: 'linux', architecture: 'amd64' };
  const image = addImage(bundle, { platform });
  const statement = content(JSON.stringify({ predicate: {} }), 'application/vnd.in-toto+json');
  const config = imageConfig([statement.digest], { architecture: 'unknown', os: 'unknown' });
  const attestation = manifest(mediaTypes.manifest, {
    config: config.descriptor,
    layers: [statement.descriptor],
  });
  bundle.blobs.push(config, statement);
  bundle.manifests.push(attestation);
  addIndex(bundle, [
    { ...image.descriptor, platform },
    {
      ...attestation.descriptor,
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: {
        'vnd.docker.reference.digest': image.digest,
        'vnd.docker.reference.type': 'attestation-manifest',
      },
    },
  ]);
}

function fillReferrers(bundle: Bundle): void {
  const subject = addImage(bundle).descriptor;
  addImage(bundle, { subject });
  addArtifact(bundle, { subject, artifactType: letter, annotations: greeting });
  addArtifact(bundle, { subject, artifactType: parcel, annotations: greeting });
  addArtifact(bundle, { subject, configMediaType: 'application/vnd.example.config.v1+json' });
}

function fillIndexReferrers(bundle: Bundle): void {
  const subject = addMultiPlatform(bundle).descriptor;
  addMultiPlatform(bundle, { index: { subject, artifactType: letter, annotations: greeting } });
  addMultiPlatform(bundle, { index: { subject } });
}

/** Every kind of content that a registry of the specification takes. */
export const kinds: readonly Kind[] = [
  made('an image with gzip layers', (bundle) => addImage(bundle)),
  made('an image with plain layers', (bundle) => addImage(bundle, { compression: 'none' })),
  made('an image with zstd layers', (bundle) => addImage(bundle, { compression: 'zstd' })),
  made('an image with a manifest of almost 4 MB', (bundle) => {
    const long = Array.from({ length: 390 }, (_, at) => [`org.example.${at}`, 'x'.repeat(10_000)]);
    addImage(bundle, { annotations: Object.fromEntries(long) });
  }),
  made('an image that names one layer twice', (bundle) => {
    const twice = layer();
    const config = imageConfig([twice.diffId, twice.diffId]);
    bundle.blobs.push(config, twice);
    bundle.manifests.push(
      manifest(mediaTypes.manifest, {
        config: config.descriptor,
        layers: [twice.descriptor, twice.descriptor],
      }),
    );
  }),
  made('an index of two platforms', (bundle) => addMultiPlatform(bundle)),
  made('an index of indexes', (bundle) =>
    addIndex(bundle, [addMultiPlatform(bundle).descriptor, addMultiPlatform(bundle).descriptor]),
  ),
  made('an empty index', (bundle) =>
    addIndex(bundle, [], { annotations: { run: unknownDigest() } }),
  ),
  made('an index with an attestation', fillAttested),
  made('an artifact', (bundle) => addArtifact(bundle, { artifactType: letter })),
  made('an artifact known by its config alone', (bundle) =>
    addArtifact(bundle, { configMediaType: 'application/vnd.cncf.helm.config.v1+json' }),
  ),
  made('an artifact without content', (bundle) =>
    addArtifact(bundle, {
      artifactType: letter,
      hollow: true,
      annotations: { run: unknownDigest() },
    }),
  ),
  made('an index that is an artifact', (bundle) =>
    addIndex(
      bundle,
      [addArtifact(bundle).descriptor, addArtifact(bundle, { artifactType: parcel }).descriptor],
      { artifactType: letter },
    ),
  ),
  made('referrers of an image', fillReferrers),
  made('referrers of an index that are indexes', fillIndexReferrers),
  made('a referrer of a subject that is not there', (bundle) => {
    const subject = { mediaType: mediaTypes.manifest, digest: unknownDigest(), size: 123 };
    addArtifact(bundle, { subject, artifactType: letter, annotations: greeting });
  }),
  made('an image with data in its descriptors', (bundle) => addImage(bundle, { data: true })),
  made('an image with non-distributable layers', fillNonDistributable),
  made('fields that no specification names', (bundle) => {
    const extra = { 'org.example.unknown': [1, { deep: unknownDigest() }], unknownNumber: 0.5 };
    addMultiPlatform(bundle, { extra });
  }),
  made('an image without layers', (bundle) => addImage(bundle, { layers: 0 })),
  made('an empty blob as a layer of an artifact', (bundle) => {
    const nothing = content('', letter);
    const config = content('{}', mediaTypes.empty);
    bundle.blobs.push(nothing, config);
    bundle.manifests.push(
      manifest(mediaTypes.manifest, {
        artifactType: letter,
        config: config.descriptor,
        layers: [nothing.descriptor],
        annotations: { run: unknownDigest() },
      }),
    );
  }),
  made("an image of Docker's schema 2", (bundle) => fillDocker(bundle, false)),
  made("a manifest list of Docker's schema 2", (bundle) => fillDocker(bundle, true)),
  made(
    'an index addressed by sha512',
    (bundle) => addMultiPlatform(bundle, { algorithm: 'sha512' }),
    true,
  ),
];
