import { digest, list, nullable, object, oneOf, type Schema, time } from '../../schema.ts';

const text: Schema = { type: 'string' };
const count: Schema = { type: 'integer', minimum: 0 };
const flag: Schema = { type: 'boolean' };
const texts = list(text);
const annotations: Schema = { type: 'object', additionalProperties: text };
const platform = { ...text, examples: ['linux/amd64', 'linux/arm/v7'] };

const common = {
  digest,
  mediaType: text,
  kind: {
    ...oneOf('image', 'index', 'artifact'),
    description:
      'An image that can be run, an index of images, or all else: signatures, attestations, SBOMs, charts.',
  },
  size: { ...count, description: 'Bytes of the manifest itself.' },
  imageSize: {
    ...count,
    description:
      'Compressed bytes of config and layers; of an index, those of its images together.',
  },
  platforms: list(platform),
  artifactType: nullable(text),
  subject: nullable({ ...digest, description: 'The manifest that it refers to.' }),
  pushedAt: time,
  pushedBy: { ...text, description: "Who pushed it first: a token's name, or a JWT's subject." },
};

/** A row of the list. */
export const manifestSummary = object(
  { ...common, tags: list(text, { description: 'The first ten.' }) },
  { title: 'ManifestSummary' },
);

const measure = object(
  {
    state: {
      ...oneOf('pending', 'measured', 'over', 'mismatch'),
      description:
        'Over: more than any plan lets run. Mismatch: the bytes are not what the media type says.',
    },
    uncompressedSize: nullable(count),
    reason: nullable(text),
  },
  { title: 'Measure', description: 'What it is uncompressed, measured after the push.' },
);

const layer = object(
  {
    digest,
    mediaType: text,
    size: count,
    compression: nullable({ ...oneOf('none', 'gzip', 'zstd') }),
    measure: nullable(measure),
    annotations,
  },
  { title: 'Layer' },
);

const attestation = object(
  {
    digest,
    mediaType: text,
    size: count,
    predicateTypes: list(text, { examples: [['https://slsa.dev/provenance/v0.2']] }),
  },
  { title: 'Attestation', description: 'What the builder states of an image, stored beside it.' },
);

const child = object(
  {
    digest,
    mediaType: text,
    size: count,
    platform: nullable(platform),
    artifactType: nullable(text),
    annotations,
    held: { ...flag, description: 'Whether the repository holds it.' },
    imageSize: nullable(count),
    measure: nullable(measure),
    attestations: list(attestation),
  },
  { title: 'IndexEntry' },
);

const config = object(
  {
    digest,
    mediaType: text,
    size: count,
    os: nullable(text),
    architecture: nullable(text),
    variant: nullable(text),
    created: nullable({ ...text, description: 'As the builder wrote it.' }),
    author: nullable(text),
    user: nullable(text),
    workingDir: nullable(text),
    entrypoint: texts,
    command: texts,
    env: list(text, { description: '`NAME=value`, as docker inspect shows it.' }),
    exposedPorts: list(text, { examples: [['8080/tcp']] }),
    volumes: texts,
    stopSignal: nullable(text),
    labels: annotations,
  },
  { title: 'ImageConfig' },
);

const step = object(
  {
    created: nullable(text),
    createdBy: nullable(text),
    comment: nullable(text),
    emptyLayer: { ...flag, description: 'It made no layer.' },
  },
  { title: 'HistoryStep' },
);

const referrer = object(
  {
    digest,
    mediaType: text,
    size: count,
    artifactType: nullable(text),
    annotations,
    tag: nullable({
      ...text,
      description:
        "The tag that stands for the reference, as cosign's sha256-….sig; null: its subject.",
    }),
  },
  { title: 'Referrer', description: 'A signature, an SBOM, or whatever else was attached.' },
);

/** One manifest with all that is in it and belongs to it. */
export const manifestDetail = object(
  {
    ...common,
    annotations,
    measure: nullable(measure),
    config: nullable(config),
    layers: list(layer),
    history: list(step, { description: 'Of the build, oldest first.' }),
    images: list(child, { description: 'Of an index, without attestations.' }),
    attestations: list(attestation, {
      description: 'Of this image; of an index, those that are of none of its images.',
    }),
    attestationOf: nullable(digest),
    partOf: list(digest, { description: 'Indexes that name it, ten at most.' }),
    referrers: list(referrer),
    moreReferrers: { ...flag, description: 'The rest: GET /v2/<name>/referrers/<digest>.' },
    tags: list(text, { description: 'Tags that point at it, a hundred at most.' }),
    moreTags: flag,
  },
  { title: 'Manifest' },
);
