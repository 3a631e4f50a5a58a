import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { afterEach, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { refuse } from '../oci/errors.ts';
import { MeasureChild } from './measure-child.ts';
import { emptyTar, gzip, measured, worlds } from './measure-test-kit.ts';

const made = worlds();
afterEach(made.stopAll);

describe('what goes wrong', () => {
  const crash = { type: 'child-failed', started: true, reason: 'it fell' } as const;
  const notStarted = { type: 'child-failed', started: false, reason: 'no library' } as const;
  const lost = { type: 'source-failed', error: new Error('connection lost') } as const;

  test('a layer that ends its process once is tried again', async () => {
    const world = made.make({}, [crash, measured]);
    world.add(gzip, emptyTar);
    await world.settled();
    assert.equal(world.recorded[0]?.state, 'measured');
    assert.equal(world.fakes.length, 2);
  });

  test('a layer that ends its process twice is recorded so, and the next one is measured', async () => {
    const world = made.make({}, [crash, crash, measured]);
    const bad = world.add(gzip, emptyTar);
    world.add(gzip, emptyTar, 'next');
    await world.settled();
    assert.deepEqual(world.recorded[0], {
      digest: bad,
      compression: 'gzip',
      state: 'mismatch',
      uncompressedSize: undefined,
      reason: 'Measuring the layer failed 2 times: it fell.',
    });
    assert.equal(world.recorded[1]?.state, 'measured');
    for (const fake of world.fakes.slice(0, 2)) await fake.closed;
  });

  test('a process that does not start is not the fault of the layer', async () => {
    const world = made.make({ retryDelay: 1 }, [notStarted, notStarted, measured]);
    world.add(gzip, emptyTar);
    await world.settled();
    assert.equal(world.recorded.length, 0);
    await world.recordedAll();
    assert.equal(world.recorded[0]?.state, 'measured');
  });

  test('a process that cannot even be made is no fault either', async () => {
    let tries = 0;
    const world = made.make({
      retryDelay: 1,
      startChild: () => {
        if (++tries < 3) throw new Error('no more processes');
        return new MeasureChild();
      },
    });
    world.add(gzip, gzipSync(emptyTar));
    await world.recordedAll();
    assert.equal(world.recorded[0]?.state, 'measured');
    assert.equal(tries, 3);
  });

  test('bytes that break off leave the layer pending until they come', async () => {
    const world = made.make({ retryDelay: 1 }, [lost, measured]);
    world.add(gzip, emptyTar);
    await world.settled();
    assert.equal(world.recorded.length, 0);
    await world.recordedAll();
    assert.equal(world.recorded[0]?.state, 'measured');
  });

  test('while the store is down only a few layers are tried, and later all are measured', async () => {
    const world = made.make({ retryDelay: 60_000 });
    for (let i = 0; i < 20; i++) world.add(gzip, gzipSync(emptyTar), `${i}`);
    world.storeDown = true;
    await world.settled();
    assert.equal(world.opened.length, 3);
    assert.equal(world.recorded.length, 0);
    world.storeDown = false;
    await world.settled();
    assert.equal(world.recorded.length, 20);
  });

  test("layers without bytes stay pending and are in nobody's way", async () => {
    const world = made.make({ retryDelay: 60_000 });
    for (let i = 0; i < 5; i++) world.add(gzip, undefined, `absent ${i}`);
    for (let i = 0; i < 5; i++) world.add(gzip, gzipSync(emptyTar), `there ${i}`);
    for (let round = 0; round < 3; round++) await world.settled();
    assert.equal(world.recorded.length, 5);
    assert.equal(world.pending.length, 5);
  });

  test('a database that fails is tried again', async () => {
    let failures = 2;
    const world = made.make({
      retryDelay: 1,
      writer: {
        run: async (name, args) => {
          if (failures-- > 0) throw refuse('unavailable', 'The database is busy.');
          return await world.run(name, args);
        },
      },
    });
    world.add(gzip, gzipSync(emptyTar));
    await world.recordedAll();
    assert.equal(world.recorded.length, 1);
  });

  test('a record that changes nothing is not made for ever', async () => {
    let records = 0;
    const world = made.make(
      {
        retryDelay: 60_000,
        writer: {
          run: async () => {
            records++;
            return null as never;
          },
        },
      },
      [measured],
    );
    world.add(gzip, emptyTar);
    await world.settled();
    assert.equal(records, 1);
  });

  test('stopping gives up what is under way, which stays pending', async () => {
    const world = made.make();
    world.add(gzip, gzipSync(emptyTar));
    const opened = Promise.withResolvers<void>();
    world.open = async () => {
      return new Readable({ read: () => opened.resolve() });
    };
    world.measurer.wake();
    await opened.promise;
    await world.measurer.stop();
    assert.equal(world.recorded.length, 0);
    assert.equal(world.pending.length, 1);
    assert.equal(world.children.length, 1);
    assert.equal(world.children[0]?.usable, false);
    world.measurer.wake();
    await world.measurer.idle();
    assert.equal(world.pending.length, 1, 'a stopped one stays so');
  });
});
