import assert from 'node:assert/strict';
import test, { after, beforeEach, describe } from 'node:test';
import { plansWith } from '../config/plans.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { ociConfig, ociIndex, ociManifest } from '../oci/media-types.ts';
import type { ProjectSettings } from '../ports/projects.ts';
import { ConfigBytes } from './config-bytes.ts';
import { createManifestPush, type ManifestPut } from './push-manifest.ts';
import { openWorld, plan, refused } from './registry-test-kit.ts';

const world = await openWorld({ after });
const { metadata, project, store } = world;
let pushed = 0;
const putManifest = createManifestPush({
  configs: new ConfigBytes(store),
  blobs: metadata.blobs,
  writer: metadata.writer,
  clock: world.clock,
  pushed: () => pushed++,
});
let repository = world.repository;
let made = 0;
beforeEach(async () => {
  repository = await world.ensure(`repository-${++made}`);
  pushed = 0;
});

const gzip = 'application/vnd.oci.image.layer.v1.tar+gzip';
const zstd = 'application/vnd.oci.image.layer.v1.tar+zstd';
const foreign = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
const linux = '{"os":"linux","architecture":"amd64"}';
const unknown = digestOf(Buffer.from('nowhere'));

async function blob(mediaType: string, text: string): Promise<Descriptor> {
  const digest = await world.addBlob(text, repository);
  return { mediaType, digest, size: text.length };
}
/** An image's manifest; fields that are given go before its own. */
async function image(fields: Record<string, unknown> = {}, config = linux): Promise<Buffer> {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: ociManifest,
      config: await blob(ociConfig, config),
      layers: [await blob(zstd, 'layer')],
      ...fields,
    }),
  );
}
function put(bytes: Buffer, more: Partial<ManifestPut> = {}) {
  const contentType = JSON.parse(String(bytes)).mediaType as string;
  const base = { ...here(), project, plan, bytes, contentType, digest: undefined, overwrite: true };
  return putManifest({ ...base, tags: ['latest'], actor: 'ci', ...more });
}
const here = () => ({ repository, ensure: async () => repository });
const tags = () => metadata.tags.list(repository.id, undefined, 100);
const held = (digest: Digest) => metadata.manifests.find(repository.id, digest);

/** That a put was refused, and has left nothing behind. */
async function refusedWhole(bytes: Buffer, kind: Parameters<typeof refused>[1], more = {}) {
  const error = await refused(put(bytes, more), kind);
  assert.deepEqual(await tags(), []);
  assert.equal(await held(digestOf(bytes)), undefined);
  assert.equal(pushed, 0);
  return error;
}

