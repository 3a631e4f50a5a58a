import assert from 'node:assert/strict';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { BlobRow } from '../ports/blobs.ts';
import { Pull } from './pull.ts';
import { instead, openWorld, plan, refused } from './registry-test-kit.ts';

const world = await openWorld({ after });
const { metadata, repository, store } = world;
const path = { team: 'acme', project: 'shop', repository: 'web' };
let asked = 0;
const manifests = instead(metadata.manifests, {
  content: (digest) => {
    asked += 1;
    return metadata.manifests.content(digest);
  },
});
const pull = new Pull({ manifests, blobs: metadata.blobs, store, cacheBytes: 100_000 });

async function put(content: Buffer, tags: string[] = []): Promise<Digest> {
  const digest = digestOf(content);
  await metadata.writer.run('PutManifest', {
    repositoryId: repository.id,
    digest,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    content,
    artifactType: undefined,
    annotations: undefined,
    subject: undefined,
    blobs: [],
    optionalBlobs: [],
    manifests: [],
    layers: [],
    imageSize: 0,
    platform: undefined,
    tags,
    actor: 'ci',
    overwrite: true,
    limits: { plan: plan.name },
    now: 0,
  });
  return digest;
}

/** What would go over the wire. */
function cached(digest: Digest): Buffer | undefined {
  const content = pull.cachedContent(digest);
  return typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
}
const blobOf = async (digest: Digest): Promise<BlobRow> =>
  (await pull.resolveBlob(path, digest))!.blob!;

test("a manifest's bytes come from the database once, whatever they are", async () => {
  const contents = [
    Buffer.from('{"a":"ü €\u0000"}'),
    Buffer.from([0, 128, 255, 13, 10, 0xc3, 0x28]),
    Buffer.alloc(0),
    Buffer.alloc(15 << 10, 0xff),
    Buffer.alloc((15 << 10) + 1, 0xfe),
  ];
  for (const content of contents) {
    const digest = await put(content);
    assert.equal(cached(digest), undefined);
    const before = asked;
    assert.ok((await pull.manifestContent(digest))?.equals(content));
    assert.ok(cached(digest)?.equals(content), `${content.length} bytes`);
    assert.equal(asked, before + 1);
  }
});

test('what is kept is bounded, and what is larger is not kept', async () => {
  const digests: Digest[] = [];
  for (let at = 0; at < 20; at++) digests.push(await put(Buffer.alloc(10_000, at)));
  for (const digest of digests) await pull.manifestContent(digest);
  const kept = digests.filter((digest) => cached(digest) !== undefined);
  assert.deepEqual(kept, digests.slice(-kept.length));
  assert.ok(kept.length >= 5 && kept.length <= 10, `${kept.length}`);
  const large = await put(Buffer.alloc(100_000, 1));
  assert.ok(await pull.manifestContent(large));
  assert.equal(cached(large), undefined);
  const none = new Pull({ manifests, blobs: metadata.blobs, store, cacheBytes: 0 });
  await none.manifestContent(digests[0]!);
  assert.equal(none.cachedContent(digests[0]!), undefined);
});

test('a tag is looked up each time; a name that leads nowhere, leads nowhere', async () => {
  const first = await put(Buffer.from('first'), ['moving']);
  assert.equal((await pull.resolveManifest(path, 'moving'))?.manifest?.digest, first);
  const second = await put(Buffer.from('second'), ['moving']);
  assert.equal((await pull.resolveManifest(path, 'moving'))?.manifest?.digest, second);
  assert.equal((await pull.resolveManifest(path, 'absent'))?.manifest, undefined);
  assert.equal(await pull.resolveManifest({ ...path, repository: 'absent' }, 'moving'), undefined);
  await pull.manifestContent(second);
  const common = { repositoryId: repository.id, actor: 'ci', now: 0 };
  await metadata.writer.run('DeleteManifest', { ...common, digest: second });
  assert.equal((await pull.resolveManifest(path, second))?.manifest, undefined);
  assert.equal(await pull.manifestContent(digestOf(Buffer.from('none'))), undefined);
});

test('a blob, whole and in part; an empty one', async () => {
  const blob = await blobOf(await world.addBlob('0123456789'));
  const text = async (range?: { start: number; end: number }) =>
    String(Buffer.concat(await (await pull.openBlob(world.repository, blob, range)).toArray()));
  assert.equal(await text(), '0123456789');
  assert.equal(await text({ start: 2, end: 4 }), '234');
  const empty = await blobOf(await world.addBlob(''));
  assert.deepEqual(await (await pull.openBlob(world.repository, empty, undefined)).toArray(), []);
  assert.equal(await pull.linkBlob(blob), undefined, 'this store has no links');
});

test('bytes that are lost are our failure: 503, or a stream that fails, never fewer bytes', async () => {
  const gone = await blobOf(await world.addBlob('gone'));
  await rm(join(world.folder, 'blobs', gone.key.slice(-2), gone.key));
  await refused(pull.openBlob(world.repository, gone, undefined), 'unavailable');
  const blob = await blobOf(await world.addBlob('cut short'));
  await truncate(join(world.folder, 'blobs', blob.key.slice(-2), blob.key), 4);
  const stream = await pull.openBlob(world.repository, blob, undefined);
  await assert.rejects(stream.toArray(), { kind: 'unavailable' });
  const down = instead(store, { open: () => Promise.reject(new Error('other')) });
  const other = new Pull({ manifests, blobs: metadata.blobs, store: down, cacheBytes: 0 });
  await assert.rejects(other.openBlob(world.repository, blob, undefined), /other/);
});
