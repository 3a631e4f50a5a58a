import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PurgePlace } from '../../../src/ports/commands-repositories.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { addBlob, digest, manifest, now, path, populate, refused, unlimited } from './fixture.ts';

const deletion = (repositoryId: string) => ({ repositoryId, actor: 'ci', now: now + 1 });
/** With their history, more rows than go at once. */
const manyTags = 520;
const textOf = (at: number) => `image ${at}`;
const tagOf = (at: number) => `t${String(at).padStart(4, '0')}`;

/** Tags of the first of some images, their history, what they name, links, and one deleted image. */
async function fill(
  db: Metadata,
  repositoryId: string,
  { tags: most, images }: { tags: number; images: number },
): Promise<void> {
  const run = db.writer.run.bind(db.writer);
  const { digest: layer } = await addBlob(db, repositoryId, 'layer');
  const tags = Array.from({ length: most }, (_, at) => tagOf(at));
  await run('PutManifest', manifest(repositoryId, textOf(0), { blobs: [layer], tags }));
  await Promise.all(
    Array.from({ length: images - 1 }, async (_, at) => {
      const { digest: own } = await addBlob(db, repositoryId, `layer ${at + 1}`);
      const blobs = [layer, own];
      await run('PutManifest', manifest(repositoryId, textOf(at + 1), { blobs, tags: ['last'] }));
    }),
  );
  await run('PutManifest', manifest(repositoryId, 'undone', { blobs: [layer] }));
  await run('DeleteManifest', {
    ...{ repositoryId, digest: digest('undone'), actor: 'ci', now },
    restorableUntil: now + 1e6,
  });
}

/** Takes all steps there are; what each began at. */
async function purge(db: Metadata, limit = 100): Promise<(PurgePlace | undefined)[]> {
  const places: (PurgePlace | undefined)[] = [];
  for (let place: PurgePlace | undefined; ; ) {
    places.push(place);
    const { next, left } = await db.writer.run('PurgeRepository', { place, limit });
    if (!left) return places;
    place = next;
  }
}

/** Rows that a repository still has, by what its stores tell. */
async function rowsOf(db: Metadata, id: string) {
  const links = await db.collection.links(undefined, now, 10_000);
  return {
    tags: (await db.tags.list(id, undefined, 10_000)).length,
    changes: (await db.tags.history(id, tagOf(manyTags - 1), undefined, 9)).length,
    manifests: (await db.manifests.newest(id, undefined, 10_000)).length,
    deleted: (await db.trash.page(id, now, undefined, 10)).length,
    links: links.filter(({ repositoryId }) => repositoryId === id).length,
  };
}
const nothing = { tags: 0, changes: 0, manifests: 0, deleted: 0, links: 0 };