describe('an image', () => {
  test('is recorded with its tag, its bytes as they came', async () => {
    const bytes = await image({ annotations: { a: 'ü' } });
    const { digest, subject, warnings } = await put(bytes);
    assert.equal(digest, digestOf(bytes));
    assert.equal(subject, undefined);
    assert.deepEqual(warnings, []);
    const path = { team: 'acme', project: 'shop', repository: repository.name };
    for (const reference of ['latest', digest]) {
      const resolved = await metadata.manifests.resolve(path, reference);
      assert.deepEqual(resolved?.manifest, { digest, mediaType: ociManifest, size: bytes.length });
    }
    assert.ok((await metadata.manifests.content(digest))?.equals(bytes));
    assert.equal(pushed, 1);
    const events = await metadata.outbox.listByRepository(repository.id, 0, 10);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['repository.created', 'image.pushed', 'tag.moved'],
    );
  });

  test('by its digest, with any tags or none, of either algorithm', async () => {
    const bytes = await image();
    for (const digest of [digestOf(bytes), digestOf(bytes, 'sha512')]) {
      assert.equal((await put(bytes, { digest, tags: [] })).digest, digest);
      assert.ok(await held(digest));
    }
    assert.deepEqual(await tags(), []);
    await put(bytes, { digest: digestOf(bytes), tags: ['b', 'a'] });
    assert.deepEqual(await tags(), ['a', 'b']);
  });

  test('A9: by another digest than its own is refused', async () => {
    const bytes = await image();
    for (const digest of [unknown, digestOf(Buffer.from('x'), 'sha512')])
      await refusedWhole(bytes, 'digest-mismatch', { digest });
  });

  test('with gzip layers is taken, with a warning', async () => {
    const bytes = await image({ layers: [await blob(gzip, 'gzip layer')] });
    assert.match((await put(bytes)).warnings.join(), /zstd is recommended/);
  });

  test('in a repository that is not there makes it only where it is taken', async () => {
    let ensured = 0;
    const ensure = () => {
      ensured += 1;
      return world.ensure('new');
    };
    const into = { repository: undefined, ensure };
    const error = await refusedWhole(await image(), 'manifest-blob-unknown', into);
    const { digests } = error.info.detail as { digests: Digest[] };
    assert.equal(digests.length, 2);
    await refusedWhole(Buffer.from('{"mediaType":"x"}'), 'unsupported-media-type', into);
    assert.equal(ensured, 0);
    const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [] };
    await put(Buffer.from(JSON.stringify(index)), into);
    assert.equal(ensured, 1);
    assert.deepEqual(await metadata.tags.list('repo_prj_1_new', undefined, 5), ['latest']);
  });

  test('moves its tag, and is there still by its digest', async () => {
    const [first, second] = [await image(), await image({ annotations: { v: '2' } })];
    await put(first);
    await put(second);
    const path = { team: 'acme', project: 'shop', repository: repository.name };
    const latest = await metadata.manifests.resolve(path, 'latest');
    assert.equal(latest?.manifest?.digest, digestOf(second));
    assert.ok(await held(digestOf(first)));
  });

  test('has its layers measured, once each', async () => {
    const layer = await blob(zstd, 'measured');
    await put(await image({ layers: [layer, layer] }));
    const [measure, ...more] = await metadata.blobs.measures([layer.digest]);
    assert.equal(measure?.state, 'pending');
    assert.deepEqual(more, []);
  });
});

describe('sizes that lie', () => {
  test('of a layer, of the config: refused with the size that it has', async () => {
    const config = await blob(ociConfig, linux);
    const layer = await blob(zstd, 'layer');
    for (const by of [-1, 1, 1_000_000]) {
      for (const fields of [
        { layers: [{ ...layer, size: layer.size + by }] },
        { config: { ...config, size: config.size + by } },
      ])
        await refusedWhole(await image(fields), 'manifest-invalid');
    }
    const error = await refused(
      put(await image({ layers: [{ ...layer, size: 4 }] })),
      'manifest-invalid',
    );
    assert.deepEqual(error.info.detail, { digest: layer.digest, expected: 4, actual: 5 });
  });

  test('a config that says to be small is not read where it is large', async () => {
    const large = await blob(ociConfig, ' '.repeat(plan.config + 1));
    await refusedWhole(await image({ config: { ...large, size: 10 } }), 'manifest-invalid');
    await refusedWhole(await image({ config: large }), 'config-too-large');
  });

  test('a layer that was mounted from a larger plan is over the limit here', async () => {
    const small = { ...plan, layer: 4 };
    await refusedWhole(await image(), 'layer-too-large', { plan: small });
    await refusedWhole(await image(), 'image-too-large', { plan: { ...plan, image: 10 } });
    await put(await image(), { plan: { ...plan, image: linux.length + 5 } });
  });
});

