import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { addBlob, digest, ensure, manifest, now, populate, refused } from './fixture.ts';

/** What rules of retention look at. */
export function retentionContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
) {
  test('all of a repository is read page by page', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const { id } = repository;
    const other = await ensure(db, 'other');
    await db.writer.run('PutManifest', manifest(other.id, 'x', { tags: ['x'] }));
    const blob = await addBlob(db, id, 'layer');
    const puts = [
      manifest(id, 'child', { blobs: [blob.digest], optionalBlobs: [digest('none')] }),
      manifest(id, 'index', { manifests: [digest('child')], tags: ['b', 'a'] }),
      manifest(id, 'sig', { subject: digest('index'), now: now + 3 }),
    ];
    for (const put of puts) await db.writer.run('PutManifest', put);
    const rows = await db.retention.manifests(id, undefined, 10);
    assert.deepEqual(
      rows.map((row) => row.digest),
      puts.map((put) => put.digest).sort(),
    );
    assert.deepEqual(await db.retention.manifests(id, rows[0]!.digest, 1), [rows[1]]);
    assert.deepEqual(
      rows.find((row) => row.digest === digest('sig')),
      {
        ...{ digest: digest('sig'), size: 3, subject: digest('index') },
        ...{ pushedAt: now + 3, usedAt: undefined },
      },
    );
    assert.deepEqual(await db.retention.tags(id, 'a', 10), [
      { name: 'b', digest: digest('index'), setAt: now },
    ]);
    const parts = await db.retention.parts(id, undefined, 10);
    const sizes = Object.fromEntries(parts.map((row) => [row.child, [row.kind, row.size]]));
    assert.deepEqual(sizes, {
      [blob.digest]: ['blob', 5],
      [digest('none')]: ['blob', 0],
      [digest('child')]: ['manifest', 0],
    });
    for (const [at, row] of parts.entries())
      assert.deepEqual(await db.retention.parts(id, row, 1), parts.slice(at + 1, at + 2));
    assert.deepEqual(await db.retention.pinned(id), []);
  });

  test('the last use of a manifest is written down, to the hour, and never goes back', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const repositoryId = repository.id;
    await db.writer.run('PutManifest', manifest(repositoryId, 'one'));
    const use = (at: number, text = 'one') =>
      db.writer.run('TouchManifests', { uses: [{ repositoryId, digest: digest(text), at }] });
    const used = async () => (await db.retention.manifests(repositoryId, undefined, 9))[0]?.usedAt;
    await use(now, 'absent');
    await use(now);
    assert.equal(await used(), now);
    await use(now + 3_600_000);
    assert.equal(await used(), now);
    await use(now + 3_600_001);
    await use(now);
    assert.equal(await used(), now + 3_600_001);
  });

  test('repositories with rules of retention are found, theirs or their projects', async (t) => {
    const db = await open(t);
    const { repository, projectId } = await populate(db);
    const other = await ensure(db, 'other');
    const found = (after?: string) => db.retention.repositories(after, 10);
    const retention = [{ tags: ['*'], keepNewest: 3 }];
    assert.deepEqual(await found(), []);
    await db.writer.run('SetRepositoryRules', { repositoryId: other.id, rules: { retention } });
    assert.deepEqual(await found(), [other.id]);
    await db.writer.run('SetProjectRules', { projectId, rules: { retention } });
    assert.deepEqual(await found(), [other.id, repository.id].sort());
    assert.deepEqual(await found(other.id), [repository.id]);
  });

  test('a manifest whose tags have changed since it was looked at stays', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const repositoryId = repository.id;
    await db.writer.run('PutManifest', manifest(repositoryId, 'one', { tags: ['b', 'a'] }));
    const remove = (onlyWithTags: string[]) =>
      db.writer.run('DeleteManifest', {
        ...{ repositoryId, digest: digest('one'), actor: 'ci', now, onlyWithTags },
      });
    for (const tags of [[], ['a'], ['a', 'c'], ['a', 'b', 'c']])
      await refused(remove(tags), 'conflict');
    await remove(['a', 'b']);
  });
}
