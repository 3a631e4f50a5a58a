import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { toRecording } from '../../../scripts/record-traffic.ts';
import { replay } from './replay.ts';
import { keyOf, simulate, simulatedTarget } from './simulation-kit.ts';
import { parseRecording } from './traffic.ts';

/**
 * 75 s of three services of containers on Docker 29, recorded by scripts/record-traffic.ts from the request log: one
 * that is asked all the time, one in bursts of 15 to 60 at once, one now and then.
 */
const recorded = parseRecording(
  readFileSync(join(import.meta.dirname, 'recorded-bursts.csv'), 'utf8'),
);

async function run(settings: { concurrency: number; maxInstances: number }, queueLimit = 100) {
  const sim = simulate({ settings: { createdAheadMs: 0, queueLimit } });
  const targets = [0, 1, 2].map((n) =>
    simulatedTarget({ deploymentId: `dpl_${n}`, digest: `sha256:${n}`, settings }),
  );
  for (const target of targets) {
    sim.deployed.set(keyOf(target), target);
    sim.live.add(keyOf(target));
  }
  await sim.pool.start();
  let most = 0;
  const look = () => {
    most = Math.max(most, sim.driver.count('running') + sim.driver.count('frozen'));
  };
  const result = await replay(sim, targets, recorded, { everyMs: 250, look });
  const starts = sim.told.filter(({ state }) => state === 'starting').length;
  const waits = [...result.waits].sort((a, b) => a - b);
  const wait = (share: number) => waits[Math.floor(share * (waits.length - 1))]!;
  return { sim, result, starts, most, wait };
}

test('recorded traffic, as it was run: nothing is refused, and bursts start no more than they need', async () => {
  const { sim, result, starts, most, wait } = await run({ concurrency: 10, maxInstances: 10 });
  assert.deepEqual(result.refused, {});
  assert.equal(result.served, recorded.length);
  // One each for the two that are asked for little, six for 60 at once: and none is ended for another.
  assert.ok(starts >= 5 && starts <= 10, `${starts} starts`);
  assert.equal(most, starts);
  assert.equal(wait(0.5), 0);
  assert.ok(wait(0.95) < 500 && wait(1) < 2_000, `${wait(0.95)} and ${wait(1)} ms`);
  await sim.time.advance(1_200_000);
  assert.equal(sim.driver.count('running') + sim.driver.count('frozen'), 0, 'idle ones end');
});

test('recorded traffic on a fifth of the instances: bursts wait, and nothing is refused', async () => {
  const { result, starts, most, wait } = await run({ concurrency: 10, maxInstances: 2 });
  assert.deepEqual(result.refused, {});
  assert.equal(result.served, recorded.length);
  assert.ok(starts <= 6 && most === starts, `${starts} starts, ${most} at once`);
  assert.equal(wait(0.5), 0);
  assert.ok(wait(1) > 1_000 && wait(1) < 6_000, `${wait(1)} ms`);
});

test('recorded traffic with a queue of ten: what is over it is told so at once, and no more than that', async () => {
  const { result } = await run({ concurrency: 10, maxInstances: 2 }, 10);
  const codes = Object.keys(result.refused);
  assert.ok(codes.length > 0);
  for (const code of codes) assert.ok(['QUEUE_FULL', 'TOO_MANY_REQUESTS'].includes(code), code);
  const refused = Object.values(result.refused).reduce((sum, count) => sum + count, 0);
  assert.equal(result.served + refused, recorded.length, 'each is answered, one way or the other');
  assert.ok(refused < 150, `${refused} of ${recorded.length}`);
});

test('a request log becomes a recording: from the first request on, without what was waited', () => {
  const at = (ms: number) => new Date(1_700_000_000_000 + ms).toISOString();
  const log = [
    { at: at(250), service: 'api', queueMs: 1_000, totalMs: 1_030.4 },
    { at: at(0), service: 'web', queueMs: 0, totalMs: 12 },
    { at: at(90), service: 'api', queueMs: 0.2, totalMs: 0.3 },
  ];
  const text = toRecording(log);
  assert.equal(text, 'at,function,ms\n0,0,12\n90,1,1\n250,1,30\n');
  assert.equal(parseRecording(text).length, 3);
});
