import type { Clock } from '../ports/clock.ts';

export interface PacerDeps {
  readonly clock: Clock;
  /** Resolves after `ms`; rejects where `signal` aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Bytes a second. */
  readonly rate: number;
}

/** Waits shorter than this are added up first: timers are not exact. */
const leastWaitMs = 20;

/** Keeps what is read to a rate, whatever its pieces are. */
export class Pacer {
  readonly #deps: PacerDeps;
  /** When all that was taken is paid for. */
  #paid = 0;

  constructor(deps: PacerDeps) {
    this.#deps = deps;
  }

  /** Resolves once `bytes` more may have been read. Rejects where `signal` aborts. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const { clock, sleep, rate } = this.#deps;
    const now = clock.now();
    const cost = (bytes / rate) * 1000;
    // What was not used is not saved up; and a clock that was set back costs no more than these bytes.
    const from = Math.min(Math.max(this.#paid, now), now + leastWaitMs);
    this.#paid = from + cost;
    const wait = this.#paid - now;
    if (wait >= leastWaitMs) await sleep(wait, signal);
  }
}
