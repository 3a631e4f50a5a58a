import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blobLeaseMs } from '../../../src/ports/commands-collection.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { addBlob, digest, events, manifest, now, populate, refused, unlimited } from './fixture.ts';

const day = 24 * 3_600_000;
const until = now + 7 * day;

/** What was deleted and comes back. */
export function trashContract(open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>) {
  async function openShop(t: { after(fn: () => unknown): void }) {
    const db = await open(t);
    const { repository } = await populate(db);
    const repositoryId = repository.id;
    const remove = (text: string, at = now, restorableUntil: number | undefined = until) =>
      db.writer.run('DeleteManifest', {
        ...{ repositoryId, digest: digest(text), actor: 'dev', now: at, restorableUntil },
      });
    const restore = (text: string, at = now + day, limits = unlimited) =>
      db.writer.run('RestoreManifest', {
        ...{ repositoryId, digest: digest(text), actor: 'ops', now: at, limits },
      });
    const listed = async (at = now) =>
      (await db.trash.page(repositoryId, at, undefined, 100)).map((row) => row.digest);
    return { db, repositoryId, remove, restore, listed };
  }

  test('a deleted manifest comes back as it was, with its tags', async (t) => {
    const { db, repositoryId, remove, restore, listed } = await openShop(t);
    const blob = await addBlob(db, repositoryId, 'layer');
    const put = manifest(repositoryId, 'one', {
      ...{ blobs: [blob.digest], optionalBlobs: [digest('elsewhere')], imageSize: 5 },
      ...{ artifactType: 'a/b', annotations: { k: 'v' }, platform: 'linux/arm64' },
      ...{ subject: digest('subject'), tags: ['b', 'a'] },
    });
    await db.writer.run('PutManifest', put);
    const [before] = await db.manifests.details(repositoryId, [put.digest]);
    const referrer = await db.manifests.referrers(repositoryId, digest('subject'), { limit: 9 });
    await remove('one');
    assert.deepEqual(await db.trash.page(repositoryId, now, undefined, 10), [
      { ...before, tags: ['a', 'b'], deletedAt: now, deletedBy: 'dev', expiresAt: until },
    ]);
    assert.equal(await db.manifests.content(put.digest), undefined);

    assert.deepEqual(await restore('one'), {
      ...{ tags: ['a', 'b'], tagsTaken: [], manifests: [], alreadyThere: false },
    });
    assert.deepEqual(await db.manifests.details(repositoryId, [put.digest]), [
      { ...before, pushedAt: now + day, pushedBy: 'ops' },
    ]);
    assert.equal((await db.manifests.content(put.digest))?.toString(), 'one');
    const again = await db.manifests.referrers(repositoryId, digest('subject'), { limit: 9 });
    assert.deepEqual(again, referrer);
    assert.deepEqual(await db.tags.list(repositoryId, undefined, 10), ['a', 'b']);
    const { imageCount, tagCount } = (await db.repositories.details(repositoryId))!;
    assert.deepEqual([imageCount, tagCount], [1, 2]);
    assert.deepEqual(await listed(), []);
    const there = { tags: [], tagsTaken: [], manifests: [], alreadyThere: true };
    assert.deepEqual(await restore('one'), there, 'nothing to do');
    await refused(restore('none'), 'manifest-unknown');
    const types = await events(db, repositoryId);
    assert.deepEqual(types.slice(-3), ['image.pushed', 'tag.moved', 'tag.moved']);
    const [last] = await db.tags.history(repositoryId, 'a', undefined, 1);
    assert.deepEqual([last?.action, last?.actor], ['set', 'ops']);
    // It names its blobs again: none of them is collected.
    const links = [{ repositoryId, digest: blob.digest }];
    const late = until + blobLeaseMs;
    assert.equal((await db.writer.run('CollectLinks', { links, now: late })).count, 0);
  });

  test('what was pushed again is no deleted one, for lists, plans and restores', async (t) => {
    const { db, repositoryId, remove, restore, listed } = await openShop(t);
    const one = manifest(repositoryId, 'one', { tags: ['a', 'b'] });
    await db.writer.run('PutManifest', one);
    await db.writer.run('PutManifest', manifest(repositoryId, 'two'));
    await remove('one');
    await remove('two');
    const planned = async () =>
      (await db.collectionPlan.deleted(repositoryId, undefined, 10)).map((row) => row.digest);
    const both = [digest('one'), digest('two')].sort();
    assert.deepEqual([(await listed()).sort(), await planned()], [both, both]);
    await db.writer.run('PutManifest', { ...one, tags: ['a'] });
    assert.deepEqual([await listed(), await planned()], [[digest('two')], [digest('two')]]);
    const before = await events(db, repositoryId);
    assert.equal((await restore('one')).alreadyThere, true);
    assert.deepEqual(await events(db, repositoryId), before, 'nothing happened');
    assert.deepEqual(await db.tags.list(repositoryId, undefined, 10), ['a']);
    await remove('one', now + 1);
    const [last] = await db.trash.page(repositoryId, now + 1, undefined, 1);
    assert.deepEqual([last?.digest, last?.tags], [digest('one'), ['a']]);
  });

  test('its blobs stay for as long as it can come back, and no longer', async (t) => {
    const { db, repositoryId, remove, restore } = await openShop(t);
    const blob = await addBlob(db, repositoryId, 'layer');
    const put = manifest(repositoryId, 'one', { blobs: [blob.digest] });
    await db.writer.run('PutManifest', put);
    await remove('one');
    const links = [{ repositoryId, digest: blob.digest }];
    const collect = async (at: number) =>
      (await db.writer.run('CollectLinks', { links, now: at })).count;
    assert.equal(await collect(until - 1), 0);
    await refused(restore('one', until), 'manifest-unknown');
    await restore('one', until - 1);
    await remove('one', until, undefined);
    assert.equal(await collect(until + 1), 1);
  });

  test('tags that were set meanwhile stay, and limits hold', async (t) => {
    const { db, repositoryId, remove, restore } = await openShop(t);
    await db.writer.run('PutManifest', manifest(repositoryId, 'one', { tags: ['a', 'b', 'c'] }));
    await remove('one');
    await db.writer.run('PutManifest', manifest(repositoryId, 'two', { tags: ['b'] }));
    await refused(restore('one', now, { plan: 'hobby', images: 1 }), 'quota');
    await refused(restore('one', now, { plan: 'hobby', tags: 2 }), 'quota');
    const rules = { immutableTags: ['*'], tagDeletion: false };
    await db.writer.run('SetRepositoryRules', { repositoryId, rules });
    const done = await restore('one', now);
    assert.deepEqual(done, {
      ...{ tags: ['a', 'c'], tagsTaken: ['b'], manifests: [], alreadyThere: false },
    });
    assert.equal((await db.tags.find(repositoryId, 'b'))?.digest, digest('two'));
  });

  test('an index comes back with what it names; not without its blobs', async (t) => {
    const { db, repositoryId, remove, restore, listed } = await openShop(t);
    const blob = await addBlob(db, repositoryId, 'layer');
    const puts = [
      manifest(repositoryId, 'kept'),
      manifest(repositoryId, 'child', { blobs: [blob.digest], tags: ['child'] }),
      manifest(repositoryId, 'index', {
        ...{ manifests: [digest('child'), digest('kept')], tags: ['all'] },
      }),
    ];
    for (const put of puts) await db.writer.run('PutManifest', put);
    await remove('index');
    await remove('child', now + 1);
    assert.deepEqual(await listed(), [digest('child'), digest('index')]);
    const [first] = await db.trash.page(repositoryId, now, undefined, 1);
    const rest = await db.trash.page(repositoryId, now, first, 10);
    assert.deepEqual(
      rest.map((row) => row.digest),
      [digest('index')],
    );
    await db.writer.run('UnlinkBlob', { repositoryId, digest: blob.digest });
    await refused(restore('index'), 'manifest-blob-unknown');
    assert.equal((await listed()).length, 2);
    await addBlob(db, repositoryId, 'layer', 'upl_again');
    assert.deepEqual((await restore('index')).manifests, [digest('child')]);
    assert.deepEqual(await db.tags.list(repositoryId, undefined, 10), ['all', 'child']);
    await refused(remove('child'), 'manifest-in-use');
    assert.deepEqual(await listed(), [], 'what is refused is not in the trash');
  });

  test('the trash is emptied when its time is over, page by page, and with its repository', async (t) => {
    const { db, repositoryId, remove, listed } = await openShop(t);
    for (const [at, text] of ['a', 'b', 'c', 'd'].entries()) {
      await db.writer.run('PutManifest', manifest(repositoryId, text));
      await remove(text, now, until + Math.min(at, 2));
    }
    // Deleted twice: the later time counts.
    await db.writer.run('PutManifest', manifest(repositoryId, 'd'));
    await remove('d', now + 5, until + 9);
    assert.equal(await db.trash.isDue(until - 1), false);
    assert.equal(await db.trash.isDue(until), true);
    const empty = async (at: number, limit: number) =>
      (await db.writer.run('EmptyTrash', { now: at, limit })).removed;
    assert.deepEqual([await empty(until - 1, 9), await empty(until + 2, 2)], [0, 2]);
    assert.deepEqual(await listed(), [digest('d'), digest('c')]);
    assert.deepEqual([await empty(until + 2, 2), await empty(until + 2, 2)], [1, 0]);
    const whole = { repositoryId, actor: 'dev', now };
    await db.writer.run('DeleteRepository', whole);
    assert.equal(await db.trash.isDue(until + 99), false);
  });
}
