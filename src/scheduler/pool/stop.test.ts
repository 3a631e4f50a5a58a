import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, simulate, simulatedTarget } from '../simulation/simulation-kit.ts';

test('a stop while many start: those that stand in line are not started any more', async () => {
  const { time, pool, driver } = simulate({ settings: { parallelStarts: 4 } });
  const target = simulatedTarget({ settings: { concurrency: 1, maxInstances: 50 } });
  // All are created before the first is started, and four start at once.
  driver.times = { ...driver.times, startMs: 10_000 };
  const asked = Array.from({ length: 50 }, () => ask(pool, target));
  await time.advance(15_000);
  assert.equal(driver.containers.size, 50);
  const started = driver.calls.start!;
  assert.ok(started < 12, `${started} of 50 were started`);
  let drained = false;
  const draining = pool.drain({ keep: false, withinMs: 30_000 }).then(() => {
    drained = true;
  });
  for (const { result } of asked) result?.release({});
  await time.advance(12_000);
  assert.ok(drained, 'it took no longer than what was under way');
  await draining;
  assert.equal(driver.calls.start, started);
  assert.equal(driver.containers.size, 0);
});
