import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blobLeaseMs } from '../../../src/ports/commands-collection.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { addBlob, digest, ensure, manifest, now, path, populate, refused } from './fixture.ts';

const later = now + blobLeaseMs + 1;

/** Leases, and what is taken away where nothing names it. */
export function collectionContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
) {
  const collectable = async (db: Metadata, at: number) =>
    (await db.collection.links(undefined, at, 100)).filter((row) => row.collectable);

  test('a link is kept for its lease, and by the manifest that names it', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const named = await addBlob(db, repository.id, 'named');
    const loose = await addBlob(db, repository.id, 'loose');
    await db.writer.run('PutManifest', manifest(repository.id, 'm', { blobs: [named.digest] }));
    assert.deepEqual(await collectable(db, now + blobLeaseMs), []);
    assert.deepEqual(
      (await collectable(db, later)).map((row) => row.digest),
      [loose.digest],
    );
    const links = [named, loose].map((one) => ({
      repositoryId: repository.id,
      digest: one.digest,
    }));
    const early = await db.writer.run('CollectLinks', { links, now });
    assert.deepEqual(early, { count: 0, bytes: 0 });
    const done = await db.writer.run('CollectLinks', { links, now: later });
    assert.deepEqual(done, { count: 1, bytes: 5 });
    assert.equal(await db.blobs.find(repository.id, loose.digest), undefined);
    assert.ok(await db.blobs.find(repository.id, named.digest));
    assert.equal((await db.repositories.details(repository.id))?.storedBytes, 5);
  });

  test('a lease is as long as whoever gives it says', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await ensure(db, 'other');
    const blob = await addBlob(db, repository.id, 'blob');
    const link = { repositoryId: other.id, digest: blob.digest, now };
    await db.writer.run('LinkBlob', { ...link, leaseMs: 1_000 });
    const of = async (at: number) => (await collectable(db, at)).map((row) => row.repositoryId);
    assert.deepEqual(await of(now + 1_000), []);
    assert.deepEqual(await of(now + 1_001), [other.id]);
    const { renewed } = await db.writer.run('RenewLease', { ...link, leaseMs: 2_000 });
    assert.equal(renewed, true);
    assert.deepEqual(await of(now + 2_000), []);
    assert.deepEqual(await of(now + 2_001), [other.id]);
  });

  test('whatever claims a link between the look and the taking keeps it', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const claims: Record<
      string,
      (wanted: { repositoryId: string; digest: never }) => Promise<unknown>
    > = {
      head: (link) => db.writer.run('RenewLease', { ...link, now: later }),
      mount: (link) => db.writer.run('LinkBlob', { ...link, now: later }),
      manifest: ({ digest: blob }) =>
        db.writer.run('PutManifest', manifest(repository.id, 'claims', { blobs: [blob] })),
    };
    for (const [name, claim] of Object.entries(claims)) {
      const { digest: blob } = await addBlob(db, repository.id, name);
      const links = await collectable(db, later);
      assert.ok(links.some((row) => row.digest === blob));
      await claim({ repositoryId: repository.id, digest: blob as never });
      const keys = links.map(({ repositoryId, digest }) => ({ repositoryId, digest }));
      await db.writer.run('CollectLinks', { links: keys, now: later });
      assert.ok(await db.blobs.find(repository.id, blob), name);
    }
    const { digest: again } = await addBlob(db, repository.id, 'again');
    const [link] = await collectable(db, later);
    await db.writer.run('FinishUpload', {
      ...{ id: await begun(db, repository.id), repositoryId: repository.id, digest: again },
      ...{ size: 5, now: later },
    });
    const key = { repositoryId: link!.repositoryId, digest: link!.digest };
    await db.writer.run('CollectLinks', { links: [key], now: later });
    assert.ok(await db.blobs.find(repository.id, again), 'pushed again');
  });

  test('a link that went before it was claimed is told to be gone', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const { digest: blob } = await addBlob(db, repository.id, 'gone');
    const link = { repositoryId: repository.id, digest: blob };
    await db.writer.run('CollectLinks', { links: [link], now: later });
    assert.deepEqual(await db.writer.run('RenewLease', { ...link, now: later }), {
      renewed: false,
    });
    await refused(
      db.writer.run('PutManifest', manifest(repository.id, 'm', { blobs: [blob] })),
      'manifest-blob-unknown',
    );
  });

  test('a blob goes when no repository links it; its bytes go after the delay, under their own key', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await ensure(db, 'other');
    const first = await addBlob(db, repository.id, 'shared', 'upl_first');
    await db.writer.run('LinkBlob', { repositoryId: other.id, digest: first.digest, now });
    const digests = [first.digest];
    const collect = () => db.writer.run('CollectBlobs', { digests, now: later, delayMs: 1000 });
    assert.deepEqual(await collect(), { count: 0, bytes: 0 });
    for (const { id } of [repository, other]) {
      const links = [{ repositoryId: id, digest: first.digest }];
      await db.writer.run('CollectLinks', { links, now: later });
    }
    assert.deepEqual(await db.collection.unreferenced(), {
      blobs: 1,
      bytes: 6,
      keys: 0,
      seen: 1,
    });
    assert.deepEqual(await collect(), { count: 1, bytes: 6 });
    assert.deepEqual(await db.collection.unreferenced(), {
      blobs: 0,
      bytes: 0,
      keys: 1,
      seen: 0,
    });
    const second = await addBlob(db, repository.id, 'shared', 'upl_second');
    assert.equal(second.kept, true);
    const due = async (at: number) => (await db.blobs.discardedKeys(10, at)).map(({ key }) => key);
    assert.deepEqual(await due(later + 999), []);
    assert.deepEqual(await due(later + 1000), ['upl_first']);
    assert.equal((await db.blobs.resolve(path, digest('shared')))?.blob?.key, 'upl_second');
  });

  test('while a backup holds them, the bytes of blobs stay, and those of ended uploads go', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const blob = await addBlob(db, repository.id, 'blob', 'upl_blob');
    await db.writer.run('CollectLinks', {
      links: [{ repositoryId: repository.id, digest: blob.digest }],
      now: later,
    });
    const digests = [blob.digest];
    await db.writer.run('CollectBlobs', { digests, now: later, delayMs: 0 });
    await begun(db, repository.id);
    await db.writer.run('CancelUpload', { id: 'upl_again', storeState: 'half' });
    const due = async () => (await db.blobs.discardedKeys(10, later)).map(({ key }) => key).sort();
    const hold = (ttlMs: number) =>
      db.writer.run('AcquireLease', { name: 'backup:1', holder: '1', ttlMs });
    assert.deepEqual(await due(), ['upl_again', 'upl_blob']);
    await hold(60_000);
    assert.deepEqual(await due(), ['upl_again']);
    await db.writer.run('ReleaseLease', { name: 'backup:1', holder: '1' });
    assert.deepEqual(await due(), ['upl_again', 'upl_blob']);
    await hold(60_000);
    // One that was killed holds nothing for ever.
    await hold(-1);
    assert.deepEqual(await due(), ['upl_again', 'upl_blob']);
    await db.writer.run('AcquireLease', { name: 'maintenance', holder: '1', ttlMs: 60_000 });
    assert.deepEqual(await due(), ['upl_again', 'upl_blob']);
  });

  test('a plan reads deleted images, loose blobs, and who keeps what', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await ensure(db, 'other');
    const [own, both, named, loose] = [
      await addBlob(db, repository.id, 'own'),
      await addBlob(db, repository.id, 'both'),
      await addBlob(db, repository.id, 'named'),
      await addBlob(db, repository.id, 'loose'),
    ];
    await db.writer.run('LinkBlob', { repositoryId: other.id, digest: both.digest, now });
    const blobs = [own.digest, both.digest, named.digest];
    const gone = manifest(repository.id, 'gone', { blobs, tags: ['v1'], platform: 'linux/amd64' });
    await db.writer.run('PutManifest', gone);
    const stays = manifest(repository.id, 'stays', { blobs: [named.digest] });
    await db.writer.run('PutManifest', stays);
    const until = later + blobLeaseMs;
    await db.writer.run('DeleteManifest', {
      ...{ repositoryId: repository.id, digest: gone.digest, actor: 'ada', now },
      restorableUntil: until,
    });
    const { collectionPlan: plan } = db;
    const name = 'acme/shop/web';
    const listed = await plan.repositories(undefined, 10);
    assert.deepEqual(listed.map((one) => one.name).sort(), ['acme/shop/other', name]);
    assert.deepEqual(await plan.repositories(listed[1]!.id, 10), []);
    assert.deepEqual(await plan.repository(repository.id), { id: repository.id, name });
    const [part] = await plan.deleted(repository.id, undefined, 10);
    assert.deepEqual(part, {
      ...{ digest: gone.digest, mediaType: gone.mediaType, size: 4, platform: 'linux/amd64' },
      ...{ artifactType: undefined, subject: undefined, manifests: [], tags: ['v1'] },
      ...{ blobs: [...blobs].sort(), expiresAt: until },
    });
    assert.deepEqual(await plan.deleted(repository.id, gone.digest, 10), []);
    const found = await plan.loose(repository.id, undefined, later, 10);
    assert.deepEqual(found, { last: undefined, digests: [loose.digest] });
    const full = await plan.loose(repository.id, undefined, now, 2);
    assert.deepEqual(full.digests, []);
    assert.ok(full.last);
    const kept = new Map(
      (await plan.keepers(repository.id, [...blobs, loose.digest])).map((one) => [
        one.digest,
        one.kept,
      ]),
    );
    assert.deepEqual(
      [own, both, named, loose].map((one) => kept.get(one.digest)),
      [false, true, true, false],
    );
    const run = { startedAt: now, endedAt: later, links: 2, blobs: 1, bytes: 5 };
    for (let n = 100; n < 205; n += 1)
      await db.writer.run('RecordCollection', { id: `col_${n}`, ...run });
    const runs = await plan.runs(1_000);
    assert.equal(runs.length, 100);
    assert.deepEqual(runs[0], { id: 'col_204', ...run });
  });

  test('whole tables are read page by page', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await ensure(db, 'other');
    for (const name of ['a', 'b', 'c']) {
      await addBlob(db, repository.id, name);
      await addBlob(db, other.id, name);
    }
    const seen: string[] = [];
    for (let after: Parameters<typeof db.collection.links>[0]; ; ) {
      const [row] = await db.collection.links(after, later, 1);
      if (!row) break;
      seen.push(`${row.repositoryId} ${row.digest}`);
      after = row;
    }
    assert.equal(seen.length, 6);
    assert.deepEqual(seen, [...seen].sort());
    const blobs = await db.collection.blobs(undefined, 2, 9);
    const rest = await db.collection.blobs(blobs[1]!.digest, 2, 9);
    assert.deepEqual(
      [...blobs, ...rest].map(({ links }) => links),
      [2, 2, 2],
    );
  });
}

async function begun(db: Metadata, repositoryId: string): Promise<string> {
  const id = 'upl_again';
  const times = { now, expiresAt: later };
  await db.writer.run('StartUpload', {
    ...{ id, repositoryId, subject: 'tok_1', algorithm: 'sha256', ...times },
  });
  return id;
}
