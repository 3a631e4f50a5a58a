import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { afterEach, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Digest, digestOf } from '../oci/digest.ts';
import { refuse } from '../oci/errors.ts';
import type { Measure, PendingMeasure } from '../ports/blobs.ts';
import { createMeasurer, type Measurer, type MeasurerParts } from './measure.ts';
import { type LayerProcess, MeasureChild, type MeasureResult } from './measure-child.ts';

const gzip = 'application/vnd.oci.image.layer.v1.tar+gzip';
const zstd = 'application/vnd.oci.image.layer.v1.tar+zstd';
const cap = 1_000_000;
const emptyTar = Buffer.alloc(1024);

const measured: MeasureResult = {
  type: 'verdict',
  verdict: { state: 'measured', uncompressedSize: 1024 },
};

class FakeProcess implements LayerProcess {
  usable = true;
  readonly closed: Promise<void>;
  readonly #close: () => void;
  readonly #results: MeasureResult[];

  constructor(results: MeasureResult[]) {
    this.#results = results;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#close = resolve;
  }

  async measure(): Promise<MeasureResult> {
    const result = this.#results.shift();
    assert.ok(result, 'was asked once too often');
    this.usable = result.type === 'verdict';
    return result;
  }

  async close(): Promise<void> {
    this.#close();
  }
}

/** Rows and bytes as the measurer sees them. */
class World {
  readonly bytes = new Map<string, Buffer>();
  readonly pending: PendingMeasure[] = [];
  readonly recorded: Measure[] = [];
  readonly opened: string[] = [];
  readonly logged: string[] = [];
  readonly children: MeasureChild[] = [];
  storeDown = false;
  measurer: Measurer;

  readonly fakes: FakeProcess[] = [];

  /** With `results`, processes are fakes that give these in turn. */
  constructor(parts: Partial<MeasurerParts> = {}, results?: MeasureResult[]) {
    this.measurer = createMeasurer({
      cap,
      retryDelay: 1,
      blobs: { pendingMeasures: (limit) => this.pending.slice(0, limit) },
      writer: { run: (name, args) => this.run(name, args) },
      store: { open: (key) => this.open(key) },
      log: {
        warn: (message) => this.logged.push(message),
        error: (message) => this.logged.push(message),
      },
      startChild: () => {
        if (results) {
          const fake = new FakeProcess(results);
          this.fakes.push(fake);
          return fake;
        }
        const child = new MeasureChild();
        this.children.push(child);
        return child;
      },
      ...parts,
    });
    worlds.push(this);
  }

  add(mediaType: string, bytes: Buffer | undefined, name = `layer ${this.pending.length}`): Digest {
    const digest = digestOf(Buffer.from(name));
    if (bytes) this.bytes.set(name, bytes);
    this.pending.push({ digest, key: name, mediaType });
    return digest;
  }

  async run(_name: string, args: unknown): Promise<never> {
    const measure = args as Measure;
    const index = this.pending.findIndex(({ digest }) => digest === measure.digest);
    assert.ok(index >= 0, 'was pending');
    this.pending.splice(index, 1);
    this.recorded.push(measure);
    this.onRecord();
    return null as never;
  }

  onRecord: () => void = () => {};

  async open(key: string): Promise<Readable> {
    this.opened.push(key);
    if (this.storeDown) throw refuse('unavailable', 'The store is down.');
    const bytes = this.bytes.get(key);
    if (!bytes) throw refuse('blob-unknown', 'Nothing there.');
    return Readable.from([bytes]);
  }

  async settled(): Promise<void> {
    this.measurer.wake();
    await this.measurer.idle();
  }

  async recordedAll(): Promise<void> {
    this.measurer.wake();
    while (this.pending.length > 0) {
      await new Promise<void>((resolve) => {
        this.onRecord = resolve;
      });
    }
    await this.measurer.idle();
  }
}

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.measurer.stop();
});

