import { createCipheriv, createHash } from 'node:crypto';

/** Numbers that a seed decides, so that a run can be made again with the same choices. */
export class Random {
  readonly seed: string;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;
  #blocks = 0;

  constructor(seed: string) {
    this.seed = seed;
  }

  /** From 0 up to 1, which is not reached. */
  next(): number {
    if (this.#at + 4 > this.#block.length) {
      this.#block = createHash('sha512')
        .update(`${this.seed}/${this.#blocks++}`)
        .digest();
      this.#at = 0;
    }
    const word = this.#block.readUInt32LE(this.#at);
    this.#at += 4;
    return word / 2 ** 32;
  }

  /** A whole number, both ends included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Undefined of an empty list. */
  pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.next() * list.length)];
  }

  /** One of the names, as often as its weight says. */
  weighted<N extends string>(weights: Readonly<Record<N, number>>): N {
    const names = Object.keys(weights) as N[];
    let left = this.next() * names.reduce((sum, name) => sum + weights[name], 0);
    for (const name of names) {
      left -= weights[name];
      if (left < 0) return name;
    }
    return names.at(-1)!;
  }

  /** As many small as large ones, by order of magnitude. */
  size(least: number, most: number): number {
    return Math.floor(least * (most / least) ** this.next());
  }

  /** Numbers of its own, which do not depend on what is taken from this one. */
  fork(name: string): Random {
    return new Random(`${this.seed}/${name}`);
  }
}

/** The seed of this run: GANTRY_TEST_SEED, else one of the moment. */
export function runSeed(): string {
  return process.env.GANTRY_TEST_SEED ?? Math.random().toString(36).slice(2, 10);
}

const poolBytes = 8 << 20;
const pool = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16)).update(
  Buffer.alloc(poolBytes),
);

/** `size` bytes like no other ones: a part of a pool behind 16 bytes of their own. */
export function someBytes(random: Random, size: number): Buffer {
  const start = random.whole(0, Math.max(0, poolBytes - size));
  const bytes = Buffer.from(pool.subarray(start, start + size));
  for (let at = 0; at < Math.min(16, size); at++) bytes[at] = random.whole(0, 255);
  return bytes;
}
