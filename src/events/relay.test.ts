import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWorld } from '../registry/registry-test-kit.ts';
import { EventLog } from './event-log.ts';
import { Relay } from './relay.ts';

const keep = { forMs: 1e9, count: 1e6 };
const deps = (metadata: Awaited<ReturnType<typeof openWorld>>['metadata']) => ({
  ...{ writer: metadata.writer, outbox: metadata.outbox, clock: { now: () => 1 }, keep },
});

test('many commits make few runs, and every event is published once', async (t) => {
  const { metadata, ensure } = await openWorld(t);
  const positions: number[] = [];
  const all = Promise.withResolvers<void>();
  const relay = new Relay({
    ...deps(metadata),
    published: (position) => {
      positions.push(position);
      if (position === 101) all.resolve();
    },
    failed: all.reject,
  });
  metadata.onCommit(() => relay.wake());
  await Promise.all(Array.from({ length: 100 }, (_, at) => ensure(`r${at}`)));
  await all.promise;
  await relay.stop();
  assert.ok(positions.length < 50, `${positions.length} runs`);
  assert.equal((await metadata.events.after(0, 1000)).length, 101);
  assert.equal(await metadata.outbox.isEmpty(), true);
});

test('a relay that failed goes on with the next wake, and loses nothing', async (t) => {
  const { metadata, ensure } = await openWorld(t);
  let broken = true;
  const failed = Promise.withResolvers<unknown>();
  const published = Promise.withResolvers<number>();
  const { writer } = metadata;
  const relay = new Relay(
    {
      ...deps(metadata),
      writer: {
        run: (name, args) =>
          broken ? Promise.reject(new Error('disk full')) : writer.run(name, args),
      },
      published: published.resolve,
      failed: failed.resolve,
    },
    { pollMs: 5 },
  );
  t.after(() => relay.stop());
  await ensure('made');
  assert.match(String(await failed.promise), /disk full/);
  broken = false;
  assert.equal(await published.promise, 2);
});

test('who follows reads each event once, from memory and from the store alike', async (t) => {
  const { metadata, ensure } = await openWorld(t);
  const log = new EventLog(metadata.events);
  const relay = new Relay({
    ...deps(metadata),
    published: (position) => log.publish(position),
    failed: (cause) => assert.fail(String(cause)),
  });
  t.after(() => relay.stop());
  const seen: number[] = [];
  const follow = async (): Promise<void> => {
    for (let position = 0; position < 1201; ) {
      const rows = await log.read(position, 70);
      seen.push(...rows.map((row) => row.position));
      position = rows.at(-1)?.position ?? position;
      if (rows.length === 0) await log.changed(position);
    }
  };
  const following = follow();
  for (let part = 0; part < 6; part++) {
    await Promise.all(Array.from({ length: 200 }, (_, at) => ensure(`r${part}-${at}`)));
    await relay.flush();
  }
  await following;
  assert.deepEqual(
    seen,
    Array.from({ length: 1201 }, (_, at) => at + 1),
  );
  // The tail in memory is bounded; what lies before it still comes from the store.
  assert.deepEqual(
    (await log.read(5, 2)).map((row) => row.position),
    [6, 7],
  );
  assert.deepEqual(
    (await log.read(1190, 2)).map((row) => row.position),
    [1191, 1192],
  );
  assert.deepEqual(await log.positions(), { first: 1, last: 1201 });
});
