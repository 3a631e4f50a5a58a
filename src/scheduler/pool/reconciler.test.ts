import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceLabels } from '../../ports/runtime-driver.ts';
import type { ActivationTarget } from '../activation.ts';
import { createPoolProber } from '../deployments/pool-prober.ts';
import { ProbeError } from '../deployments/prober.ts';
import {
  ask,
  keyOf,
  type Simulation,
  simulate,
  simulatedTarget,
} from '../simulation/simulation-kit.ts';

function deploy(sim: Simulation, target: ActivationTarget, isLive = true): ActivationTarget {
  sim.deployed.set(keyOf(target), target);
  if (isLive) sim.live.add(keyOf(target));
  return target;
}

/** The process is gone: nothing of it acts any more, and its engine goes on. */
async function killed(sim: Simulation): Promise<Simulation> {
  const drained = sim.pool.drain({ keep: true, withinMs: 0 });
  await sim.time.advance(1);
  await drained;
  return sim.again();
}

test('a new process takes over what runs, what is frozen and what was created ahead', async () => {
  const sim = simulate();
  const busy = deploy(sim, simulatedTarget({ deploymentId: 'busy' }));
  const asleep = deploy(sim, simulatedTarget({ deploymentId: 'asleep' }));
  await sim.pool.start();
  const ready = sim.pool.ensure(asleep);
  await sim.time.advance(1_000);
  assert.equal((await ready).ready, true);
  await sim.time.advance(10_000);
  const running = ask(sim.pool, busy);
  await sim.time.advance(1_000);
  const ids = [...sim.driver.containers.keys()].sort();
  assert.equal(ids.length, 3, 'running, frozen, and created ahead by the deploy');
  const next = await killed(sim);
  const started = next.pool.start();
  await next.time.advance(100);
  await started;
  assert.deepEqual([...next.driver.containers.keys()].sort(), ids);
  const states = next.pool.instances().map(({ state }) => state);
  assert.deepEqual(states.sort(), ['frozen', 'idle', 'pending']);
  const again = ask(next.pool, busy);
  const thawed = ask(next.pool, asleep);
  await next.time.advance(10);
  assert.equal(again.result?.instanceId, running.result!.instanceId);
  assert.ok(thawed.result);
  assert.equal(next.driver.calls.create, 3);
});

test('an instance taken over of a deployment that no pointer names any more ends soon', async () => {
  const sim = simulate();
  const old = deploy(sim, simulatedTarget({ deploymentId: 'old' }));
  const asked = ask(sim.pool, old);
  await sim.time.advance(1_000);
  assert.ok(asked.result);
  const next = await killed(sim);
  next.live.clear();
  await next.pool.start();
  assert.equal(next.driver.containers.size, 1);
  await next.time.advance(12_000);
  assert.equal(next.driver.containers.size, 0);
});

test('what nobody needs is removed: gone deployments, other fingerprints, ended ones, more than may be', async () => {
  const sim = simulate({ settings: { createdAheadMs: 0 } });
  const targets = ['gone', 'changed', 'ended', 'kept'].map((deploymentId) =>
    deploy(sim, simulatedTarget({ deploymentId, settings: { concurrency: 1, maxInstances: 2 } })),
  );
  const asked = [...targets, targets[3]!].map((target) => ask(sim.pool, target));
  await sim.time.advance(1_000);
  assert.ok(asked.every(({ result }) => result));
  const next = await killed(sim);
  next.deployed.delete('gone/web');
  next.live.clear();
  next.fingerprints.set('changed/web', 'another');
  const kept = simulatedTarget({ deploymentId: 'kept', settings: { maxInstances: 1 } });
  next.deployed.set('kept/web', kept);
  const ended = asked[2]!.result!.instanceId;
  for (const { runtime } of next.driver.containers.values()) {
    if (runtime.instanceId === ended) next.driver.exit(runtime.id, { code: 1, outOfMemory: false });
  }
  await next.pool.start();
  assert.equal(next.driver.containers.size, 1);
  assert.equal(next.pool.instances()[0]!.target.deploymentId, 'kept');
});