describe('what a manifest names', () => {
  test('A13: an absent config or layer is refused in one way, wherever else it may be', async () => {
    const elsewhere = await world.addBlob('private elsewhere', world.repository);
    for (const digest of [unknown, elsewhere]) {
      const absent = { mediaType: zstd, digest, size: 17 };
      const error = await refusedWhole(await image({ layers: [absent] }), 'manifest-blob-unknown');
      assert.deepEqual(error.info.detail, { digests: [digest] });
      const config = { ...absent, mediaType: ociConfig };
      const other = await refusedWhole(await image({ config }), 'manifest-blob-unknown');
      assert.deepEqual(other.info.detail, { digests: [digest] });
    }
  });

  test('layers whose bytes may live elsewhere need not be there', async () => {
    const layers = [
      await blob(zstd, 'here'),
      { mediaType: foreign, digest: unknown, size: 1 },
      { mediaType: zstd, digest: digestOf(Buffer.from('y')), size: 1, urls: ['https://a/b'] },
    ];
    await put(await image({ layers }));
    assert.deepEqual(await tags(), ['latest']);
  });

  test('children of an index must be there, a subject need not', async () => {
    const bytes = await image();
    const child = { mediaType: ociManifest, digest: digestOf(bytes), size: bytes.length };
    const subject = { mediaType: ociManifest, digest: unknown, size: 1 };
    const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [child], subject };
    const indexBytes = Buffer.from(JSON.stringify(index));
    await refusedWhole(indexBytes, 'manifest-blob-unknown');
    await put(bytes, { digest: child.digest, tags: [] });
    pushed = 0;
    assert.equal((await put(indexBytes)).subject, unknown);
    assert.equal(pushed, 0, 'an index has no layers to measure');
    const referrers = await metadata.manifests.referrers(repository.id, unknown, { limit: 10 });
    assert.deepEqual(
      referrers.map(({ digest }) => digest),
      [digestOf(indexBytes)],
    );
  });

  test('a config whose bytes are lost is our failure, not the client’s', async () => {
    const bytes = await image();
    const lost = createManifestPush({
      configs: new ConfigBytes({ open: () => store.open(`upl_${'0'.repeat(32)}`) }),
      blobs: metadata.blobs,
      writer: metadata.writer,
      clock: world.clock,
      pushed: () => {},
    });
    const more = {
      ...here(),
      ...{ project, plan, bytes, contentType: ociManifest, actor: 'ci', overwrite: true },
    };
    await refused(lost({ ...more, digest: undefined, tags: [] }), 'unavailable');
  });
});

describe('rules', () => {
  test("a config must name its platform, one of the project's", async () => {
    const with_ = (settings: ProjectSettings) => ({ project: { ...project, settings } });
    const bad = ['', '[]', '{"os":"linux"}', '{"os":"linux","architecture":7}', '{'.repeat(500)];
    for (const config of bad) await refusedWhole(await image({}, config), 'manifest-invalid');
    const arm = { platforms: ['linux/arm64'] };
    await refusedWhole(await image(), 'manifest-invalid', with_(arm));
    await refusedWhole(await image(), 'unsupported', with_({ layerCompressions: ['gzip'] }));
    await put(await image(), with_({ platforms: ['linux/amd64'] }));
  });

  test('artifacts are free of them, and still must be whole', async () => {
    const config = await blob('application/vnd.oci.empty.v1+json', '{}');
    const layers = [await blob('text/plain', 'anything')];
    await put(await image({ config, layers, artifactType: 'application/x' }));
    assert.equal(pushed, 0);
    repository = await world.ensure(`repository-${++made}`);
    const absent = [{ mediaType: 'text/plain', digest: unknown, size: 1 }];
    await refusedWhole(
      await image({ config: await blob('x/y', '{}'), layers: absent }),
      'manifest-blob-unknown',
    );
  });

  test("the plan's counts hold", async () => {
    const counted = {
      ...plansWith().pro,
      counts: { imagesPerRepository: 2, tagsPerRepository: 2 },
    };
    const many = { plan: counted, tags: ['a', 'b'] };
    await put(await image(), many);
    const other = await image({ annotations: { other: '1' } });
    await refused(put(other, { ...many, tags: ['c'] }), 'quota');
    assert.equal(await held(digestOf(other)), undefined, 'refused as a whole');
    await put(other, { ...many, tags: ['b'] });
    const third = await image({ annotations: { other: '2' } });
    await refused(put(third, { ...many, tags: ['a'] }), 'quota');
    await put(other, { ...many, tags: ['a'] });
  });

  test('A10: a Content-Type that is not the document’s', async () => {
    await refusedWhole(await image(), 'manifest-invalid', { contentType: ociIndex });
    await refusedWhole(await image({ mediaType: undefined }), 'unsupported-media-type', {
      contentType: undefined,
    });
    await put(await image({ mediaType: undefined }), { contentType: `${ociManifest}; charset=x` });
  });
});
