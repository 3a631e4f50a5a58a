import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { type Digest, digestOf } from '../oci/digest.ts';
import { refuse } from '../oci/errors.ts';
import { layerCompressionOf } from '../oci/media-types.ts';
import type { Measure, PendingMeasure } from '../ports/blobs.ts';
import { createMeasurer, type Measurer, type MeasurerParts } from './measure.ts';
import { type LayerProcess, MeasureChild, type MeasureResult } from './measure-child.ts';

export const gzip = 'application/vnd.oci.image.layer.v1.tar+gzip';
export const zstd = 'application/vnd.oci.image.layer.v1.tar+zstd';
export const cap = 1_000_000;
export const emptyTar = Buffer.alloc(1024);

export const measured: MeasureResult = {
  type: 'verdict',
  verdict: { state: 'measured', uncompressedSize: 1024 },
};

/** Gives the results that it was told to. */
export class FakeProcess implements LayerProcess {
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
export class World {
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
  }

  add(mediaType: string, bytes: Buffer | undefined, name = `layer ${this.pending.length}`): Digest {
    const digest = digestOf(Buffer.from(name));
    if (bytes) this.bytes.set(name, bytes);
    this.pending.push({ digest, compression: layerCompressionOf(mediaType) ?? 'none', key: name });
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

/** Worlds of one test file, each stopped by `stopAll`. */
export function worlds() {
  const made: World[] = [];
  return {
    make(parts?: Partial<MeasurerParts>, results?: MeasureResult[]): World {
      const world = new World(parts, results);
      made.push(world);
      return world;
    },
    async stopAll(): Promise<void> {
      for (const world of made.splice(0)) await world.measurer.stop();
    },
  };
}