test('instances of others on the same engine, and sandboxes, are left alone', async () => {
  const sim = simulate();
  const labels: InstanceLabels = {
    ...{ installation: 'elsewhere', kind: 'function', teamId: 't', projectId: 'p' },
    ...{ deploymentId: 'd', service: 's', fingerprint: 'f', createdAt: 0 },
  };
  const runtime = (id: string, more: Partial<InstanceLabels>) =>
    sim.driver.containers.set(id, {
      runtime: {
        ...{ id, instanceId: id, state: 'running', address: '10.0.0.9', exit: undefined },
        labels: { ...labels, ...more },
      },
      image: {},
      listensAt: 0,
      ended: Promise.withResolvers(),
    });
  runtime('theirs', {});
  runtime('sandbox', { installation: 'here', kind: 'sandbox' });
  await sim.pool.start();
  assert.equal(sim.driver.containers.size, 2);
});

test('least numbers follow the pointers: the new deployment has its own, the old one ends without a failed request', async () => {
  const sim = simulate({ settings: { createdAheadMs: 0 } });
  const { time, pool, driver } = sim;
  const old = deploy(sim, simulatedTarget({ deploymentId: 'old', settings: { minInstances: 2 } }));
  await pool.start();
  await time.advance(1_000);
  assert.equal(driver.count('running'), 2);
  const inFlight = ask(pool, old);
  await time.settle();
  const fresh = simulatedTarget({ deploymentId: 'new', settings: { minInstances: 1 } });
  const ensured = pool.ensure(fresh);
  await time.advance(1_000);
  assert.equal((await ensured).ready, true);
  deploy(sim, fresh);
  sim.live.delete(keyOf(old));
  await pool.pointersMoved();
  const late = ask(pool, old);
  await time.settle();
  assert.ok(late.result, 'who resolved the name just before is served');
  late.result.release({});
  await time.advance(60_000);
  assert.equal(pool.instances().filter(({ target }) => target === old).length, 1);
  inFlight.result!.release({});
  await time.advance(60_000);
  const left = pool.instances().map(({ target }) => target.deploymentId);
  assert.deepEqual(left, ['new']);
});

test('events that were lost are made up by the list', async () => {
  const sim = simulate();
  const target = deploy(sim, simulatedTarget({ settings: { minInstances: 1 } }));
  await sim.pool.start();
  await sim.time.advance(70_000);
  sim.driver.connected = false;
  const [id] = sim.driver.containers.keys();
  sim.driver.exit(id!, { code: 1, outOfMemory: false });
  sim.driver.connected = true;
  await sim.time.advance(31_000);
  assert.ok(!sim.driver.containers.has(id!));
  const next = ask(sim.pool, target);
  await sim.time.advance(1_000);
  assert.ok(next.result);
});

test('what an engine did after all, long after it was asked, is removed', async () => {
  const sim = simulate({ settings: { createdAheadMs: 0 } });
  const target = deploy(sim, simulatedTarget());
  await sim.pool.start();
  const asked = ask(sim.pool, target);
  await sim.time.advance(510);
  sim.driver.mode = 'hung';
  await sim.time.advance(100_000);
  assert.ok(asked.error);
  sim.driver.mode = 'up';
  await sim.time.advance(60_000);
  assert.equal(sim.driver.containers.size, 0);
});

test('secrets that change replace instances: requests in flight finish, and the next ones meet the new', async () => {
  const sim = simulate({ settings: { createdAheadMs: 0 } });
  const { time, pool } = sim;
  const target = deploy(sim, simulatedTarget());
  const before = ask(pool, target);
  await time.advance(1_000);
  sim.fingerprints.set(keyOf(target), 'two');
  await pool.environmentChanged(target.projectId);
  await time.advance(1_000);
  const after = ask(pool, target);
  await time.settle();
  assert.ok(after.result);
  assert.notEqual(after.result.instanceId, before.result!.instanceId);
  assert.equal(pool.instances().find(({ state }) => state === 'draining')?.inFlight, 1);
  before.result!.release({});
  await time.advance(1_000);
  assert.equal(sim.driver.containers.size, 1);
});

