/**
 * Requests at once, averaged over two windows that end now. Time-weighted between calls, kept in one bucket a
 * tick: a tick costs the same however long the windows are.
 */
export class ConcurrencyWindow {
  readonly #stable: Float64Array;
  readonly #panicBuckets: number;
  readonly #tickMs: number;
  #filled = 0;
  #at = 0;
  #stableSum = 0;
  #panicSum = 0;
  #current = 0;
  #area = 0;
  #since: number;
  #tickAt: number;

  constructor(now: number, windows: { tickMs: number; stableMs: number; panicMs: number }) {
    this.#tickMs = windows.tickMs;
    this.#stable = new Float64Array(Math.max(1, Math.round(windows.stableMs / windows.tickMs)));
    this.#panicBuckets = Math.min(
      this.#stable.length,
      Math.max(1, Math.round(windows.panicMs / windows.tickMs)),
    );
    this.#since = now;
    this.#tickAt = now;
  }

  /** From now on there are so many. */
  set(now: number, requests: number): void {
    this.#area += this.#current * (now - this.#since);
    this.#since = now;
    this.#current = requests;
  }

  /** Closes a bucket. A late tick counts as one for each interval that it is late by. */
  tick(now: number): { stable: number; panic: number } {
    this.set(now, this.#current);
    const elapsed = now - this.#tickAt;
    if (elapsed > 0) {
      const average = this.#area / elapsed;
      const buckets = Math.max(1, Math.round(elapsed / this.#tickMs));
      for (let n = Math.min(buckets, this.#stable.length); n > 0; n--) this.#push(average);
      this.#area = 0;
      this.#tickAt = now;
    }
    // A young service is averaged over the time that it has lived: else its first minute would count as idle.
    const stable = this.#stableSum / Math.max(1, this.#filled);
    const panic = this.#panicSum / Math.max(1, Math.min(this.#filled, this.#panicBuckets));
    return { stable, panic };
  }

  #push(average: number): void {
    const length = this.#stable.length;
    const leaves = (this.#at - this.#panicBuckets + length) % length;
    if (this.#filled >= this.#panicBuckets) this.#panicSum -= this.#stable[leaves]!;
    if (this.#filled === length) this.#stableSum -= this.#stable[this.#at]!;
    else this.#filled++;
    this.#stable[this.#at] = average;
    this.#stableSum += average;
    this.#panicSum += average;
    this.#at = (this.#at + 1) % length;
    // Sums of floating point drift: each round they are made anew.
    if (this.#at === 0) this.#sumAnew();
  }

  #sumAnew(): void {
    const length = this.#stable.length;
    this.#stableSum = this.#stable.subarray(0, this.#filled).reduce((a, b) => a + b, 0);
    this.#panicSum = 0;
    for (let n = 1; n <= Math.min(this.#panicBuckets, this.#filled); n++) {
      this.#panicSum += this.#stable[(this.#at - n + length) % length]!;
    }
  }
}
