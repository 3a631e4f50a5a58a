/** Starts that fail one after another wait longer each time. Monotonic milliseconds. */
export class CrashBackoff {
  readonly #settings: {
    readonly firstMs: number;
    readonly capMs: number;
    readonly stableMs: number;
  };
  #failures = 0;
  #until = 0;
  #reason = '';

  constructor(settings: { firstMs: number; capMs: number; stableMs: number }) {
    this.#settings = settings;
  }

  /** A start that failed, or an instance that ended by itself soon after it. */
  failed(now: number, reason: string): void {
    const { firstMs, capMs } = this.#settings;
    // Several that were started together and fail together are one failure.
    if (now < this.#until) return;
    const wait = Math.min(capMs, firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    this.#until = now + wait;
    this.#reason = reason;
  }

  /** An instance ended by itself that had been ready for `livedMs`. */
  died(now: number, livedMs: number, reason: string): void {
    if (livedMs >= this.#settings.stableMs) this.clear();
    else this.failed(now, reason);
  }

  clear(): void {
    this.#failures = 0;
    this.#until = 0;
  }

  /** Milliseconds until the next start may be tried; undefined: now. */
  remaining(now: number): number | undefined {
    return now < this.#until ? this.#until - now : undefined;
  }

  get reason(): string {
    return this.#reason;
  }

  get failures(): number {
    return this.#failures;
  }
}