describe('the measurer', () => {
  test('records each pending layer once, in one process', async () => {
    const world = new World();
    const good = world.add(gzip, gzipSync(emptyTar));
    const other = world.add(zstd, zstdCompressSync(Buffer.alloc(5120)));
    await world.settled();
    assert.deepEqual(world.recorded, [
      { digest: good, state: 'measured', uncompressedSize: 1024, reason: undefined },
      { digest: other, state: 'measured', uncompressedSize: 5120, reason: undefined },
    ]);
    assert.equal(world.children.length, 1);
    assert.deepEqual(world.logged, []);
  });

  test('records what is not fit to run with its reason, and goes on', async () => {
    const world = new World();
    const wrong = world.add(zstd, gzipSync(emptyTar));
    const bomb = world.add(gzip, gzipSync(Buffer.alloc(cap + 1)));
    const other = world.add('text/plain', emptyTar);
    const good = world.add(gzip, gzipSync(emptyTar));
    await world.settled();
    const states = world.recorded.map(({ digest, state }) => [digest, state]);
    assert.deepEqual(states, [
      [wrong, 'mismatch'],
      [bomb, 'over'],
      [other, 'mismatch'],
      [good, 'measured'],
    ]);
    assert.match(world.recorded[0]?.reason ?? '', /not valid zstd/);
    assert.match(world.recorded[1]?.reason ?? '', /more than 1,000,000 bytes/);
    assert.match(world.recorded[2]?.reason ?? '', /media type text\/plain/);
    assert.equal(world.recorded[1]?.uncompressedSize, undefined);
    assert.equal(world.logged.length, 3);
  });

  test('takes many more layers than a batch, and those that come meanwhile', async () => {
    const world = new World();
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
    const world = new World();
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
    const world = new World({ idleLimit: 1 }, [measured, measured]);
    world.add(gzip, emptyTar);
    await world.settled();
    await world.fakes[0]!.closed;
    world.add(gzip, emptyTar, 'next');
    await world.settled();
    assert.equal(world.recorded.length, 2);
    assert.equal(world.fakes.length, 2);
  });

  test('a process that was killed while idle is replaced', async () => {
    const world = new World();
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

describe('what goes wrong', () => {
  const crash = { type: 'child-failed', started: true, reason: 'it fell' } as const;
  const notStarted = { type: 'child-failed', started: false, reason: 'no library' } as const;
  const lost = { type: 'source-failed', error: new Error('connection lost') } as const;

  test('a layer that ends its process once is tried again', async () => {
    const world = new World({}, [crash, measured]);
    world.add(gzip, emptyTar);
    await world.settled();
    assert.equal(world.recorded[0]?.state, 'measured');
    assert.equal(world.fakes.length, 2);
  });

  test('a layer that ends its process twice is recorded so, and the next one is measured', async () => {
    const world = new World({}, [crash, crash, measured]);
    const bad = world.add(gzip, emptyTar);
    world.add(gzip, emptyTar, 'next');
    await world.settled();
    assert.deepEqual(world.recorded[0], {
      digest: bad,
      state: 'mismatch',
      uncompressedSize: undefined,
      reason: 'Measuring the layer failed 2 times: it fell.',
    });
    assert.equal(world.recorded[1]?.state, 'measured');
    for (const fake of world.fakes.slice(0, 2)) await fake.closed;
  });

  test('a process that does not start is not the fault of the layer', async () => {
    const world = new World({ retryDelay: 1 }, [notStarted, notStarted, measured]);
    world.add(gzip, emptyTar);
    await world.settled();
    assert.equal(world.recorded.length, 0);
    await world.recordedAll();
    assert.equal(world.recorded[0]?.state, 'measured');
  });

  test('a process that cannot even be made is no fault either', async () => {
    let tries = 0;
    const world = new World({
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
    const world = new World({ retryDelay: 1 }, [lost, measured]);
    world.add(gzip, emptyTar);
    await world.settled();
    assert.equal(world.recorded.length, 0);
    await world.recordedAll();
    assert.equal(world.recorded[0]?.state, 'measured');
  });

  test('while the store is down only a few layers are tried, and later all are measured', async () => {
    const world = new World({ retryDelay: 60_000 });
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
    const world = new World({ retryDelay: 60_000 });
    for (let i = 0; i < 5; i++) world.add(gzip, undefined, `absent ${i}`);
    for (let i = 0; i < 5; i++) world.add(gzip, gzipSync(emptyTar), `there ${i}`);
    for (let round = 0; round < 3; round++) await world.settled();
    assert.equal(world.recorded.length, 5);
    assert.equal(world.pending.length, 5);
  });

  test('a database that fails is tried again', async () => {
    let failures = 2;
    const world = new World({
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
    const world = new World(
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
    const world = new World();
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
