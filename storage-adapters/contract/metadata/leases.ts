import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { digest, now, populate, refused } from './fixture.ts';

const ttlMs = 60_000;
const name = 'maintenance';

/** Leases: one holder at a time, by the database's clock, and writes that a former holder cannot make. */
export function leasesContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
): void {
  test('one of many gets a lease; it keeps its epoch when it renews', async (t) => {
    const db = await open(t);
    assert.equal(await db.leases.find(name), undefined);
    const got = await Promise.all(
      ['a', 'b', 'c'].map((holder) => db.writer.run('AcquireLease', { name, holder, ttlMs })),
    );
    assert.deepEqual(got, [{ epoch: 1 }, undefined, undefined]);
    assert.deepEqual(await db.writer.run('AcquireLease', { name, holder: 'a', ttlMs }), {
      epoch: 1,
    });
    const lease = await db.leases.find(name);
    assert.equal(lease?.holder, 'a');
    assert.ok(lease.remainingMs > ttlMs - 10_000 && lease.remainingMs <= ttlMs);
  });

  test('a lease that is over or given back is taken over with a new epoch; leases are by name', async (t) => {
    const db = await open(t);
    await db.writer.run('AcquireLease', { name, holder: 'a', ttlMs: -1 });
    // Nobody took it: it goes on.
    assert.deepEqual(await db.writer.run('AcquireLease', { name, holder: 'a', ttlMs: -1 }), {
      epoch: 1,
    });
    assert.ok((await db.leases.find(name))!.remainingMs <= 0);
    assert.deepEqual(await db.writer.run('AcquireLease', { name, holder: 'b', ttlMs }), {
      epoch: 2,
    });
    // Giving back what is another's by now changes nothing.
    await db.writer.run('ReleaseLease', { name, holder: 'a' });
    assert.equal(await db.writer.run('AcquireLease', { name, holder: 'a', ttlMs }), undefined);
    await db.writer.run('ReleaseLease', { name, holder: 'b' });
    assert.deepEqual(await db.writer.run('AcquireLease', { name, holder: 'a', ttlMs }), {
      epoch: 3,
    });
    const other = await db.writer.run('AcquireLease', { name: 'functions', holder: 'b', ttlMs });
    assert.deepEqual(other, { epoch: 1 });
  });

  test('a lease says where its holder is reached, and never where another one was', async (t) => {
    const db = await open(t);
    const take = (holder: string, address?: string, ms = -1) =>
      db.writer.run('AcquireLease', { name, holder, ttlMs: ms, address });
    const address = async () => (await db.leases.find(name))?.address;
    await take('a');
    assert.equal(await address(), undefined);
    await take('a', 'http://10.0.0.1:5050');
    assert.equal(await address(), 'http://10.0.0.1:5050');
    await take('b');
    assert.equal(await address(), undefined);
    await take('b', 'http://10.0.0.2:5050', ttlMs);
    await take('a', 'http://10.0.0.1:5050');
    assert.equal(await address(), 'http://10.0.0.2:5050');
  });

  test('a former leader writes nothing more', async (t) => {
    const db = await open(t);
    const team = { id: 'team_1', slug: 'acme', name: 'Acme', plan: 'pro', createdAt: 0 } as const;
    await db.writer.run('AcquireLease', { name, holder: 'a', ttlMs: -1 });
    await db.writer.run('CreateTeam', team, { name, epoch: 1 });
    await db.writer.run('AcquireLease', { name, holder: 'b', ttlMs });
    const late = { ...team, id: 'team_2', slug: 'late' };
    await refused(db.writer.run('CreateTeam', late, { name, epoch: 1 }), 'conflict');
    assert.equal(await db.teams.findById('team_2'), undefined);
    await db.writer.run('CreateTeam', late, { name, epoch: 2 });
  });

  test('an upload is one holder’s at a time; one that died takes it along', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const id = 'upl_1';
    const begin = { repositoryId: repository.id, subject: 's', algorithm: 'sha256', now } as const;
    await db.writer.run('StartUpload', { ...begin, id, expiresAt: now });
    const claim = (holder: string, ms = ttlMs) =>
      db.writer.run('ClaimUpload', { id, holder, ttlMs: ms });
    assert.deepEqual(await claim('a'), { state: 'untouched' });
    assert.deepEqual(await claim('a'), { state: 'claimed' });
    await refused(claim('b'), 'upload-conflict');
    await refused(db.writer.run('CancelUpload', { id, holder: 'b' }), 'upload-conflict');
    await refused(db.writer.run('CancelUpload', { id }), 'upload-conflict');
    const step = { id, storeState: 's1', digestSoFar: undefined, expiresAt: now };
    const advance = (holder: string, from: number, release: boolean) =>
      db.writer.run('AdvanceUpload', { ...step, from, to: from + 5, holder, release });
    await refused(advance('b', 0, true), 'upload-conflict');
    await advance('a', 0, false);
    await refused(claim('b'), 'upload-conflict');
    await advance('a', 5, true);
    assert.deepEqual(await claim('b'), { state: 'claimed' });
    const finish = { id, repositoryId: repository.id, digest: digest('x'), size: 10, now };
    await refused(db.writer.run('FinishUpload', { ...finish, holder: 'a' }), 'upload-conflict');
    await db.writer.run('UnclaimUpload', { id, holder: 'a' });
    await refused(claim('a'), 'upload-conflict');
    await db.writer.run('UnclaimUpload', { id, holder: 'b' });
    assert.deepEqual(await claim('a', -1), { state: 'claimed' });
    assert.deepEqual(await claim('b'), { state: 'ended' });
    assert.equal(await db.uploads.find(id), undefined);
    assert.deepEqual(await db.blobs.discardedKeys(10), [{ key: id, state: 's1' }]);
    await refused(claim('b'), 'upload-unknown');
  });
}
