import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { digest, ensure, manifest, now, populate, refused } from './fixture.ts';

const names = (rows: readonly { name: string }[]) => rows.map((row) => row.name);

/** Tags and manifests as they are managed. */
export function tagsContract(open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>) {
  test('tags come by name and by date, both ways, from any place on', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const { id } = repository;
    const push = (text: string, tags: string[], at: number) =>
      db.writer.run(
        'PutManifest',
        manifest(id, text, { tags, now: now + at, imageSize: 7, platform: 'linux/arm64' }),
      );
    await push('one', ['b', 'B', 'a-1'], 0);
    await push('two', ['z', '10'], 5);
    await push('two', ['b'], 9);
    const orders = [
      ['name', ['10', 'B', 'a-1', 'b', 'z']],
      ['date', ['B', 'a-1', '10', 'z', 'b']],
    ] as const;
    for (const [sort, ascending] of orders) {
      for (const order of ['asc', 'desc'] as const) {
        const expected = order === 'asc' ? ascending : ascending.toReversed();
        const all = await db.tags.page(id, { sort, order, limit: 10 });
        assert.deepEqual(names(all), expected);
        for (const [at, after] of all.entries()) {
          const rest = await db.tags.page(id, { sort, order, after, limit: 2 });
          assert.deepEqual(names(rest), expected.slice(at + 1, at + 3));
        }
      }
    }
    assert.deepEqual(await db.tags.find(id, 'b'), {
      ...{ name: 'b', digest: digest('two'), size: 3, imageSize: 7, platform: 'linux/arm64' },
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      ...{ createdAt: now, updatedAt: now + 9, updatedBy: 'ci' },
    });
    assert.equal(await db.tags.find(id, 'none'), undefined);
    assert.deepEqual(await db.tags.namesOf(id, digest('two'), undefined, 10), ['10', 'b', 'z']);
    assert.deepEqual(await db.tags.namesOf(id, digest('two'), '10', 1), ['b']);
  });

  test('a tag is put on what is there, counted once, and moved by who may overwrite', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const repositoryId = repository.id;
    for (const text of ['one', 'two']) {
      await db.writer.run('PutManifest', manifest(repositoryId, text));
    }
    const put = (tag: string, text: string, overwrite = true, tags?: number) =>
      db.writer.run('PutTag', {
        ...{ repositoryId, tag, digest: digest(text), overwrite, actor: 'ci', now: now + 1 },
        limits: { plan: 'hobby', tags },
      });
    assert.deepEqual(await put('v1', 'one', false), { created: true, moved: true });
    assert.deepEqual(await put('v1', 'one', false), { created: false, moved: false });
    await refused(put('v1', 'two', false), 'denied');
    assert.deepEqual(await put('v1', 'two'), { created: false, moved: true });
    await refused(put('v2', 'absent'), 'manifest-unknown');
    await refused(put('v2', 'two', true, 1), 'quota');
    assert.equal((await db.repositories.details(repositoryId))?.tagCount, 1);
    const moves = (await db.outbox.listByRepository(repositoryId, 0, 100)).filter(
      (row) => row.type === 'tag.moved',
    );
    assert.deepEqual(
      moves.map(({ data }) => [data.tag, data.from, data.to, data.actor]),
      [
        ['v1', null, digest('one'), 'ci'],
        ['v1', digest('one'), digest('two'), 'ci'],
      ],
    );
  });

  test("an index's images are found by it, without what cannot be run", async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const { id } = repository;
    const amd = manifest(id, 'amd', { platform: 'linux/amd64', imageSize: 5 });
    const proof = manifest(id, 'attestation');
    const index = manifest(id, 'index', { manifests: [amd.digest, proof.digest] });
    for (const each of [amd, proof, index]) await db.writer.run('PutManifest', each);
    assert.deepEqual(await db.manifests.childImages(id, [index.digest, amd.digest]), [
      { parent: index.digest, digest: amd.digest, platform: 'linux/amd64', imageSize: 5 },
    ]);
  });

  test('manifests come with what was written down of them, the latest first, from any place on', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const { id } = repository;
    const other = await ensure(db, 'other');
    await db.writer.run('PutManifest', manifest(other.id, 'elsewhere'));
    const texts = ['one', 'two', 'three', 'four'];
    for (const [at, text] of texts.entries()) {
      const subject = at === 3 ? digest('one') : undefined;
      const put = { now: now + Math.min(at, 2), subject, imageSize: at, platform: 'linux/amd64' };
      await db.writer.run('PutManifest', manifest(id, text, put));
    }
    const all = await db.manifests.newest(id, undefined, 10);
    const [three, four] = [digest('three'), digest('four')].sort().reverse();
    assert.deepEqual(
      all.map((row) => row.digest),
      [three, four, digest('two'), digest('one')],
    );
    for (const [at, after] of all.entries()) {
      const rest = await db.manifests.newest(id, after, 2);
      assert.deepEqual(rest, all.slice(at + 1, at + 3));
    }
    const [found, ...none] = await db.manifests.details(id, [digest('four'), digest('elsewhere')]);
    assert.deepEqual(none, []);
    assert.deepEqual(found, {
      ...{ digest: digest('four'), size: 4, imageSize: 3, platform: 'linux/amd64' },
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      ...{ artifactType: undefined, subject: digest('one') },
      ...{ pushedAt: now + 2, pushedBy: 'ci' },
    });
    const indexes = ['i1', 'i2', 'i3'].map((text) =>
      manifest(id, text, { manifests: [digest('one')] }),
    );
    for (const put of indexes) await db.writer.run('PutManifest', put);
    const sorted = indexes.map((put) => put.digest).sort();
    assert.deepEqual(await db.manifests.indexesOf(id, digest('one'), 2), sorted.slice(0, 2));
    assert.deepEqual(await db.manifests.indexesOf(id, digest('two'), 2), []);
  });
}