/** Repositories whose rows are too many to go in the transaction of their deletion. */
export function deletionsContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
  reopen: (db: Metadata) => Promise<Metadata>,
): void {
  test('a large repository is out of sight at once, and its rows go step by step', async (t) => {
    let db = await open(t);
    const images = 40;
    const { teamId, projectId, repository } = await populate(db);
    await fill(db, repository.id, { tags: manyTags, images });
    await db.writer.run('StartUpload', {
      ...{ id: 'upl_open', repositoryId: repository.id, subject: 'tok_1' },
      ...{ algorithm: 'sha256', now, expiresAt: now + 1000 },
    });
    const result = await db.writer.run('DeleteRepository', deletion(repository.id));
    assert.deepEqual(result, { discarded: 1, left: true });

    assert.equal(await db.repositories.find(path), undefined);
    assert.equal(await db.repositories.details(repository.id), undefined);
    assert.equal(await db.manifests.resolve(path, 'last'), undefined);
    assert.equal(await db.blobs.resolve(path, digest('layer')), undefined);
    assert.equal(await db.uploads.find('upl_open'), undefined);
    assert.equal(await db.repositories.count(projectId), 0);
    assert.deepEqual(await db.repositories.listNames({ teamId }, undefined, 10), []);
    const all = { sort: 'pushed', order: 'asc', limit: 10 } as const;
    assert.deepEqual(await db.repositories.list(projectId, all), []);
    const counts = await db.usage.counts({ teamId }, '2026-11');
    const { repositories, images: held, tags, storedBytes } = counts;
    assert.deepEqual([repositories, held, tags, storedBytes], [0, 0, 0, 0]);
    assert.deepEqual(await db.collectionPlan.repositories(undefined, 10), []);
    assert.equal(await db.collectionPlan.repository(repository.id), undefined);
    const [mine] = await db.teams.list();
    assert.deepEqual([(await db.teams.list()).length, mine?.id], [1, teamId]);
    assert.equal((await db.teams.page(undefined, undefined, 10)).length, 1);
    assert.equal(await db.teams.findBySlug('~removed'), undefined);
    assert.equal(await db.teams.findById('team_removed'), undefined);
    // Nobody pays for it.
    assert.deepEqual(await db.functionRecords.storedByProject(), []);
    await refused(db.writer.run('DeleteRepository', deletion(repository.id)), 'name-unknown');

    // The name is another repository's now, and it may hold the same images.
    const again = await db.writer.run('EnsureRepository', {
      ...{ id: 'repo_again', projectId, name: 'web', visibility: 'private' },
      ...{ actor: 'ci', limits: unlimited, now },
    });
    assert.equal(again.id, 'repo_again');
    const { digest: layer } = await addBlob(db, again.id, 'layer', 'upl_again');
    const same = manifest(again.id, textOf(0), { blobs: [layer], tags: [tagOf(5)] });
    await db.writer.run('PutManifest', same);

    const before = await rowsOf(db, repository.id);
    assert.ok(before.manifests > 0 && before.links > 0, JSON.stringify(before));
    const limit = 100;
    let place: PurgePlace | undefined;
    for (let step = 0, left = true, last = before; left; step++) {
      ({ next: place, left } = await db.writer.run('PurgeRepository', { place, limit }));
      const rows = await rowsOf(db, repository.id);
      const gone = last.tags - rows.tags + last.manifests - rows.manifests;
      assert.ok(gone + last.links - rows.links <= limit, `${gone} rows in one step`);
      last = rows;
      // What a process held of the place is lost with it: another begins anew.
      if (step === 3) [db, place] = [await reopen(db), undefined];
      assert.ok(step < 100, 'no step takes anything away');
    }
    assert.deepEqual(await rowsOf(db, repository.id), nothing);
    assert.deepEqual(await purge(db), [undefined], 'nothing is left to remove');

    assert.equal((await db.manifests.content(digest(textOf(0))))?.toString(), textOf(0));
    assert.equal(await db.manifests.content(digest(textOf(1))), undefined);
    assert.equal((await db.tags.find(again.id, tagOf(5)))?.digest, digest(textOf(0)));
    assert.ok(await db.blobs.find(again.id, digest('layer')));
    // Stored bytes wait for collection, but for what nothing links.
    assert.ok((await db.blobs.discardedKeys(10)).some(({ key }) => key === 'upl_open'));
    assert.equal((await db.collection.unreferenced()).blobs, images - 1);
    const events = await db.outbox.listByRepository(repository.id, 0, 10_000);
    const { type, data } = events.at(-1)!;
    assert.deepEqual([type, data.name], ['repository.deleted', 'web']);
  });

  test('what began before the deletion writes nothing to what is left', async (t) => {
    const db = await open(t);
    const { projectId, repository } = await populate(db);
    const { id } = repository;
    const images = 5;
    await fill(db, id, { tags: manyTags, images });
    const upload = { repositoryId: id, subject: 'tok_1', algorithm: 'sha256' as const, now };
    await db.writer.run('StartUpload', { ...upload, id: 'upl_1', expiresAt: now + 1 });
    await db.writer.run('DeleteRepository', deletion(id));
    const rows = await rowsOf(db, id);
    const { run } = { run: db.writer.run.bind(db.writer) };
    const common = { repositoryId: id, actor: 'ci', now };
    const layer = digest('layer');
    const late: [string, Promise<unknown>][] = [
      ['name-unknown', run('StartUpload', { ...upload, id: 'upl_2', expiresAt: now + 1 })],
      [
        'upload-conflict',
        run('FinishUpload', { id: 'upl_1', repositoryId: id, digest: layer, size: 5, now }),
      ],
      ['name-unknown', run('LinkBlob', { repositoryId: id, digest: layer, now })],
      ['name-unknown', run('PutManifest', manifest(id, 'new', { tags: ['new'] }))],
      ['name-unknown', run('PutManifest', manifest(id, 'named', { blobs: [layer] }))],
      [
        'name-unknown',
        run('PutTag', {
          ...{ ...common, tag: 'new', digest: digest(textOf(images - 1)) },
          ...{ overwrite: true, limits: unlimited },
        }),
      ],
      ['name-unknown', run('DeleteTag', { ...common, tag: tagOf(manyTags - 1) })],
      ['name-unknown', run('DeleteManifest', { ...common, digest: digest(textOf(0)) })],
      [
        'name-unknown',
        run('RestoreManifest', { ...common, digest: digest('undone'), limits: unlimited }),
      ],
      ['name-unknown', run('SetVisibility', { repositoryId: id, visibility: 'public' })],
      ['name-unknown', run('SetRepositoryRules', { repositoryId: id, rules: {} })],
    ];
    for (const [kind, work] of late) await refused(work, kind as 'name-unknown');
    assert.deepEqual(await rowsOf(db, id), rows);
    assert.equal(await db.manifests.content(digest('new')), undefined);
    // What is damaged is told to those who still have it: nobody.
    const found = await db.blobs.find(id, layer);
    const told = await run('QuarantineBlob', {
      ...{ digest: layer, key: found!.key, size: 5, now, runId: undefined },
      damage: 'digest',
    });
    assert.deepEqual(told, { state: 'new', repositories: 0 });
    const last = (await db.outbox.listByRepository(id, 0, 10_000)).at(-1);
    assert.equal(last?.type, 'repository.deleted');
    // A collection meanwhile counts nothing of it.
    const links = (await db.collection.links(undefined, now + 1e9, 10_000)).slice(0, 5);
    await run('CollectLinks', { links, now: now + 1e9 });
    // A project is empty once its repositories are deleted.
    await run('DeleteProject', { projectId });
    await purge(db);
    assert.deepEqual(await rowsOf(db, id), nothing);
  });

  test('deleted repositories are purged one after another, by whoever asks', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await db.writer.run('EnsureRepository', {
      ...{ id: 'repo_other', projectId: 'prj_1', name: 'other', visibility: 'public' },
      ...{ actor: 'ci', limits: unlimited, now },
    });
    for (const { id } of [repository, other]) {
      await fill(db, id, { tags: manyTags / 2 + 1, images: 5 });
      await db.writer.run('DeleteRepository', deletion(id));
    }
    const gone = { repositoryId: 'repo_gone', part: 2, after: 'x' };
    const { next, left } = await db.writer.run('PurgeRepository', { place: gone, limit: 10 });
    assert.deepEqual([next?.repositoryId, next?.part, left], ['repo_other', 1, true]);
    const places = await purge(db, 5);
    const seen = places.flatMap((place) => place?.repositoryId ?? []);
    assert.deepEqual([...new Set(seen)], ['repo_other', 'repo_web']);
    for (const { id } of [repository, other]) assert.deepEqual(await rowsOf(db, id), nothing);
    assert.equal(await db.manifests.content(digest(textOf(3))), undefined);
  });
}
