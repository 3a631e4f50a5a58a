import assert from 'node:assert/strict';
import test from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { ociConfig, ociIndex, ociManifest } from '../oci/media-types.ts';
import { isDeployable } from './deployable.ts';

const digest = digestOf(Buffer.from('x'));
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', digest, size: 1 };
const config = { mediaType: ociConfig, digest: digestOf(Buffer.from('c')), size: 9 };
const image = { schemaVersion: 2, mediaType: ociManifest, config, layers: [layer] };
const child = { mediaType: ociManifest, digest, size: 1 };
const index = { schemaVersion: 2, mediaType: ociIndex };
const platform = { os: 'linux', architecture: 'arm64' };
const unknown = { os: 'unknown', architecture: 'unknown' };
const signature = {
  ...layer,
  mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
};

for (const [what, document, expected] of [
  ['an image', image, true],
  ['an index of images', { ...index, manifests: [{ ...child, platform }] }, true],
  ['an index that names no platforms', { ...index, manifests: [child] }, true],
  [
    'an index with an attestation beside its image',
    {
      ...index,
      manifests: [
        { ...child, platform },
        { ...child, platform: unknown },
      ],
    },
    true,
  ],
  ['attestations alone', { ...index, manifests: [{ ...child, platform: unknown }] }, false],
  ['an empty index', { ...index, manifests: [] }, false],
  ['a list of referrers', { ...index, manifests: [{ ...child, artifactType: 'a/b' }] }, false],
  ['an artifact', { ...image, artifactType: 'application/vnd.example' }, false],
  ['a signature', { ...image, layers: [signature] }, false],
  ['an image about another one', { ...image, subject: child }, false],
] as const) {
  test(`${what} ${expected ? 'is' : 'is not'} deployed`, () => {
    const bytes = Buffer.from(JSON.stringify(document));
    assert.equal(isDeployable(parseManifest(bytes, undefined)), expected);
  });
}
