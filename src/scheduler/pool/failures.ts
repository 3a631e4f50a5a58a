import type { Timers } from '../timers.ts';
import { CrashBackoff } from './backoff.ts';
import type { Instance } from './instance-record.ts';

/** Between two ends from outside that are no failures. */
const pardonMs = 10_000;

/** Failures of one service: how long the next start waits, and the instance that is shown for it meanwhile. */
export class Failures {
  readonly #timers: Timers;
  readonly #backoff: CrashBackoff;
  #fallen: Instance | undefined;
  #pardonedAt: number | undefined;

  constructor(
    timers: Timers,
    settings: { readonly firstMs: number; readonly capMs: number; readonly stableMs: number },
  ) {
    this.#timers = timers;
    this.#backoff = new CrashBackoff(settings);
  }

  /** In state crash-backoff. */
  get fallen(): Instance | undefined {
    return this.#fallen;
  }

  get reason(): string {
    return this.#backoff.reason;
  }

  get count(): number {
    return this.#backoff.failures;
  }

  /** Milliseconds until the next start may be tried; undefined: now. */
  get remaining(): number | undefined {
    return this.#backoff.remaining(this.#timers.now());
  }

  startFailed(instance: Instance, reason: string): void {
    this.#backoff.failed(this.#timers.now(), reason);
    this.#show(instance);
  }

  /** `outside`: no failure of the image's; a second one soon after is taken for one. */
  died(instance: Instance, livedMs: number, outside: boolean): void {
    if (outside && !this.#pardoned) {
      this.#pardonedAt = this.#timers.now();
      return;
    }
    this.#backoff.died(this.#timers.now(), livedMs, instance.reason ?? 'it ended');
    this.#show(instance);
  }

  /** Whether what is known of it still matters. */
  get remembers(): boolean {
    return this.remaining !== undefined || this.#pardoned;
  }

  get #pardoned(): boolean {
    const at = this.#pardonedAt;
    return at !== undefined && this.#timers.now() - at < pardonMs;
  }

  clear(): void {
    this.#backoff.clear();
  }

  /** A start is tried, or there is nothing to show any more. */
  bury(): void {
    const fallen = this.#fallen;
    this.#fallen = undefined;
    if (fallen?.state === 'crash-backoff') fallen.move('terminated');
  }

  #show(instance: Instance): void {
    this.bury();
    if (this.remaining === undefined) return;
    this.#fallen = instance;
    instance.move('crash-backoff');
  }
}
