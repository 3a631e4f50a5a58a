import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replay } from './replay.ts';
import { keyOf, simulate, simulatedTarget } from './simulation-kit.ts';
import { generateTraffic, parseRecording } from './traffic.ts';

const functions = 2_000;
const minutes = 2;

test(`${functions} functions for ${minutes} minutes: bounds hold, nothing swings, and at the end nothing runs`, async () => {
  const sim = simulate({ settings: { createdAheadMs: 0, queueLimit: 100 } });
  const { time, pool, driver, told } = sim;
  const targets = Array.from({ length: functions }, (_, n) =>
    simulatedTarget({
      deploymentId: `dpl_${n}`,
      digest: `sha256:${n % 50}`,
      environment: n % 3 === 0 ? 'preview' : 'production',
      settings: {
        concurrency: n % 5 === 0 ? 1 : 10,
        maxInstances: 5,
        minInstances: n % 100 === 0 ? 1 : 0,
      },
    }),
  );
  for (const target of targets) {
    sim.deployed.set(keyOf(target), target);
    sim.live.add(keyOf(target));
  }
  await pool.start();
  await time.advance(5_000);
  const requests = generateTraffic({ functions, ms: minutes * 60_000, seed: 1 });
  const look = () => {
    const up = new Map<string, number>();
    for (const { target, state } of pool.instances()) {
      if (state === 'draining' || state === 'terminating') continue;
      up.set(target.deploymentId, (up.get(target.deploymentId) ?? 0) + 1);
    }
    for (const [id, count] of up) assert.ok(count <= 5, `${id}: ${count} instances`);
    for (const { deploymentId, service } of targets) {
      const min = service.settings.minInstances ?? 0;
      assert.ok((up.get(deploymentId) ?? 0) >= min, `${deploymentId} has less than ${min}`);
    }
  };
  const result = await replay(sim, targets, requests, { everyMs: 10_000, look });
  assert.deepEqual(result.refused, {});
  assert.equal(result.served, requests.length);
  // No instance is ended for another to be started right after: each lives out its idle time.
  const ends = told.filter(({ state }) => state === 'terminated').length;
  const starts = told.filter(({ state }) => state === 'starting').length;
  assert.ok(starts < functions * 2, `${starts} starts`);
  assert.ok(ends <= starts);
  await time.advance(900_000);
  assert.equal(driver.count('running') + driver.count('frozen'), functions / 100);
  sim.live.clear();
  await pool.pointersMoved();
  await time.advance(900_000);
  assert.deepEqual(pool.instances(), []);
});

test('steady traffic settles on a number of instances and keeps it', async () => {
  const sim = simulate({ settings: { createdAheadMs: 0 } });
  await sim.pool.start();
  const target = simulatedTarget({ settings: { concurrency: 10, maxInstances: 50 } });
  const requests = Array.from({ length: 24_000 }, (_, n) => ({ at: n * 20, to: 0, ms: 500 }));
  const counts: number[] = [];
  await replay(sim, [target], requests, {
    everyMs: 2_000,
    look: () => counts.push(sim.driver.count('running')),
  });
  const settled = new Set(counts.slice(60, -2));
  assert.deepEqual([...settled].length, 1, `it was ${counts.join(' ')}`);
  // 25 at once, seven of ten in each.
  assert.equal([...settled][0], 4);
});

test('a recording is read', () => {
  assert.deepEqual(parseRecording('at,function,ms\n20,1,5\n10,0,7\n'), [
    { at: 10, to: 0, ms: 7 },
    { at: 20, to: 1, ms: 5 },
  ]);
});
