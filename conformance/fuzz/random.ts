/** Pseudo-random choices that a seed repeats: a failure is found again by its seed alone. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 up to, not including, 1. The generator is mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 up to, not including, `below`. */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** The seed of this run, and how many inputs to try: few in quick mode. */
export function fuzzSettings(full: number): { seed: number; count: number } {
  const { GANTRY_TEST_FUZZ_SEED: seed, GANTRY_TEST_FUZZ_COUNT: count } = process.env;
  const usual = process.env.GANTRY_TEST_QUICK === '1' ? Math.ceil(full / 8) : full;
  return { seed: Number(seed ?? 20_251_121), count: Number(count ?? usual) };
}
