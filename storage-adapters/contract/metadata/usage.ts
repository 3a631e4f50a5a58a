import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CountLimits } from '../../../src/ports/commands.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { addBlob, digest, ensure, manifest, now, populate, refused } from './fixture.ts';

const limits = (storage: number): CountLimits => ({ plan: 'hobby', storage });

/** What teams hold and move, and where their plans end it. */
export function usageContract(open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>) {
  const stored = async (db: Metadata) =>
    (await db.usage.counts({ teamId: 'team_1' }, 'x')).storedBytes;

  test('bytes that are moved add up by project and month', async (t) => {
    const db = await open(t);
    const { teamId } = await populate(db);
    const project = { id: 'prj_2', teamId, slug: 'second', settings: {}, createdAt: now };
    await db.writer.run('CreateProject', project);
    const add = (month: string, ...entries: [string, number, number][]) =>
      db.writer.run('AddTransfer', {
        month,
        entries: entries.map(([projectId, pulled, pushed]) => ({ projectId, pulled, pushed })),
      });
    await add('2026-10', ['prj_1', 1, 2], ['prj_none', 9, 9], ['prj_2', 10, 20]);
    await add('2026-10', ['prj_1', 3, 4]);
    await add('2026-11', ['prj_1', 100, 0]);
    const moved = async (month: string, projectId?: string) => {
      const counts = await db.usage.counts({ teamId, projectId }, month);
      return [counts.pulledBytes, counts.pushedBytes];
    };
    assert.deepEqual(await moved('2026-10'), [14, 26]);
    assert.deepEqual(await moved('2026-10', 'prj_1'), [4, 6]);
    assert.deepEqual(await moved('2026-11'), [100, 0]);
    assert.deepEqual(await moved('2026-12'), [0, 0]);
    assert.deepEqual(await db.usage.pulled('2026-10'), [{ teamId, plan: 'pro', bytes: 14 }]);
    await db.writer.run('DeleteProject', { projectId: 'prj_2' });
    assert.deepEqual(await moved('2026-10'), [4, 6]);
  });

  test('what is stored follows links, unlinks and repositories that go', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await ensure(db, 'other');
    await addBlob(db, repository.id, 'four');
    await addBlob(db, repository.id, 'four', 'upl_again');
    const shared = { repositoryId: other.id, digest: digest('four'), now };
    for (const _ of [1, 2]) await db.writer.run('LinkBlob', shared);
    await addBlob(db, other.id, 'sixsix');
    assert.equal(await stored(db), 14);
    assert.equal(await db.usage.storedBytes('team_1'), 14);
    await db.writer.run('UnlinkBlob', { repositoryId: repository.id, digest: digest('four') });
    assert.equal(await stored(db), 10);
    await db.writer.run('PutManifest', manifest(other.id, 'm', { tags: ['a', 'b'] }));
    const { projects, repositories, images, tags, most } = await db.usage.counts(
      { teamId: 'team_1' },
      'x',
    );
    assert.deepEqual([projects, repositories, images, tags], [1, 2, 1, 2]);
    assert.deepEqual(most, { repositories: 2, images: 1, tags: 2 });
    const push = { repositories: 2, images: 1, tags: 2, storedBytes: 10 };
    assert.deepEqual(await db.usage.ofPush(other.id), push);
    assert.equal(await db.usage.ofPush('repo_none'), undefined);
    await db.writer.run('DeleteRepository', { repositoryId: other.id, actor: 'ci', now });
    assert.equal(await stored(db), 0);
    assert.equal((await db.usage.counts({ teamId: 'team_1' }, 'x')).repositories, 1);
  });

  test('a plan ends what a team stores, over all its projects, and a refusal changes nothing', async (t) => {
    const db = await open(t);
    const { teamId, repository } = await populate(db);
    const project = { id: 'prj_2', teamId, slug: 'second', settings: {}, createdAt: now };
    await db.writer.run('CreateProject', project);
    const second = await db.writer.run('EnsureRepository', {
      ...{ id: 'repo_2', projectId: 'prj_2', name: 'x', visibility: 'private', actor: 'ci' },
      ...{ limits: limits(10), now },
    });
    await addBlob(db, repository.id, 'sixsix');
    const start = { repositoryId: second.id, subject: 's', algorithm: 'sha256' as const, now };
    await db.writer.run('StartUpload', { ...start, id: 'upl_x', expiresAt: now + 1 });
    const finish = (size: number) =>
      db.writer.run('FinishUpload', {
        ...{ id: 'upl_x', repositoryId: second.id, digest: digest('x'), size, now },
        limits: limits(10),
      });
    const error = await refused(finish(5), 'quota');
    assert.deepEqual(error.info.detail, { limit: 10, plan: 'hobby' });
    assert.ok(await db.uploads.find('upl_x'), 'the session is still there');
    assert.equal(await stored(db), 6);
    const link = { repositoryId: second.id, digest: digest('sixsix'), now, limits: limits(10) };
    await refused(db.writer.run('LinkBlob', link), 'quota');
    assert.equal((await db.blobs.find(second.id, digest('sixsix'))) ?? null, null);
    await finish(4);
    assert.equal(await stored(db), 10);
    const put = (storage: number) =>
      db.writer.run('PutManifest', manifest(second.id, 'm', { limits: limits(storage) }));
    await refused(put(9), 'quota');
    await put(10);
  });
}
