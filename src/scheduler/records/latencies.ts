/** Bounds grow by a tenth: what is told of a value is at most so far off. Milliseconds. */
const growth = Math.log(1.1);

/** Many durations in little room: how many fell between which bounds. */
export class Latencies {
  readonly #counts = new Map<number, number>();
  #count = 0;
  #sum = 0;
  #most = 0;

  get count(): number {
    return this.#count;
  }

  add(ms: number): void {
    const bucket = ms < 0.1 ? 0 : 1 + Math.floor(Math.log(ms / 0.1) / growth);
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    this.#count += 1;
    this.#sum += ms;
    this.#most = Math.max(this.#most, ms);
  }

  addAll(other: Latencies): void {
    for (const [bucket, count] of other.#counts) {
      this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count);
    }
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#most = Math.max(this.#most, other.#most);
  }

  summary(): { mean: number; p50: number; p95: number; p99: number; max: number } | undefined {
    if (this.#count === 0) return undefined;
    const round = (ms: number) => Math.round(ms * 100) / 100;
    return {
      mean: round(this.#sum / this.#count),
      p50: round(this.#at(0.5)),
      p95: round(this.#at(0.95)),
      p99: round(this.#at(0.99)),
      max: round(this.#most),
    };
  }

  /** The upper bound of the bucket in which that part of the values ends. */
  #at(part: number): number {
    let left = Math.ceil(this.#count * part);
    for (const bucket of [...this.#counts.keys()].sort((a, b) => a - b)) {
      left -= this.#counts.get(bucket)!;
      if (left <= 0) return Math.min(0.1 * Math.exp(growth * bucket), this.#most);
    }
    return this.#most;
  }
}
