/**
 * A process that holds 40 MB and lets as much again and again live for a while, as requests do that wait for a
 * database: it dies old. Prints what is in use at the most; run by collector.test.ts.
 */
import { getHeapStatistics } from 'node:v8';
import { collectAll, collectSooner } from './collector.ts';

export interface CollectorProbe {
  /** Bytes in use after a collection. */
  readonly live: number;
  /** Bytes in use at the most from then on. */
  readonly most: number;
}

const held = 40e6;
/** Of `waiting` ones each lives until as many have come: more than two collections of the young. */
const waiting = 1_000;
const requests = 10_000;

const used = () => getHeapStatistics().used_heap_size;
const request = () => Array.from({ length: 100 }, (_, index) => ({ index, parts: [index] }));

collectSooner();
const kept: object[] = [];
while (used() < held) kept.push(request());
const current = Array.from({ length: waiting }, request);
collectAll();
const live = used();
let most = live;
for (let at = 0; at < requests; at++) {
  current[at % waiting] = request();
  if (at % 100 === 0) most = Math.max(most, used());
}
// Held to the end.
if (kept.length === 0) throw new Error('nothing was held');
process.stdout.write(JSON.stringify({ live, most } satisfies CollectorProbe));
