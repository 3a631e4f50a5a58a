import type { Readable } from 'node:stream';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Blobs, Measure, PendingMeasure } from '../ports/blobs.ts';
import type { CommandWriter } from '../ports/commands.ts';
import { type LayerProcess, MeasureChild, type MeasureResult } from './measure-child.ts';

export interface MeasurerParts {
  readonly blobs: Pick<Blobs, 'pendingMeasures'>;
  readonly writer: Pick<CommandWriter, 'run'>;
  readonly store: Pick<BlobStore, 'open'>;
  /** Uncompressed bytes past which a layer is `over`, and is inflated no further. */
  readonly cap: number;
  readonly log: MeasureLog;
  readonly startChild?: () => LayerProcess;
  /** Milliseconds that an unused process is kept. */
  readonly idleLimit?: number;
  /** Milliseconds until what could not be read is tried again; doubles up to 10 minutes. */
  readonly retryDelay?: number;
}

export interface MeasureLog {
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  error(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Finds out how large layers are uncompressed, one after another, in a process of its own. */
export interface Measurer {
  /** There may be layers to measure: after a push, and once at the start for what an earlier run left. */
  wake(): void;
  /** Resolves when nothing is under way; layers that could not be read may be waiting for a retry. */
  idle(): Promise<void>;
  /** Gives up what is under way, which stays pending, and ends the process. */
  stop(): Promise<void>;
}

const batch = 32;
const attempts = 2;
const defaultIdleLimit = 5_000;
const defaultRetryDelay = 1_000;
const longestRetryDelay = 600_000;
/** So many layers in a row whose bytes cannot be had: the store is down, the others need not be tried. */
const failuresInARow = 3;
const mostTroubled = 1000;

export function createMeasurer(parts: MeasurerParts): Measurer {
  return new ChildMeasurer(parts);
}

class ChildMeasurer implements Measurer {
  readonly #parts: MeasurerParts;
  #running: Promise<void> | undefined;
  #wokenAgain = false;
  #stopped = false;
  #child: LayerProcess | undefined;
  /** Could not be had in this round or an earlier one. */
  readonly #troubled = new Set<string>();
  #retries = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(parts: MeasurerParts) {
    this.#parts = parts;
  }

  wake(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#wokenAgain = true;
      return;
    }
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#idleTimer);
    this.#wokenAgain = false;
    this.#running = this.#work().then(() => {
      this.#running = undefined;
      if (this.#wokenAgain) this.wake();
    });
  }

  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retryTimer);
    await this.#endChild();
    await this.idle();
    await this.#endChild();
  }

  async #work(): Promise<void> {
    let done = false;
    try {
      done = await this.#measureAll();
    } catch (error) {
      this.#parts.log.warn('layers could not be measured', { error: messageOf(error) });
    }
    if (this.#stopped) return;
    if (done) this.#retries = 0;
    else this.#retryLater();
    const { idleLimit = defaultIdleLimit } = this.#parts;
    this.#idleTimer = setTimeout(() => void this.#endChild(), idleLimit);
  }

  #retryLater(): void {
    const { retryDelay = defaultRetryDelay } = this.#parts;
    const delay = Math.min(retryDelay * 2 ** this.#retries++, longestRetryDelay);
    this.#retryTimer = setTimeout(() => this.wake(), delay);
    this.#retryTimer.unref();
  }

  /** False where any is left that has to be tried again. */
  async #measureAll(): Promise<boolean> {
    const left = new Set<string>();
    let recorded = new Set<string>();
    for (;;) {
      const next = await this.#nextLayers(left, recorded);
      if (next.length === 0) return left.size === 0;
      recorded = new Set();
      let failures = 0;
      for (const layer of next) {
        const measure = await this.#measure(layer);
        if (this.#stopped) return false;
        if (measure) {
          await this.#parts.writer.run('RecordMeasure', measure);
          recorded.add(idOf(layer));
          this.#troubled.delete(idOf(layer));
          failures = 0;
        } else {
          left.add(idOf(layer));
          this.#troubled.add(idOf(layer));
          if (++failures === failuresInARow) return false;
        }
      }
    }
  }

  /** Those that failed in an earlier round come last, so that they are in nobody's way. */
  async #nextLayers(left: Set<string>, recorded: ReadonlySet<string>): Promise<PendingMeasure[]> {
    if (this.#troubled.size > mostTroubled) this.#troubled.clear();
    const limit = batch + left.size + this.#troubled.size;
    const pending = await this.#parts.blobs.pendingMeasures(limit);
    for (const layer of pending) {
      // Its record changed nothing: it must not keep us busy for ever.
      if (recorded.has(idOf(layer))) left.add(idOf(layer));
    }
    const late = (layer: PendingMeasure) => Number(this.#troubled.has(idOf(layer)));
    return pending
      .filter((layer) => !left.has(idOf(layer)))
      .sort((a, b) => late(a) - late(b))
      .slice(0, batch);
  }

  /** Undefined where nothing can be said of the layer now. */
  async #measure(layer: PendingMeasure): Promise<Measure | undefined> {
    const { digest, compression } = layer;
    const { log } = this.#parts;
    let reason = '';
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const result = await this.#tryOnce(layer);
      if (this.#stopped) return undefined;
      if (result.type === 'verdict') {
        const { verdict } = result;
        if (verdict.state === 'measured')
          return { digest, compression, ...verdict, reason: undefined };
        log.warn('a layer is not fit to run', { digest, ...verdict });
        return { digest, compression, ...verdict, uncompressedSize: undefined };
      }
      if (result.type === 'source-failed') {
        log.warn('a layer could not be read to measure it', {
          digest,
          error: messageOf(result.error),
        });
        return undefined;
      }
      reason = result.reason;
      log.error('measuring a layer failed', { digest, reason, attempt, started: result.started });
      if (!result.started) return undefined;
    }
    return {
      digest,
      compression,
      state: 'mismatch',
      uncompressedSize: undefined,
      reason: `Measuring the layer failed ${attempts} times: ${reason}.`,
    };
  }

  async #tryOnce({ key, compression }: PendingMeasure): Promise<MeasureResult> {
    let source: Readable;
    try {
      source = await this.#parts.store.open(key);
    } catch (error) {
      return { type: 'source-failed', error };
    }
    let child: LayerProcess;
    try {
      child = this.#usableChild();
    } catch (error) {
      source.destroy();
      return { type: 'child-failed', started: false, reason: String(error) };
    }
    const result = await child.measure(source, { compression, cap: this.#parts.cap });
    if (!child.usable) await this.#endChild();
    return result;
  }

  #usableChild(): LayerProcess {
    if (this.#stopped) throw new Error('measuring was stopped');
    if (!this.#child?.usable) {
      void this.#endChild();
      this.#child = this.#parts.startChild?.() ?? new MeasureChild();
    }
    return this.#child!;
  }

  async #endChild(): Promise<void> {
    clearTimeout(this.#idleTimer);
    const child = this.#child;
    this.#child = undefined;
    await child?.close();
  }
}

function idOf({ digest, compression }: PendingMeasure): string {
  return `${digest} ${compression}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
