import type { Timers } from '../timers.ts';

/** Whether the engine answers. Who finds that it does not says so; who finds that it does again, too. */
export class EngineHealth {
  readonly #timers: Timers;
  readonly #changed: (down: boolean) => void;
  #downSince: number | undefined;
  #reason = '';

  constructor(timers: Timers, changed: (down: boolean) => void) {
    this.#timers = timers;
    this.#changed = changed;
  }

  /** Monotonic; undefined: it answers, as far as is known. */
  get downSince(): number | undefined {
    return this.#downSince;
  }

  get reason(): string {
    return this.#reason;
  }

  failed(error: unknown): void {
    this.#reason = error instanceof Error ? error.message : String(error);
    if (this.#downSince !== undefined) return;
    this.#downSince = this.#timers.now();
    this.#changed(true);
  }

  answered(): void {
    if (this.#downSince === undefined) return;
    this.#downSince = undefined;
    this.#changed(false);
  }
}
