import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import {
  addBlob,
  digest,
  ensure,
  events,
  manifest,
  now,
  path,
  populate,
  refused,
  unlimited,
} from './fixture.ts';

const names = (rows: readonly { name: string }[]) => rows.map((row) => row.name);
const deletion = (repositoryId: string) => ({ repositoryId, actor: 'ci', now: now + 1 });

/** Repositories and tags as they are managed. */
export function repositoriesContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
) {
  test('a repository is made once by name, and counted', async (t) => {
    const db = await open(t);
    const { projectId } = await populate(db);
    const args = {
      ...{ id: 'repo_new', projectId, name: 'new', visibility: 'public' as const },
      ...{ actor: 'ci', limits: unlimited, now },
    };
    const made = await db.writer.run('CreateRepository', args);
    assert.deepEqual(made, {
      ...{ id: 'repo_new', teamId: 'team_1', projectId, name: 'new', visibility: 'public' },
    });
    await refused(db.writer.run('CreateRepository', args), 'conflict');
    assert.equal(await db.repositories.count(projectId), 2);
    assert.deepEqual(await events(db, 'repo_new'), ['repository.created']);
  });

  test('repositories come by name and by last push, both ways, from any place on', async (t) => {
    const db = await open(t);
    const { projectId, repository } = await populate(db);
    for (const name of ['a', 'b_c', 'bxc']) await ensure(db, name);
    const push = async (id: string, at: number) =>
      db.writer.run('PutManifest', manifest(id, `of ${id}`, { now: at }));
    await push('repo_bxc', now + 5);
    await push(repository.id, now + 9);
    const orders = [
      ['name', ['a', 'b_c', 'bxc', 'web']],
      ['pushed', ['a', 'b_c', 'bxc', 'web']],
    ] as const;
    for (const [sort, ascending] of orders) {
      for (const order of ['asc', 'desc'] as const) {
        const expected = order === 'asc' ? ascending : ascending.toReversed();
        const all = await db.repositories.list(projectId, { sort, order, limit: 10 });
        assert.deepEqual(names(all), expected);
        for (const [at, row] of all.entries()) {
          const after = { name: row.name, pushedAt: row.pushedAt ?? 0 };
          const rest = await db.repositories.list(projectId, { sort, order, after, limit: 2 });
          assert.deepEqual(names(rest), expected.slice(at + 1, at + 3));
        }
      }
    }
    const byName = { sort: 'name', order: 'asc', limit: 10 } as const;
    const part = await db.repositories.list(projectId, { ...byName, namePart: 'b_' });
    assert.deepEqual(names(part), ['b_c'], '_ is no wildcard');
    assert.equal(await db.repositories.hasPublic(projectId), false);
    await db.writer.run('SetVisibility', { repositoryId: 'repo_a', visibility: 'public' });
    assert.equal(await db.repositories.hasPublic(projectId), true);
    const open_ = await db.repositories.list(projectId, { ...byName, visibility: 'public' });
    assert.deepEqual(names(open_), ['a']);
    assert.deepEqual(await db.repositories.list('prj_none', byName), []);
  });

  test('the last push and the last pull are remembered, the latest of several', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const { id } = repository;
    assert.equal((await db.repositories.details(id))?.pushedAt, undefined);
    await addBlob(db, id, 'layer');
    await db.writer.run('PutManifest', manifest(id, 'x', { tags: ['a'], now: now + 5 }));
    const uses = (at: number) => ({
      uses: [
        { id, at },
        { id: 'repo_none', at },
      ],
    });
    await db.writer.run('TouchRepositories', uses(now + 7));
    await db.writer.run('TouchRepositories', uses(now + 6));
    assert.deepEqual(await db.repositories.details(id), {
      ...repository,
      ...{ imageCount: 1, tagCount: 1, storedBytes: 5 },
      ...{ createdAt: now, pushedAt: now + 5, pulledAt: now + 7 },
    });
    assert.equal(await db.repositories.details('repo_none'), undefined);
  });

  test('a deleted repository leaves nothing, and takes nothing that others hold', async (t) => {
    const db = await open(t);
    const { projectId, repository } = await populate(db);
    const other = await ensure(db, 'other');
    for (const { id } of [repository, other]) {
      const { digest: layer } = await addBlob(db, id, 'shared');
      await db.writer.run('PutManifest', manifest(id, 'same', { blobs: [layer], tags: ['v1'] }));
    }
    const child = manifest(repository.id, 'child');
    const index = manifest(repository.id, 'index', { manifests: [child.digest], tags: ['all'] });
    for (const put of [child, index]) await db.writer.run('PutManifest', put);
    await addBlob(db, repository.id, 'alone', 'upl_alone');
    await db.writer.run('StartUpload', {
      ...{ id: 'upl_open', repositoryId: repository.id, subject: 'tok_1' },
      ...{ algorithm: 'sha256', now, expiresAt: now + 1000 },
    });

    const result = await db.writer.run('DeleteRepository', deletion(repository.id));
    assert.deepEqual(result, { discarded: 1, left: false });

    assert.equal(await db.repositories.find(path), undefined);
    assert.equal(await db.repositories.details(repository.id), undefined);
    assert.equal(await db.repositories.count(projectId), 1);
    assert.deepEqual(await db.tags.list(repository.id, undefined, 10), []);
    const digests = [child.digest, index.digest, digest('same')];
    assert.deepEqual(await db.manifests.findMany(repository.id, digests), []);
    assert.deepEqual(await db.manifests.childImages(repository.id, digests), []);
    assert.equal(await db.manifests.content(child.digest), undefined);
    assert.equal(await db.blobs.find(repository.id, digest('alone')), undefined);
    assert.equal(await db.uploads.find('upl_open'), undefined);
    const discarded = (await db.blobs.discardedKeys(10)).map(({ key }) => key);
    assert.ok(discarded.includes('upl_open'));
    assert.ok(!discarded.includes('upl_alone'), 'stored bytes wait for collection');

    assert.equal((await db.manifests.content(digest('same')))?.toString(), 'same');
    assert.ok(await db.blobs.find(other.id, digest('shared')));
    assert.equal((await db.tags.find(other.id, 'v1'))?.digest, digest('same'));
    const rows = await db.outbox.listByRepository(repository.id, 0, 100);
    const last = rows.at(-1);
    assert.equal(last?.type, 'repository.deleted');
    assert.deepEqual(last.data, { name: 'web', visibility: 'private', actor: 'ci' });
    await events(db, repository.id);
    await refused(db.writer.run('DeleteRepository', deletion(repository.id)), 'name-unknown');
    // The name is free again, for a repository of its own.
    const again = await db.writer.run('EnsureRepository', {
      ...{ id: 'repo_again', projectId, name: 'web', visibility: 'private' },
      ...{ actor: 'ci', limits: unlimited, now },
    });
    assert.equal(again.id, 'repo_again');
    assert.deepEqual(await db.tags.list('repo_again', undefined, 10), []);
  });

  test('what a push writes to a repository that was deleted under it is refused, and leaves nothing', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const { id } = repository;
    const other = await ensure(db, 'other');
    const { digest: layer } = await addBlob(db, other.id, 'layer');
    const upload = (key: string) =>
      db.writer.run('StartUpload', {
        ...{ id: key, repositoryId: id, subject: 'tok_1' },
        ...{ algorithm: 'sha256' as const, now, expiresAt: now + 1000 },
      });
    await upload('upl_1');
    await db.writer.run('DeleteRepository', deletion(id));
    await refused(upload('upl_2'), 'name-unknown');
    await refused(
      db.writer.run('FinishUpload', {
        ...{ id: 'upl_1', repositoryId: id, digest: digest('x'), size: 1, now },
      }),
      'upload-conflict',
    );
    await refused(
      db.writer.run('LinkBlob', { repositoryId: id, digest: layer, now }),
      'name-unknown',
    );
    const put = manifest(id, 'hollow', { tags: ['v1'] });
    await refused(db.writer.run('PutManifest', put), 'name-unknown');
    assert.equal(await db.manifests.content(put.digest), undefined);
    const named = manifest(id, 'named', { blobs: [layer] });
    await refused(db.writer.run('PutManifest', named), 'manifest-blob-unknown');
    const tag = { tag: 'v1', digest: put.digest, overwrite: true, actor: 'ci' };
    await refused(
      db.writer.run('PutTag', { ...tag, repositoryId: id, limits: unlimited, now }),
      'manifest-unknown',
    );
    assert.deepEqual(await db.tags.list(id, undefined, 10), []);
    assert.equal(await db.blobs.find(id, digest('x')), undefined);
  });
}
