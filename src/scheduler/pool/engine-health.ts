import { type Timers, withDeadline } from '../timers.ts';
import { engineLimits } from './engine-limits.ts';

/** Whether the engine answers. Who finds that it does not says so; who finds that it does again, too. */
export class EngineHealth {
  readonly #timers: Timers;
  readonly #changed: (down: boolean) => void;
  #downSince: number | undefined;
  readonly #ping: (() => Promise<void>) | undefined;
  #reason = '';
  #looking = false;

  constructor(timers: Timers, changed: (down: boolean) => void, ping?: () => Promise<void>) {
    this.#timers = timers;
    this.#changed = changed;
    this.#ping = ping;
  }

  /** Monotonic; undefined: it answers, as far as is known. */
  get downSince(): number | undefined {
    return this.#downSince;
  }

  get reason(): string {
    return this.#reason;
  }

  /** Where something takes long: an engine that hangs is found out sooner than by what it was asked to do. */
  async look(): Promise<void> {
    if (this.#looking || this.#downSince !== undefined || !this.#ping) return;
    this.#looking = true;
    const began = this.#timers.now();
    try {
      await withDeadline(this.#timers, engineLimits.ping, 'an answer', this.#ping());
    } catch (error) {
      this.failed(error, began);
    } finally {
      this.#looking = false;
    }
  }

  /** `since`: when it was seen not to answer; now, where it is absent. */
  failed(error: unknown, since = this.#timers.now()): void {
    this.#reason = error instanceof Error ? error.message : String(error);
    if (this.#downSince !== undefined) return;
    this.#downSince = since;
    this.#changed(true);
  }

  answered(): void {
    if (this.#downSince === undefined) return;
    this.#downSince = undefined;
    this.#changed(false);
  }
}
