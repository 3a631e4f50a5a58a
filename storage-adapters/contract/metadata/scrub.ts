import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { replacedBytesKeptMs } from '../../../src/ports/scrub.ts';
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
} from './fixture.ts';

const later = now + 60_000;
const runId = undefined;

/** When blobs were read, what was found wrong with them, and what that changes. */
export function scrubContract(open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>) {
  const quarantine = (db: Metadata, blob: { digest: never; key: string }, more: object = {}) =>
    db.writer.run('QuarantineBlob', {
      ...{ digest: blob.digest, key: blob.key, damage: 'digest', size: 3, now: later, runId },
      ...more,
    });
  const due = async (db: Metadata, before: number) =>
    (await db.scrub.due(before, before, 10)).map((one) => one.digest);

  test('blobs are due by when they were verified last, the oldest first; a push verifies', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const [a, b] = [await addBlob(db, repository.id, 'a'), await addBlob(db, repository.id, 'b')];
    assert.deepEqual(await due(db, now), []);
    assert.deepEqual((await due(db, now + 1)).sort(), [a.digest, b.digest].sort());
    const whole = { ...a, size: 1, faulty: false };
    await db.writer.run('RecordVerified', { blobs: [whole], now: later, runId });
    assert.deepEqual(await due(db, later + 1), [b.digest, a.digest]);
    const [first] = await db.scrub.due(later + 1, later, 1);
    assert.deepEqual(first, {
      ...{ digest: b.digest, key: b.key, size: 1, quarantined: false, unreadable: false },
    });
    // Of a key that is another's by now nothing is written down.
    const stale = { ...b, key: 'upl_old', size: 1, faulty: false };
    await db.writer.run('RecordVerified', { blobs: [stale], now: later, runId });
    assert.deepEqual(await due(db, later), [b.digest]);
    const other = await ensure(db, 'other');
    assert.deepEqual(await db.scrub.dueIn(other.id, undefined, later, later, 10), []);
    const [own] = await db.scrub.dueIn(repository.id, undefined, later, later, 10);
    assert.equal(own?.digest, b.digest);
    assert.deepEqual(await db.scrub.dueIn(repository.id, b.digest, later, later, 10), []);
    assert.deepEqual(await db.scrub.coverage(later), {
      ...{ blobs: 2, bytes: 2, dueBlobs: 1, dueBytes: 1, oldest: now },
    });
  });

  test('a quarantined blob is found by nobody, and keeps its links and its bytes on the books', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await ensure(db, 'other');
    const blob = await addBlob(db, repository.id, 'bad');
    await db.writer.run('PutManifest', manifest(repository.id, 'm', { blobs: [blob.digest] }));
    assert.deepEqual(await quarantine(db, blob as never), { state: 'new', repositories: 1 });
    assert.deepEqual(await quarantine(db, blob as never), { state: 'known', repositories: 0 });
    const resolved = await db.blobs.resolve(path, blob.digest);
    assert.equal(resolved?.blob, undefined);
    assert.equal(resolved?.quarantinedAt, later);
    assert.equal(await db.blobs.find(repository.id, blob.digest), undefined);
    const scope = { teamId: 'team_1' };
    assert.equal(await db.blobs.findReadable(blob.digest, scope), undefined);
    const link = { repositoryId: other.id, digest: blob.digest, now };
    assert.equal(await db.writer.run('LinkBlob', link), undefined);
    const put = manifest(repository.id, 'n', { blobs: [blob.digest] });
    await refused(db.writer.run('PutManifest', put), 'manifest-blob-unknown');
    // What was pushed before is there as it was.
    await db.writer.run('PutManifest', manifest(repository.id, 'm', { optionalBlobs: [] }));
    assert.equal((await db.repositories.details(repository.id))?.storedBytes, 3);
    assert.deepEqual(await db.scrub.faults(undefined, 10), [
      {
        ...{ digest: blob.digest, kind: 'quarantined', reason: 'digest', size: 3, key: blob.key },
        ...{ foundAt: later, seenAt: later, repositories: ['acme/shop/web'] },
      },
    ]);
    assert.deepEqual(await db.scrub.counts(), { quarantined: 1, unreadable: 0, manifests: 0 });
    assert.ok((await events(db, repository.id)).includes('blob.quarantined'));
  });

  test('pushing a quarantined blob again repairs it in all repositories; its old bytes go later', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await ensure(db, 'other');
    const blob = await addBlob(db, repository.id, 'bad');
    await db.writer.run('LinkBlob', { repositoryId: other.id, digest: blob.digest, now });
    assert.deepEqual(await quarantine(db, blob as never), { state: 'new', repositories: 2 });
    const again = await addBlob(db, other.id, 'bad', 'upl_again');
    assert.equal(again.kept, true);
    for (const { id } of [repository, other]) {
      assert.equal((await db.blobs.find(id, blob.digest))?.key, 'upl_again');
    }
    assert.deepEqual(await db.scrub.faults(undefined, 10), []);
    const aside = async (at: number) =>
      (await db.blobs.discardedKeys(10, at)).map(({ key }) => key);
    assert.deepEqual(await aside(now + replacedBytesKeptMs - 1), []);
    assert.deepEqual(await aside(now + replacedBytesKeptMs), [blob.key]);
    // A third upload is one too many, as ever.
    assert.equal((await addBlob(db, repository.id, 'bad', 'upl_third')).kept, false);
    const late = await quarantine(db, blob as never);
    assert.deepEqual(late, { state: 'gone', repositories: 0 }, 'what was read was the old key');
    assert.ok(await db.blobs.find(repository.id, blob.digest));
  });

  test('a blob that was collected meanwhile is not marked, and takes its mark with it', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const [gone, bad] = [
      await addBlob(db, repository.id, 'gone'),
      await addBlob(db, repository.id, 'bad'),
    ];
    await quarantine(db, bad as never);
    const at = now + 2 * 86_400_000;
    const links = [gone, bad].map((one) => ({ repositoryId: repository.id, digest: one.digest }));
    await db.writer.run('CollectLinks', { links, now: at });
    const digests = links.map((one) => one.digest);
    const done = await db.writer.run('CollectBlobs', { digests, now: at, delayMs: 0 });
    assert.equal(done.count, 2);
    assert.deepEqual(await quarantine(db, gone as never), { state: 'gone', repositories: 0 });
    assert.deepEqual(await db.scrub.faults(undefined, 10), []);
    assert.equal((await db.repositories.details(repository.id))?.storedBytes, 0);
  });

  test('bytes that are whole again end a quarantine', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const blob = await addBlob(db, repository.id, 'bad');
    await quarantine(db, blob as never, { damage: 'missing' });
    const whole = { ...blob, size: 3, faulty: true };
    assert.deepEqual(await db.writer.run('RecordVerified', { blobs: [whole], now: later, runId }), {
      repaired: 1,
    });
    assert.ok(await db.blobs.find(repository.id, blob.digest));
    assert.deepEqual(await db.scrub.counts(), { quarantined: 0, unreadable: 0, manifests: 0 });
  });

  test('a blob that could not be read is pulled as before, and tried again later', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const blob = await addBlob(db, repository.id, 'x');
    const failure = { ...blob, reason: 'EIO', size: 1, now: later, runId };
    await db.writer.run('RecordUnreadable', failure);
    assert.ok(await db.blobs.find(repository.id, blob.digest));
    const before = later + 1;
    assert.deepEqual(await db.scrub.due(before, later, 10), []);
    assert.equal((await db.scrub.due(before, later + 1, 10))[0]?.unreadable, true);
    assert.deepEqual(await db.scrub.counts(), { quarantined: 0, unreadable: 1, manifests: 0 });
    const whole = { ...blob, size: 1, faulty: true };
    await db.writer.run('RecordVerified', { blobs: [whole], now: later, runId });
    assert.deepEqual(await db.scrub.faults(undefined, 10), []);
    // What is quarantined stays so where it cannot be read.
    await quarantine(db, blob as never);
    await db.writer.run('RecordUnreadable', failure);
    assert.equal((await db.scrub.faults(undefined, 10))[0]?.kind, 'quarantined');
  });

  test('a damaged manifest is put aside, and pushing it again brings it back', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    await db.writer.run('PutManifest', manifest(repository.id, 'm', { tags: ['v1'] }));
    const page = await db.scrub.manifests(undefined, 10);
    assert.deepEqual(page, [{ digest: digest('m'), bytes: Buffer.from('m') }]);
    assert.deepEqual(await db.scrub.manifests(undefined, 10, repository.id), page);
    assert.deepEqual(await db.scrub.manifests(digest('m'), 10), []);
    const args = { digest: digest('m'), now: later };
    const other = await db.writer.run('QuarantineManifest', { ...args, bytes: Buffer.from('n') });
    assert.deepEqual(other, { quarantined: false, repositories: 0 }, 'those were other bytes');
    const done = await db.writer.run('QuarantineManifest', { ...args, bytes: Buffer.from('m') });
    assert.deepEqual(done, { quarantined: true, repositories: 1 });
    assert.equal(await db.manifests.content(digest('m')), undefined);
    assert.deepEqual(await db.scrub.damagedManifests(10), [
      { digest: digest('m'), foundAt: later, repositories: ['acme/shop/web'] },
    ]);
    await db.writer.run('PutManifest', manifest(repository.id, 'm'));
    assert.deepEqual(await db.manifests.content(digest('m')), Buffer.from('m'));
    assert.deepEqual(await db.scrub.damagedManifests(10), []);
    assert.ok((await events(db, repository.id)).includes('manifest.quarantined'));
  });

  test('one run at a time, which counts what it read; the last ones are kept', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const blob = await addBlob(db, repository.id, 'abc');
    const start = (id: string, at: number, of?: string) =>
      db.writer.run('StartScrub', {
        ...{ id, repositoryId: of, repository: of && 'acme/shop/web', actor: 'ada', now: at },
      });
    const run = await start('scr_1', later, repository.id);
    assert.deepEqual(run, {
      ...{ id: 'scr_1', repositoryId: repository.id, repository: 'acme/shop/web', actor: 'ada' },
      ...{ state: 'running', startedAt: later, endedAt: undefined, total: { blobs: 1, bytes: 3 } },
      ...{ blobs: 0, bytes: 0, quarantined: 0, repaired: 0, unreadable: 0, manifests: 0 },
    });
    assert.deepEqual(await db.scrub.running(), run);
    await refused(start('scr_2', later), 'conflict');
    const counted = { now: later, runId: 'scr_1' };
    const whole = { ...blob, size: 3, faulty: false };
    await db.writer.run('RecordVerified', { blobs: [whole], ...counted });
    await quarantine(db, blob as never, counted);
    await db.writer.run('RecordUnreadable', { ...blob, reason: 'EIO', size: 3, ...counted });
    const notes = [{ name: 'manifests-after', value: 'x' }] as const;
    await db.writer.run('NoteScrub', { notes, manifests: 2, runId: 'scr_1' });
    assert.equal(await db.scrub.note('manifests-after'), 'x');
    const end = { id: 'scr_1', state: 'done', now: later + 5 } as const;
    assert.deepEqual(await db.writer.run('EndScrub', end), { ended: true });
    assert.deepEqual(await db.writer.run('EndScrub', end), { ended: false });
    assert.equal(await db.scrub.running(), undefined);
    assert.deepEqual(await db.scrub.run('scr_1'), {
      ...run,
      ...{ state: 'done', endedAt: later + 5 },
      ...{ blobs: 2, bytes: 6, quarantined: 1, repaired: 0, unreadable: 1, manifests: 2 },
    });
    for (let n = 2; n < 60; n += 1) {
      await start(`scr_${n}`, later + n);
      await db.writer.run('EndScrub', { ...end, id: `scr_${n}`, state: 'cancelled' });
    }
    const runs = await db.scrub.runs(100);
    assert.ok(runs.length <= 51 && runs.length >= 50, String(runs.length));
    assert.equal(runs[0]?.id, 'scr_59');
    const forget = [{ name: 'manifests-after', value: undefined }] as const;
    await db.writer.run('NoteScrub', { notes: forget });
    assert.equal(await db.scrub.note('manifests-after'), undefined);
  });
}
