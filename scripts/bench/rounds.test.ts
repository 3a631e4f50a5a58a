import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuSeconds } from './processes.ts';
import { alternate, lowerQuartile, median } from './rounds.ts';

test('the median of an even number of values lies between the middle two', () => {
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test('a quarter of the values are below the lower quartile', async () => {
  assert.equal(lowerQuartile([9, 5, 7, 3, 8]), 5);
  assert.equal(lowerQuartile([2, 1]), 1);
  assert.ok(Number.isNaN(lowerQuartile([])));
  const subjects = [{ name: 'a' }];
  const turn = async (_: unknown, round: number) => ({ value: 10 - round });
  const figures = await alternate(subjects, 9, turn, lowerQuartile);
  assert.deepEqual(figures.get('a'), { value: 4 });
});

test('subjects take turns, the first one last in every other round', async () => {
  const order: string[] = [];
  const subjects = [{ name: 'a' }, { name: 'b' }];
  const medians = await alternate(subjects, 3, async ({ name }, round) => {
    order.push(name);
    return { value: name === 'a' ? round : 10 };
  });
  assert.deepEqual(order, ['a', 'b', 'b', 'a', 'a', 'b']);
  assert.deepEqual(medians.get('a'), { value: 1 });
  assert.deepEqual(medians.get('b'), { value: 10 });
});

test('the CPU time of a process grows with its work', (t) => {
  if (process.platform !== 'linux') return t.skip('/proc is Linux');
  const before = cpuSeconds(process.pid).own;
  const deadline = performance.now() + 5_000;
  let spins = 0;
  while (cpuSeconds(process.pid).own - before < 0.05 && performance.now() < deadline) spins += 1;
  assert.ok(spins > 0 && cpuSeconds(process.pid).own - before >= 0.05);
});
