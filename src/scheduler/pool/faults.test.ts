import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ActivationError } from '../activation.ts';
import { ask, keyOf, simulate, simulatedTarget } from '../simulation/simulation-kit.ts';

const errorOf = ({ error }: { error: unknown }) => error as ActivationError;

test('a container that ends at its start is told at once, with its last lines; then starts wait longer and longer', async () => {
  const { time, pool, driver, told } = simulate();
  const target = simulatedTarget();
  driver.behaviours.set(target.service.digest, {
    bootMs: 60_000,
    exits: { afterMs: 50, code: 3 },
    logs: ['no config'],
  });
  const first = ask(pool, target);
  await time.advance(1_000);
  assert.equal(errorOf(first).status, 502);
  assert.equal(errorOf(first).code, 'FUNCTION_NOT_STARTED');
  assert.match(errorOf(first).message, /exit code 3/);
  assert.match(errorOf(first).answer!.body, /no config/);
  assert.equal(driver.containers.size, 0, 'nothing is left of it');
  assert.equal(pool.instances()[0]!.state, 'crash-backoff');
  const waits: number[] = [];
  for (let n = 0; n < 4; n++) {
    const refused = ask(pool, target);
    await time.settle();
    assert.equal(errorOf(refused).status, 503);
    assert.equal(errorOf(refused).code, 'CRASH_BACKOFF');
    assert.match(errorOf(refused).message, /exit code 3/);
    waits.push(errorOf(refused).retryAfterSeconds!);
    await time.advance(errorOf(refused).retryAfterSeconds! * 1_000);
    const again = ask(pool, target);
    await time.advance(500);
    assert.equal(errorOf(again).status, 502, 'a start was tried');
  }
  assert.deepEqual(waits, [1, 2, 4, 8]);
  assert.ok(told.some(({ state }) => state === 'dead'));
});

test('one that served for long and ends soon after a thaw is replaced at once', async () => {
  const { time, pool, driver, told } = simulate();
  await pool.start();
  const target = simulatedTarget({ settings: { freezeAfterMs: 5_000 } });
  const first = ask(pool, target);
  await time.advance(1_000);
  first.result!.release({});
  await time.advance(70_000);
  assert.equal(told.at(-1)!.state, 'frozen');
  const second = ask(pool, target);
  await time.advance(100);
  second.result!.release({});
  const [id] = driver.containers.keys();
  driver.exit(id!, { code: 137, outOfMemory: false });
  await time.settle();
  const third = ask(pool, target);
  await time.advance(1_000);
  assert.ok(third.result, String(third.error));
});

test('out of memory at the start says so', async () => {
  const { time, pool, driver } = simulate();
  const target = simulatedTarget();
  const exits = { afterMs: 50, code: 137, outOfMemory: true };
  driver.behaviours.set(target.service.digest, { bootMs: 60_000, exits });
  const asked = ask(pool, target);
  await time.advance(1_000);
  assert.match(errorOf(asked).answer!.body, /out of memory/);
});

test('nothing listens: after the start limit, and not before; 127.0.0.1 only is told apart, and sooner', async () => {
  const { time, pool, driver } = simulate();
  const silent = simulatedTarget({ digest: 'sha256:1', settings: { startTimeoutMs: 20_000 } });
  driver.behaviours.set('sha256:1', { listens: 'nowhere' });
  const asked = ask(pool, silent);
  await time.advance(20_000);
  assert.equal(asked.error, undefined);
  await time.advance(1_000);
  assert.match(errorOf(asked).answer!.body, /"reason":"timeout"/);
  const loopback = simulatedTarget({ deploymentId: 'dpl_2', digest: 'sha256:2' });
  driver.behaviours.set('sha256:2', { listens: 'loopback-only' });
  const second = ask(pool, loopback);
  await time.advance(7_000);
  assert.match(errorOf(second).message, /127\.0\.0\.1 only/);
});

