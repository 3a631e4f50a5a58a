import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { createMeasurer } from './measure.ts';
import { cap, emptyTar, gzip, measured, worlds, zstd } from './measure-test-kit.ts';

const made = worlds();
afterEach(made.stopAll);

describe('the measurer', () => {
  test('records each pending layer once, in one process', async () => {
    const world = made.make();
    const good = world.add(gzip, gzipSync(emptyTar));
    const other = world.add(zstd, zstdCompressSync(Buffer.alloc(5120)));
    await world.settled();
    assert.deepEqual(world.recorded, [
      {
        digest: good,
        compression: 'gzip',
        state: 'measured',
        uncompressedSize: 1024,
        reason: undefined,
      },
      {
        digest: other,
        compression: 'zstd',
        state: 'measured',
        uncompressedSize: 5120,
        reason: undefined,
      },
    ]);
    assert.equal(world.children.length, 1);
    assert.deepEqual(world.logged, []);
  });

  test('records what is not fit to run with its reason, and goes on', async () => {
    const world = made.make();
    const wrong = world.add(zstd, gzipSync(emptyTar));
    const bomb = world.add(gzip, gzipSync(Buffer.alloc(cap + 1)));
    const good = world.add(gzip, gzipSync(emptyTar));
    await world.settled();
    const states = world.recorded.map(({ digest, state }) => [digest, state]);
    assert.deepEqual(states, [
      [wrong, 'mismatch'],
      [bomb, 'over'],
      [good, 'measured'],
    ]);
    assert.match(world.recorded[0]?.reason ?? '', /not valid zstd/);
    assert.match(world.recorded[1]?.reason ?? '', /more than 1,000,000 bytes/);
    assert.equal(world.recorded[1]?.uncompressedSize, undefined);
    assert.equal(world.logged.length, 2);
  });

  test('takes many more layers than a batch, and those that come meanwhile', async () => {
    const world = made.make();
    for (let i = 0; i < 70; i++) world.add(gzip, gzipSync(emptyTar), `many ${i}`);
    world.onRecord = () => {
      world.onRecord = () => {};
      world.add(gzip, gzipSync(emptyTar), 'late');
      world.measurer.wake();
    };
    await world.settled();
    assert.equal(world.recorded.length, 71);
  });

  test('a wake at the very end is not lost', async () => {
    const world = made.make();
    world.add(gzip, gzipSync(emptyTar));
    let asked = 0;
    const blobs = {
      pendingMeasures: () => {
        const pending = [...world.pending];
        if (++asked === 2) {
          queueMicrotask(() => {
            world.add(gzip, gzipSync(emptyTar), 'late');
            measurer.wake();
          });
        }
        return pending;
      },
    };
    const measurer = createMeasurer({
      cap,
      blobs,
      writer: { run: (name, args) => world.run(name, args) },
      store: { open: (key) => world.open(key) },
      log: { warn() {}, error() {} },
    });
    try {
      measurer.wake();
      await measurer.idle();
      assert.equal(world.recorded.length, 2);
    } finally {
      await measurer.stop();
    }
  });

  test('an unused process ends, and another is started when it is needed', async () => {
    const world = made.make({ idleLimit: 1 }, [measured, measured]);
    world.add(gzip, emptyTar);
    await world.settled();
    await world.fakes[0]!.closed;
    world.add(gzip, emptyTar, 'next');
    await world.settled();
    assert.equal(world.recorded.length, 2);
    assert.equal(world.fakes.length, 2);
  });

  test('a process that was killed while idle is replaced', async () => {
    const world = made.make();
    world.add(gzip, gzipSync(emptyTar));
    await world.settled();
    await world.children[0]!.close();
    world.add(gzip, gzipSync(emptyTar), 'next');
    await world.settled();
    assert.deepEqual(
      world.recorded.map(({ state }) => state),
      ['measured', 'measured'],
    );
  });
});
