/** So many at once, and then one each `everyMs`. */
export interface Rate {
  readonly burst: number;
  readonly everyMs: number;
}

interface Bucket {
  left: number;
  at: number;
}

/** Sources that are remembered; of more, those that were quiet longest begin anew. */
const mostSources = 10_000;

/** Lets refusals through at a rate by source and a rate over all, so that a flood of them stays small. */
export class RefusalLimit {
  readonly #bySource: Rate;
  readonly #overAll: Rate;
  readonly #buckets = new Map<string, Bucket>();
  readonly #all: Bucket;

  constructor(bySource: Rate, overAll: Rate) {
    this.#bySource = bySource;
    this.#overAll = overAll;
    this.#all = { left: overAll.burst, at: 0 };
  }

  take(source: string, now: number): boolean {
    const bucket = this.#buckets.get(source) ?? { left: this.#bySource.burst, at: now };
    this.#buckets.delete(source);
    this.#buckets.set(source, bucket);
    if (this.#buckets.size > mostSources) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
    refill(bucket, this.#bySource, now);
    refill(this.#all, this.#overAll, now);
    if (bucket.left < 1 || this.#all.left < 1) return false;
    bucket.left -= 1;
    this.#all.left -= 1;
    return true;
  }
}

function refill(bucket: Bucket, { burst, everyMs }: Rate, now: number): void {
  // A clock that was set back fills nothing.
  const passed = Math.max(0, now - bucket.at);
  bucket.left = Math.min(burst, bucket.left + passed / everyMs);
  bucket.at = now;
}