test('an instance that dies takes no queued request with it; a break of its connections fails those on it', async () => {
  const { time, pool, driver } = simulate();
  await pool.start();
  const target = simulatedTarget({ settings: { concurrency: 1, maxInstances: 1 } });
  const on = ask(pool, target);
  await time.advance(70_000);
  const queued = ask(pool, target);
  const connections = on.result!.dispatcher as unknown as { broken: boolean };
  const [id] = driver.containers.keys();
  driver.exit(id!, { code: 1, outOfMemory: false });
  await time.settle();
  assert.equal(connections.broken, true);
  on.result!.release({ broken: true });
  await time.advance(1_000);
  assert.ok(queued.result, 'another was started for it');
  assert.notEqual(queued.result.instanceId, on.result!.instanceId);
});

test('one that could not be reached is looked at, and ended where it does not listen', async () => {
  const { time, pool, driver } = simulate();
  const target = simulatedTarget();
  const first = ask(pool, target);
  await time.advance(70_000);
  driver.behaviours.clear();
  const [container] = driver.containers.values();
  container!.listensAt = Number.POSITIVE_INFINITY;
  first.result!.release({ broken: true });
  const next = ask(pool, target);
  await time.advance(1_000);
  assert.ok(next.result);
  assert.notEqual(next.result.instanceId, first.result!.instanceId);
});

test('one that ended out of memory says so, also where its connections broke before the engine told', async () => {
  const { time, pool, driver, told } = simulate();
  await pool.start();
  const first = ask(pool, simulatedTarget());
  await time.advance(70_000);
  const [id] = driver.containers.keys();
  driver.containers.get(id!)!.listensAt = Number.POSITIVE_INFINITY;
  first.result!.release({ broken: true });
  await time.advance(100);
  driver.exit(id!, { code: 137, outOfMemory: true });
  await time.advance(1_000);
  assert.match(told.find(({ state }) => state === 'dead')!.reason!, /out of memory/);
});

test('an engine that is away for a moment costs waiting; one that stays away a 503; both are over when it is back', async () => {
  const { time, pool, driver } = simulate();
  await pool.start();
  const target = simulatedTarget();
  driver.mode = 'down';
  const patient = ask(pool, target);
  await time.advance(3_000);
  driver.mode = 'up';
  await time.advance(6_000);
  assert.ok(patient.result);
  const other = simulatedTarget({ deploymentId: 'dpl_2' });
  driver.mode = 'down';
  const refused = ask(pool, other);
  await time.advance(11_000);
  assert.equal(errorOf(refused).code, 'ENGINE_UNAVAILABLE');
  assert.ok(errorOf(refused).retryAfterSeconds);
  const atOnce = ask(pool, other);
  await time.settle();
  assert.equal(errorOf(atOnce).code, 'ENGINE_UNAVAILABLE');
  driver.mode = 'up';
  await time.advance(6_000);
  const after = ask(pool, other);
  await time.advance(1_000);
  assert.ok(after.result);
});

test('an engine that hangs: requests get a 503 in bounded time, and it recovers', async () => {
  const { time, pool, driver } = simulate();
  await pool.start();
  const target = simulatedTarget();
  const warm = ask(pool, target);
  await time.advance(1_000);
  driver.mode = 'hung';
  const placed = ask(pool, target);
  await time.settle();
  assert.ok(placed.result, 'what runs goes on');
  const cold = ask(pool, simulatedTarget({ deploymentId: 'dpl_2' }));
  await time.advance(75_000);
  assert.equal(errorOf(cold).code, 'ENGINE_UNAVAILABLE');
  driver.mode = 'up';
  await time.advance(20_000);
  const after = ask(pool, simulatedTarget({ deploymentId: 'dpl_2' }));
  await time.advance(1_000);
  assert.ok(after.result);
  warm.result!.release({});
  placed.result.release({});
  after.result.release({});
  await time.advance(400_000);
  assert.equal(driver.count('running') + driver.count('frozen'), 0);
});

