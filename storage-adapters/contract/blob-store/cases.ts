import type { TestContext } from 'node:test';
import type { Bench } from './bench.ts';

/** A case: does its work, and gives the keys that it committed. Nothing else may be left in the place. */
export type Case = (bench: Bench, t: TestContext) => Promise<string[]>;

/** Cases by the sentence of the port that each checks. */
export type Cases = Readonly<Record<string, Case>>;
