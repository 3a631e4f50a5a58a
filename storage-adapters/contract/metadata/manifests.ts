import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { addBlob, digest, ensure, events, manifest, path, populate, refused } from './fixture.ts';

/** Manifests, tags, referrers and their events. */
export function manifestsContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
) {
  test('a manifest is found by tag and by digest, with its bytes', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const put = manifest(repository.id, '{"a":1}', { tags: ['v1', 'latest'] });
    assert.deepEqual(await db.writer.run('PutManifest', put), {
      created: true,
      movedTags: ['v1', 'latest'],
      deployments: [],
    });
    for (const reference of ['v1', 'latest', put.digest]) {
      const found = await db.manifests.resolve(path, reference);
      assert.deepEqual(found?.manifest, { digest: put.digest, mediaType: put.mediaType, size: 7 });
      assert.deepEqual(found?.repository, repository);
    }
    assert.equal((await db.manifests.content(put.digest))?.toString(), '{"a":1}');
    assert.equal((await db.manifests.resolve(path, 'v2'))?.manifest, undefined);
    assert.equal(await db.manifests.resolve({ ...path, repository: 'none' }, 'v1'), undefined);
    assert.deepEqual(await events(db, repository.id), [
      'repository.created',
      'image.pushed',
      'tag.moved',
      'tag.moved',
    ]);
  });

  test('a manifest that names what the repository lacks is refused and changes nothing', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await ensure(db, 'other');
    const elsewhere = await addBlob(db, other.id, 'elsewhere');
    const put = manifest(repository.id, '{}', {
      blobs: [elsewhere.digest],
      manifests: [digest('child')],
      tags: ['v1'],
    });
    const error = await refused(db.writer.run('PutManifest', put), 'manifest-blob-unknown');
    assert.deepEqual(error.info.detail?.digests, [elsewhere.digest, digest('child')]);
    assert.equal((await db.manifests.resolve(path, put.digest))?.manifest, undefined);
    assert.equal(await db.manifests.content(put.digest), undefined);
    assert.deepEqual(await db.tags.list(repository.id, undefined, 10), []);
    assert.deepEqual(await events(db, repository.id), ['repository.created']);
  });

  test('a tag moves, and the event says from where', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const first = manifest(repository.id, 'one', { tags: ['v1'] });
    const second = manifest(repository.id, 'two', { tags: ['v1'] });
    await db.writer.run('PutManifest', first);
    assert.deepEqual((await db.writer.run('PutManifest', second)).movedTags, ['v1']);
    assert.deepEqual((await db.writer.run('PutManifest', second)).movedTags, []);
    const rows = await db.outbox.listByRepository(repository.id, 0, 100);
    assert.deepEqual(
      rows.filter((row) => row.type === 'tag.moved').map((row) => [row.data.from, row.data.to]),
      [
        [null, first.digest],
        [first.digest, second.digest],
      ],
    );
    // A push of the same again is still a push: deployments listen to it.
    assert.equal(rows.filter((row) => row.type === 'image.pushed').length, 3);
  });

  test('tags are listed in byte order, page by page', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const tags = ['b', 'B', '_x', 'a.1', 'a-1', '10', '9'];
    await db.writer.run('PutManifest', manifest(repository.id, 'x', { tags }));
    const sorted = [...tags].sort();
    assert.deepEqual(await db.tags.list(repository.id, undefined, 100), sorted);
    assert.deepEqual(await db.tags.list(repository.id, sorted[2], 2), sorted.slice(3, 5));
    assert.deepEqual(await db.tags.list(repository.id, undefined, 0), []);
  });

  test('deleting a manifest takes its tags, and not its siblings', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const one = manifest(repository.id, 'one', { tags: ['a', 'b'] });
    const two = manifest(repository.id, 'two', { tags: ['c'] });
    for (const put of [one, two]) await db.writer.run('PutManifest', put);
    const args = { repositoryId: repository.id, digest: one.digest, actor: 'ci', now: 1 };
    await db.writer.run('DeleteManifest', args);
    assert.deepEqual(await db.tags.list(repository.id, undefined, 10), ['c']);
    assert.equal(await db.manifests.content(one.digest), undefined);
    assert.equal((await db.manifests.content(two.digest))?.toString(), 'two');
    await refused(db.writer.run('DeleteManifest', args), 'manifest-unknown');
    assert.deepEqual((await events(db, repository.id)).slice(-3), [
      'tag.deleted',
      'tag.deleted',
      'manifest.deleted',
    ]);
  });

  test('deleting a tag leaves the manifest and its other tags', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const put = manifest(repository.id, 'one', { tags: ['a', 'b'] });
    await db.writer.run('PutManifest', put);
    const args = { repositoryId: repository.id, tag: 'a', actor: 'ci', now: 1 };
    await db.writer.run('DeleteTag', args);
    assert.deepEqual(await db.tags.list(repository.id, undefined, 10), ['b']);
    assert.ok((await db.manifests.resolve(path, put.digest))?.manifest);
    await refused(db.writer.run('DeleteTag', args), 'manifest-unknown');
  });

  test("an index's child cannot be deleted before it", async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const child = manifest(repository.id, 'child');
    const index = manifest(repository.id, 'index', { manifests: [child.digest] });
    for (const put of [child, index]) await db.writer.run('PutManifest', put);
    const common = { repositoryId: repository.id, actor: 'ci', now: 1 };
    const remove = (digest: typeof child.digest) =>
      db.writer.run('DeleteManifest', { ...common, digest });
    await refused(remove(child.digest), 'manifest-in-use');
    await remove(index.digest);
    await remove(child.digest);
  });

  test('bytes in two repositories stay until both let go', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await ensure(db, 'other');
    await db.writer.run('PutManifest', manifest(repository.id, 'same'));
    await db.writer.run('PutManifest', manifest(other.id, 'same'));
    const common = { digest: digest('same'), actor: 'ci', now: 1 };
    await db.writer.run('DeleteManifest', { ...common, repositoryId: repository.id });
    assert.equal((await db.manifests.content(digest('same')))?.toString(), 'same');
    await db.writer.run('DeleteManifest', { ...common, repositoryId: other.id });
    assert.equal(await db.manifests.content(digest('same')), undefined);
  });

  test('referrers come by subject, by type, page by page', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const subject = digest('subject');
    const puts = ['r1', 'r2', 'r3'].map((text, index) =>
      manifest(repository.id, text, {
        subject,
        artifactType: index === 2 ? 'application/x.sig' : 'application/x.sbom',
        annotations: { n: String(index) },
      }),
    );
    for (const put of puts) await db.writer.run('PutManifest', put);
    const sorted = puts.map((put) => put.digest).sort();
    const all = await db.manifests.referrers(repository.id, subject, { limit: 10 });
    assert.deepEqual(
      all.map((each) => each.digest),
      sorted,
    );
    const page = { limit: 10, last: sorted[0] };
    assert.equal((await db.manifests.referrers(repository.id, subject, page)).length, 2);
    const filter = { limit: 10, artifactType: 'application/x.sig' };
    const signatures = await db.manifests.referrers(repository.id, subject, filter);
    assert.deepEqual(
      signatures.map((each) => [each.digest, each.annotations]),
      [[puts[2]!.digest, { n: '2' }]],
    );
    assert.deepEqual(
      await db.manifests.referrers(repository.id, digest('none'), { limit: 10 }),
      [],
    );
  });

  test('plans limit images and tags, and a refusal counts nothing', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const limits = { plan: 'hobby' as const, images: 2, tags: 2 };
    const put = (text: string, tags: string[]) =>
      db.writer.run('PutManifest', manifest(repository.id, text, { tags, limits }));
    await put('one', ['a']);
    await put('two', ['b']);
    await refused(put('three', []), 'quota');
    await refused(put('two', ['c']), 'quota');
    await put('two', ['a', 'b']);
    const common = { repositoryId: repository.id, actor: 'ci', now: 1 };
    await db.writer.run('DeleteManifest', { ...common, digest: digest('one') });
    await put('three', []);
    await db.writer.run('DeleteTag', { ...common, tag: 'a' });
    await put('two', ['c']);
  });
}