test('a restart of the engine: instances are found dead, and requests start others', async () => {
  const { time, pool, driver, live, deployed } = simulate();
  const target = simulatedTarget({ settings: { minInstances: 1 } });
  deployed.set(keyOf(target), target);
  live.add(keyOf(target));
  await pool.start();
  await time.advance(70_000);
  const before = pool.instances().map(({ instanceId }) => instanceId);
  assert.equal(before.length, 1);
  driver.mode = 'down';
  driver.restart();
  await time.advance(2_000);
  driver.mode = 'up';
  await time.advance(6_000);
  const next = ask(pool, target);
  await time.advance(2_000);
  assert.ok(next.result);
  assert.ok(!before.includes(next.result.instanceId));
  assert.equal(driver.containers.size, 1, 'no duplicates, nothing left over');
});

test('memory is bounded: the one idle for the longest goes; with none to go, a 503', async () => {
  const { time, pool, driver } = simulate({ settings: { memory: 4e9, createdAheadMs: 0 } });
  const [a, b, c] = ['a', 'b', 'c'].map((name) => simulatedTarget({ deploymentId: name }));
  const first = ask(pool, a!);
  const second = ask(pool, b!);
  await time.advance(1_000);
  const refused = ask(pool, c!);
  await time.settle();
  assert.equal(errorOf(refused).code, 'NO_CAPACITY');
  first.result!.release({});
  await time.advance(100);
  const third = ask(pool, c!);
  await time.advance(1_000);
  assert.ok(third.result);
  assert.equal(driver.count('running'), 2);
  second.result!.release({});
});

test('an engine that hangs is found out by those who wait: within ten seconds, while what runs goes on', async () => {
  const { time, pool, driver } = simulate();
  await pool.start();
  const warm = simulatedTarget();
  const first = ask(pool, warm);
  await time.advance(1_000);
  first.result!.release({});
  driver.mode = 'hung';
  const cold = ask(pool, simulatedTarget({ deploymentId: 'dpl_2', digest: 'sha256:2' }));
  await time.advance(3_000);
  const again = ask(pool, warm);
  await time.settle();
  assert.ok(again.result, String(again.error));
  await time.advance(6_000);
  assert.equal(cold.error, undefined);
  await time.advance(1_600);
  assert.equal(errorOf(cold).code, 'ENGINE_UNAVAILABLE');
  driver.mode = 'up';
  await time.advance(40_000);
  const after = ask(pool, simulatedTarget({ deploymentId: 'dpl_3', digest: 'sha256:3' }));
  await time.advance(2_000);
  assert.ok(after.result, String(after.error));
});

test('an instance that is killed from outside soon after its start is replaced at once; again and again is a crash', async () => {
  const { time, pool, driver } = simulate();
  await pool.start();
  const target = simulatedTarget();
  const kill = async () => {
    const running = [...driver.containers].find(([, { runtime }]) => runtime.state === 'running');
    driver.exit(running![0], { code: 137, outOfMemory: false });
    await time.settle();
  };
  const served = async () => {
    const one = ask(pool, target);
    await time.advance(1_000);
    one.result?.release({});
    return one;
  };
  assert.ok((await served()).result);
  await kill();
  assert.ok((await served()).result, 'no back-off');
  await kill();
  assert.equal(errorOf(await served()).code, 'CRASH_BACKOFF');
});

test('an instance that ran out of memory soon after its start is a crash', async () => {
  const { time, pool, driver } = simulate();
  await pool.start();
  const target = simulatedTarget();
  const one = ask(pool, target);
  await time.advance(1_000);
  one.result!.release({});
  const [id] = driver.containers.keys();
  driver.exit(id!, { code: 137, outOfMemory: true });
  await time.settle();
  const refused = ask(pool, target);
  await time.settle();
  assert.equal(errorOf(refused).code, 'CRASH_BACKOFF');
});