test('a container that was created ahead starts next; not one of other settings, nor one that is too old', async () => {
  const sim = simulate({ settings: { createdAheadMs: 600_000 } });
  const { time, pool, driver } = sim;
  const target = deploy(sim, simulatedTarget());
  await pool.start();
  ask(pool, target).lease.then((lease) => lease.release({}));
  await time.advance(310_000);
  assert.equal(driver.count('created'), 1, 'after the last one ended');
  assert.equal(driver.containers.size, 1);
  const next = ask(pool, target);
  await time.advance(150);
  assert.equal(next.result?.start?.from, 'created');
  assert.equal(next.result?.start?.create, 0);
  next.result!.release({});
  await time.advance(310_000);
  assert.equal(driver.count('created'), 1);
  sim.fingerprints.set(keyOf(target), 'two');
  const changed = ask(pool, target);
  await time.advance(200);
  assert.equal(changed.result?.start?.from, 'image');
  changed.result!.release({});
  await time.advance(310_000);
  const [first] = driver.containers.keys();
  assert.equal(driver.count('created'), 1);
  await time.advance(610_000);
  assert.equal(driver.count('created'), 1);
  assert.ok(!driver.containers.has(first!), 'another one: the first was too old');
  sim.live.clear();
  await time.advance(31_000);
  assert.equal(driver.containers.size, 0, 'its deployment is not live any more');
  assert.deepEqual(pool.instances(), []);
});

test('drain ends all, requests in flight first; kept instances stay for the next process', async () => {
  const sim = simulate();
  const target = deploy(sim, simulatedTarget());
  const asked = ask(sim.pool, target);
  await sim.time.advance(1_000);
  const draining = sim.pool.drain({ keep: false, withinMs: 60_000 });
  const late = ask(sim.pool, target);
  await sim.time.advance(10_000);
  assert.equal((late.error as { code: string }).code, 'STOPPING');
  assert.equal(sim.driver.containers.size, 1);
  asked.result!.release({});
  await sim.time.advance(1_000);
  await draining;
  assert.equal(sim.driver.containers.size, 0);
});

test('a paused service ends and refuses; resumed, it starts again', async () => {
  const sim = simulate();
  const target = deploy(sim, simulatedTarget());
  ask(sim.pool, target).lease.then((lease) => lease.release({}));
  await sim.time.advance(1_000);
  const pausing = sim.pool.pause(target.projectId, 'web');
  await sim.time.advance(1_000);
  await pausing;
  assert.equal(sim.driver.containers.size, 0);
  const refused = ask(sim.pool, target);
  await sim.time.settle();
  assert.equal((refused.error as { code: string }).code, 'PAUSED');
  sim.pool.resume(target.projectId, 'web');
  const again = ask(sim.pool, target);
  await sim.time.advance(1_000);
  assert.ok(again.result);
});

test('a service that is paused while a deployment of it starts: that says nothing of the deployment', async () => {
  const sim = simulate();
  const target = deploy(sim, simulatedTarget());
  sim.driver.behaviours.set(target.service.digest, { bootMs: 60_000 });
  const { pool } = sim;
  const told = createPoolProber(pool)
    .ensure(target, new AbortController().signal)
    .catch((error: ProbeError) => error);
  await sim.time.advance(1_000);
  const pausing = pool.pause(target.projectId, 'web');
  await sim.time.advance(1_000);
  await pausing;
  const error = await told;
  assert.ok(error instanceof ProbeError);
  assert.equal(error.reason, undefined, 'it is tried again');
  assert.match(error.message, /paused/);
});

test('SIGTERM, and SIGKILL after the grace', async () => {
  const sim = simulate({ settings: { createdAheadMs: 0, graceMs: 30_000 } });
  const target = deploy(sim, simulatedTarget({ environment: 'preview' }));
  sim.driver.behaviours.set(target.service.digest, { stopsMs: 40_000 });
  ask(sim.pool, target).lease.then((lease) => lease.release({}));
  await sim.time.advance(32_000);
  assert.equal(sim.pool.instances()[0]!.state, 'terminating');
  await sim.time.advance(28_000);
  assert.equal(sim.driver.containers.size, 1);
  await sim.time.advance(2_000);
  assert.equal(sim.driver.containers.size, 0);
  assert.equal(sim.told.at(-1)!.state, 'terminated');
});
