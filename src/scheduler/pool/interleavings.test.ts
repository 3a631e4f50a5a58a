import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceLease } from '../activation.ts';
import { random } from '../simulation/random.ts';
import {
  type Asked,
  ask,
  keyOf,
  type SimulatedConnections,
  simulate,
  simulatedTarget,
} from '../simulation/simulation-kit.ts';

const runs = 60;
const steps = 250;
/** Times at which something changes, give or take a little: where races are. */
const moments = [0, 1, 3, 5, 20, 100, 120, 500, 1_990, 4_995, 5_000, 5_004, 9_999, 29_995, 31_000];

/**
 * Whatever comes in whatever order (requests, ends, freezing, thawing, scale-down, deploys, new secrets, lists of
 * the engine), no request fails, none is on an instance that does not run, and bounds hold.
 */
async function play(seed: number): Promise<void> {
  const next = random(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
  const concurrency = pick([1, 2, 5]);
  const maxInstances = pick([1, 2, 4]);
  // Requests here last longer than any would.
  const requestTimeoutMs = 1e9;
  const createdAheadMs = pick([0, 20_000, 3_600_000]);
  const sim = simulate({ settings: { createdAheadMs, requestTimeoutMs } });
  const { time, pool, driver } = sim;
  driver.times = { pullMs: 50, createMs: 20, startMs: 80, freezeMs: pick([0, 3, 200]) };
  const settings = { concurrency, maxInstances, minInstances: pick([0, 0, 1]) };
  const environment = pick(['production', 'preview'] as const);
  const make = (n: number) =>
    simulatedTarget({ deploymentId: `dpl_${n}`, digest: `sha256:${n}`, settings, environment });
  let deployments = 1;
  let current = make(1);
  sim.deployed.set(keyOf(current), current);
  sim.live.add(keyOf(current));
  await pool.start();
  const asked = new Set<Asked>();
  const held = new Set<InstanceLease>();

  const check = () => {
    for (const one of asked) {
      assert.equal(one.error, undefined, `a request failed: ${one.error}`);
      if (!one.result) continue;
      held.add(one.result);
      asked.delete(one);
    }
    const on = new Map<string, number>();
    for (const lease of held) on.set(lease.instanceId, (on.get(lease.instanceId) ?? 0) + 1);
    const containers = new Map(
      [...driver.containers.values()].map(({ runtime }) => [runtime.instanceId, runtime]),
    );
    for (const lease of held) {
      assert.equal(containers.get(lease.instanceId)?.state, 'running');
      const { closed, broken } = lease.dispatcher as unknown as SimulatedConnections;
      assert.ok(!closed && !broken, 'its connections stay open');
    }
    for (const count of on.values()) assert.ok(count <= concurrency);
    // One whose secrets changed counts no more: another takes its place while it finishes.
    const isPresent = (instanceId: string) => {
      const labels = containers.get(instanceId)?.labels;
      if (!labels) return true;
      const target = sim.deployed.get(`${labels.deploymentId}/web`);
      const present = sim.fingerprints.get(`${labels.deploymentId}/web`);
      return labels.fingerprint === (present ?? target?.service.digest);
    };
    for (const deploymentId of new Set([...sim.deployed.values()].map((one) => one.deploymentId))) {
      const up = pool
        .instances()
        .filter(
          ({ target, state, reason, instanceId }) =>
            isPresent(instanceId) &&
            target.deploymentId === deploymentId &&
            ['idle', 'running', 'frozen', 'starting', 'pulling'].includes(state) &&
            reason === undefined,
        );
      assert.ok(up.length <= maxInstances, `${up.length} of ${maxInstances} instances`);
    }
  };

  for (let step = 0; step < steps; step++) {
    const what = next();
    if (what < 0.4) asked.add(ask(pool, current));
    else if (what < 0.65 && held.size > 0) {
      const lease = pick([...held]);
      held.delete(lease);
      lease.release({ broken: next() < 0.1 });
    } else if (what < 0.67) {
      // A deploy: the new one is probed, then the pointer moves; some requests still have the old one's name.
      const fresh = make(++deployments);
      const ensured = pool.ensure(fresh);
      await time.advance(1_000);
      assert.equal((await ensured).ready, true);
      sim.deployed.set(keyOf(fresh), fresh);
      sim.live.delete(keyOf(current));
      sim.live.add(keyOf(fresh));
      if (next() < 0.5) asked.add(ask(pool, current));
      void pool.pointersMoved();
      if (next() < 0.5) asked.add(ask(pool, current));
      current = fresh;
    } else if (what < 0.7) {
      sim.fingerprints.set(keyOf(current), `secret ${step}`);
      void pool.environmentChanged(current.projectId);
    } else if (what < 0.73) void pool.reconcile();
    else if (what < 0.75) driver.breakEvents();
    else {
      await time.advance(pick(moments));
      check();
    }
  }
  // Those that wait get their turn as others end, and nothing is left of all that but what is kept on purpose.
  for (let turn = 0; turn < steps && (asked.size > 0 || held.size > 0); turn++) {
    for (const lease of held) lease.release({});
    held.clear();
    await time.advance(1_000);
    check();
  }
  assert.equal(asked.size, 0, 'all had their turn');
  sim.live.clear();
  await time.advance(4_000_000);
  assert.deepEqual(pool.instances(), []);
  assert.equal(driver.containers.size, 0);
}

test(`in ${runs} generated orders of events no request fails, and nothing is left over`, async () => {
  for (let seed = 1; seed <= runs; seed++) {
    await play(seed).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    });
  }
});
