import { setTimeout as delay } from 'node:timers/promises';
import type { PurgePlace } from '../ports/commands-repositories.ts';
import type { Leading } from './leader.ts';

/** Rows of one write: what others write meanwhile waits for one of them at most. */
const batch = 500;
/** Milliseconds between two writes at least. */
const leastPauseMs = 1;

export interface PurgerDeps {
  readonly leading: Leading;
  readonly failed: (cause: unknown) => void;
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** Milliseconds of a clock that only goes forward. */
  readonly clock?: () => number;
}

/**
 * Removes the rows of deleted repositories, which nobody finds any more, a few at a time. After each write it rests
 * for as long as that took, so that it takes half of the writer at most, and less where others want it. What is left
 * is in the rows: after a crash whoever leads goes on.
 */
export class Purger {
  readonly #deps: PurgerDeps;
  readonly #timer: NodeJS.Timeout;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #again = false;

  constructor(deps: PurgerDeps, everyMs: number) {
    this.#deps = deps;
    this.#timer = setInterval(() => this.wake(), everyMs).unref();
  }

  /** Purges soon; who calls during a run is served by it, or by another after it. */
  wake(): void {
    if (this.#stopping.signal.aborted || !this.#deps.leading.leads) return;
    this.#again = true;
    this.#running ??= this.#run()
      .catch((error: unknown) => {
        this.#again = false;
        if (!this.#stopping.signal.aborted) this.#deps.failed(error);
      })
      .finally(() => {
        this.#running = undefined;
        // After the last look of that run.
        if (this.#again) this.wake();
      });
  }

  /** Resolves when no run is under way. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.idle();
  }

  async #run(): Promise<void> {
    const { leading, pause = rest, clock = () => performance.now() } = this.#deps;
    const { signal } = this.#stopping;
    let place: PurgePlace | undefined;
    while (!signal.aborted && leading.leads) {
      this.#again = false;
      const begun = clock();
      const { next, left } = await leading.writer.run('PurgeRepository', { place, limit: batch });
      place = next;
      if (!left && !this.#again) return;
      await pause(Math.max(clock() - begun, leastPauseMs), signal);
    }
  }
}

const rest = (ms: number, signal: AbortSignal) => delay(ms, undefined, { signal, ref: false });
