import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutboxPlace } from '../../../src/ports/commands-events.ts';
import type { EventRow } from '../../../src/ports/events.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { ensure, manifest, now, populate } from './fixture.ts';

type Open = (t: { after(fn: () => unknown): void }) => Promise<Metadata>;

/** Moves all that is in the outbox, in batches; how many there were. */
export async function relayAll(db: Metadata, limit = 100): Promise<number> {
  let after: OutboxPlace | undefined;
  let batches = 0;
  do {
    after = (await db.writer.run('RelayEvents', { after, limit, now })).next;
    batches += 1;
  } while (after);
  return batches;
}

function byStream(rows: readonly EventRow[]): Map<string, number[]> {
  const streams = new Map<string, number[]>();
  for (const row of rows) {
    streams.set(row.streamId, [...(streams.get(row.streamId) ?? []), row.sequence]);
  }
  return streams;
}

/** From the outbox to the events. */
export function eventsContract(open: Open, reopen: (db: Metadata) => Promise<Metadata>): void {
  test('events get positions without gaps, in order within each stream', async (t) => {
    const db = await open(t);
    await populate(db);
    assert.deepEqual(await db.events.positions(), { first: 0, last: 0 });
    const repositories = [];
    for (const name of ['a', 'b', 'c']) repositories.push(await ensure(db, name));
    // The clock goes backwards: later events have earlier times.
    for (let at = 0; at < 20; at++) {
      const { id } = repositories[at % 3]!;
      await db.writer.run('PutManifest', manifest(id, `m${at}`, { tags: ['t'], now: now - at }));
    }
    assert.equal(await db.outbox.isEmpty(), false);
    assert.equal(await relayAll(db, 7), 7);
    assert.equal(await db.outbox.isEmpty(), true);
    const rows = await db.events.after(0, 1000);
    assert.equal(rows.length, 4 + 20 * 2);
    assert.deepEqual(
      rows.map((row) => row.position),
      rows.map((_row, index) => index + 1),
    );
    for (const sequences of byStream(rows).values()) {
      assert.deepEqual(
        sequences,
        sequences.map((_sequence, index) => index + 1),
      );
    }
    assert.deepEqual(await db.events.positions(), { first: 1, last: 44 });
    assert.deepEqual(
      (await db.events.after(40, 2)).map((row) => row.position),
      [41, 42],
    );
    const again = await reopen(db);
    assert.deepEqual(await again.events.after(0, 1000), rows);
  });

  test('an event is found whole, by position and by team', async (t) => {
    const db = await open(t);
    const { teamId, projectId, repository } = await populate(db);
    await relayAll(db);
    const event = await db.events.at(1);
    assert.deepEqual(event, {
      ...{ position: 1, id: event?.id, streamId: repository.id, sequence: 1 },
      ...{ type: 'repository.created', teamId, projectId, subject: 'acme/shop/web' },
      data: { name: 'web', visibility: 'private', actor: 'ci' },
      createdAt: now,
    });
    await ensure(db, 'x');
    await ensure(db, 'y');
    await relayAll(db);
    const positions = async (...args: Parameters<Metadata['events']['ofTeam']>) =>
      (await db.events.ofTeam(...args)).map((row) => row.position);
    assert.deepEqual(await positions(teamId, 1, 'after', 10), [2, 3]);
    assert.deepEqual(await positions(teamId, 3, 'before', 1), [2]);
    assert.deepEqual(await positions('team_other', 0, 'after', 10), []);
    assert.equal(await db.events.at(9), undefined);
  });

  test('events that were moved leave by age and by count, from the front', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    for (let at = 0; at < 10; at++) {
      const more = { now: now + at * 1000 };
      await db.writer.run('PutManifest', manifest(repository.id, `m${at}`, more));
    }
    await relayAll(db);
    const prune = (before: number, keep: number) =>
      db.writer.run('PruneEvents', { before, keep, limit: 4 });
    assert.deepEqual(await prune(0, 100), { more: false });
    assert.equal((await db.events.positions()).first, 1);
    // Positions 1 to 3 are of the times now, now and now + 1 s.
    assert.deepEqual(await prune(now + 1500, 100), { more: false });
    assert.equal((await db.events.positions()).first, 4);
    assert.deepEqual(await prune(0, 2), { more: true });
    assert.deepEqual(await prune(0, 2), { more: false });
    assert.deepEqual(await db.events.positions(), { first: 10, last: 11 });
    // What comes goes on from where it was.
    await ensure(db, 'later');
    await relayAll(db);
    assert.equal((await db.events.positions()).last, 12);
  });

  test('a commit is told to who listens', async (t) => {
    const db = await open(t);
    const told = Promise.withResolvers<void>();
    db.onCommit(told.resolve);
    await populate(db);
    await told.promise;
  });
}
