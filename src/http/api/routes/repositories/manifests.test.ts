import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { ociConfig, ociManifest } from '../../../../oci/media-types.ts';
import type { Application } from '../../../services-test-kit.ts';
import {
  type Ask,
  type Child,
  gzipLayer,
  openShop,
  pushImage,
  pushIndex,
  pushManifest,
} from './repository-test-kit.ts';

const zstdLayer = 'application/vnd.oci.image.layer.v1.tar+zstd';
const provenance = 'https://slsa.dev/provenance/v0.2';

const view = async (ask: Ask, digest: string) => {
  const { status, body } = await ask('GET', `/web/manifests/${digest}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
};

/** As BuildKit stores it: an image's config, a layer that is none. */
async function pushAttestation(app: Application) {
  return pushImage(app, {
    config: { os: 'unknown', architecture: 'unknown' },
    layers: [],
    manifest: {
      layers: [
        {
          mediaType: 'application/vnd.in-toto+json',
          digest: await app.world.addBlob('{"statement":1}'),
          size: 15,
          annotations: { 'in-toto.io/predicate-type': provenance },
        },
      ],
    },
  });
}

const attesting = (child: Child, of: string) => ({
  ...child,
  more: {
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': of,
    },
  },
});

test('an image is shown with config, layers, history and tags', async (t) => {
  const { as, app } = await openShop(t);
  const bytes = zstdCompressSync(randomBytes(300));
  const image = await pushImage(app, {
    tags: ['b', 'a'],
    layers: [
      { mediaType: gzipLayer, bytes: randomBytes(50) },
      { mediaType: zstdLayer, bytes },
    ],
    config: {
      variant: 'v8',
      created: '2026-01-02T03:04:05Z',
      config: {
        Env: ['PATH=/bin', 'A=b'],
        Cmd: ['serve'],
        Entrypoint: ['/app'],
        User: '1000',
        WorkingDir: '/srv',
        ExposedPorts: { '8080/tcp': {} },
        Labels: { one: '1', two: 2 },
      },
      history: [
        { created: '2026-01-02T03:04:05Z', created_by: 'COPY . .' },
        { created_by: 'CMD ["serve"]', empty_layer: true, comment: 'x' },
        'no step',
      ],
    },
  });
  const ask = await as('read');
  const first = await view(ask, image.digest);
  const layers = image.manifest.layers as { digest: string; size: number }[];
  const pending = { state: 'pending', uncompressedSize: null, reason: null };
  assert.deepEqual(first, {
    digest: image.digest,
    ...{ mediaType: ociManifest, kind: 'image', size: image.bytes.length },
    imageSize: image.config.length + 50 + bytes.length,
    platforms: ['linux/amd64/v8'],
    ...{ artifactType: ociConfig, subject: null, annotations: {} },
    pushedAt: new Date(app.world.clock.now()).toISOString(),
    pushedBy: 'pusher',
    measure: pending,
    config: {
      ...{ digest: image.manifest.config.digest, mediaType: ociConfig, size: image.config.length },
      ...{ os: 'linux', architecture: 'amd64', variant: 'v8', author: null },
      ...{ created: '2026-01-02T03:04:05Z', user: '1000', workingDir: '/srv' },
      ...{ entrypoint: ['/app'], command: ['serve'], env: ['PATH=/bin', 'A=b'] },
      ...{ exposedPorts: ['8080/tcp'], volumes: [], stopSignal: null, labels: { one: '1' } },
    },
    layers: [
      { ...layers[0], compression: 'gzip', measure: pending, annotations: {} },
      { ...layers[1], compression: 'zstd', measure: pending, annotations: {} },
    ],
    history: [
      {
        ...{ created: '2026-01-02T03:04:05Z', createdBy: 'COPY . .' },
        ...{ comment: null, emptyLayer: false },
      },
      { created: null, createdBy: 'CMD ["serve"]', comment: 'x', emptyLayer: true },
    ],
    ...{ images: [], attestations: [], attestationOf: null, partOf: [] },
    ...{ referrers: [], moreReferrers: false, tags: ['a', 'b'], moreTags: false },
  });

  const { writer } = app.world.metadata;
  const measured = (at: number, rest: object) =>
    writer.run('RecordMeasure', {
      ...{ digest: layers[at]!.digest as never, compression: at === 0 ? 'gzip' : 'zstd' },
      ...{ state: 'measured', uncompressedSize: 300, reason: undefined },
      ...rest,
    });
  await measured(0, {});
  assert.deepEqual((await view(ask, image.digest)).measure, pending, 'one is missing yet');
  await measured(1, {});
  const whole = await view(ask, image.digest);
  assert.deepEqual(whole.measure, { state: 'measured', uncompressedSize: 600, reason: null });
  assert.equal(whole.layers[1].measure.uncompressedSize, 300);
  await measured(1, { state: 'mismatch', uncompressedSize: undefined, reason: 'not zstd' });
  const wrong = await view(ask, image.digest);
  assert.deepEqual(wrong.measure, {
    ...{ state: 'mismatch', uncompressedSize: null, reason: 'not zstd' },
  });
});

test('an index shows its images, and attestations with the image that they are of', async (t) => {
  const { as, app } = await openShop(t);
  const ask = await as('read');
  const [amd, arm] = [
    await pushImage(app),
    await pushImage(app, { config: { architecture: 'arm' } }),
  ];
  const proof = await pushAttestation(app);
  const lost = await pushAttestation(app);
  const index = await pushIndex(
    app,
    [
      { ...amd, more: { platform: { os: 'linux', architecture: 'amd64' } } },
      { ...arm, more: { platform: { os: 'linux', architecture: 'arm', variant: 'v7' } } },
      attesting(proof, amd.digest),
      attesting(lost, `sha256:${'1'.repeat(64)}`),
    ],
    { tags: ['all'] },
  );
  const shown = await view(ask, index.digest);
  const attestation = ({ digest, bytes }: Child) => ({
    ...{ digest, mediaType: ociManifest, size: bytes.length, predicateTypes: [provenance] },
  });
  assert.equal(shown.kind, 'index');
  assert.deepEqual(shown.platforms, ['linux/amd64', 'linux/arm/v7'], 'unknown/unknown is none');
  assert.equal(shown.config, null);
  assert.deepEqual(
    shown.images.map((image: Record<string, unknown>) => [
      ...[image.digest, image.platform, image.held, image.attestations],
      (image.measure as { state: string }).state,
    ]),
    [
      [amd.digest, 'linux/amd64', true, [attestation(proof)], 'pending'],
      [arm.digest, 'linux/arm/v7', true, [], 'pending'],
    ],
  );
  const imageSize = shown.images[0].imageSize + shown.images[1].imageSize;
  assert.equal(shown.imageSize, imageSize);
  assert.deepEqual(shown.attestations, [attestation(lost)]);

  const image = await view(ask, amd.digest);
  assert.deepEqual([image.partOf, image.attestations], [[index.digest], [attestation(proof)]]);
  assert.equal(image.attestationOf, null);
  assert.deepEqual((await view(ask, arm.digest)).attestations, []);
  const statement = await view(ask, proof.digest);
  assert.deepEqual([statement.kind, statement.attestationOf], ['artifact', amd.digest]);
  assert.deepEqual([statement.platforms, statement.measure], [[], null]);
  const { body } = await ask('GET', '/web/tags/all');
  assert.deepEqual(body.platforms.toSorted(), ['linux/amd64', 'linux/arm']);
});

test('what refers to an image is shown with it, by its subject or by the tag that cosign gives it', async (t) => {
  const { as, app } = await openShop(t);
  const ask = await as('read');
  const image = await pushImage(app);
  const size = 2;
  const empty = { mediaType: 'application/vnd.oci.empty.v1+json', size };
  const blob = { ...empty, digest: await app.world.addBlob('{}') };
  const refer = (more: object, tags: string[] = []) =>
    pushManifest(
      app,
      { schemaVersion: 2, mediaType: ociManifest, config: blob, layers: [blob], ...more },
      app.world.repository,
      tags,
    );
  const sbom = await refer({
    artifactType: 'application/spdx+json',
    annotations: { 'org.example.by': 'ci' },
    subject: { mediaType: ociManifest, digest: image.digest, size: image.bytes.length },
  });
  const tag = `${image.digest.replace(':', '-')}.sig`;
  const signature = await refer({ artifactType: 'application/vnd.example.sig' }, [tag]);
  const { referrers } = await view(ask, image.digest);
  assert.deepEqual(referrers, [
    {
      ...{ digest: sbom.digest, mediaType: ociManifest, size: sbom.bytes.length, tag: null },
      artifactType: 'application/spdx+json',
      annotations: { 'org.example.by': 'ci' },
    },
    {
      ...{ digest: signature.digest, mediaType: ociManifest, size: signature.bytes.length, tag },
      ...{ artifactType: 'application/vnd.example.sig', annotations: {} },
    },
  ]);
  const shown = await view(ask, sbom.digest);
  assert.deepEqual([shown.kind, shown.subject], ['artifact', image.digest]);
  assert.deepEqual([shown.config, shown.history], [null, []], 'no image has this config');
});
