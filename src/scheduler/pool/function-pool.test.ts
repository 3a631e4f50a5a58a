import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActivationError } from '../activation.ts';
import { ask, simulate, simulatedTarget } from '../simulation/simulation-kit.ts';

test('the first request starts an instance, waits for it, and is told where its time went', async () => {
  const { time, pool, told, driver } = simulate();
  const target = simulatedTarget();
  const first = ask(pool, target);
  await time.advance(600);
  assert.equal(first.result, undefined);
  await time.advance(100);
  const lease = first.result!;
  assert.equal(lease.origin, 'http://10.0.0.1:80');
  assert.deepEqual(
    { ...lease.start, boot: Math.round(lease.start!.boot / 50) * 50 },
    { from: 'nothing', queue: 0, pull: 500, create: 20, boot: 100 },
  );
  assert.equal(lease.place.instanceId, lease.instanceId);
  const second = ask(pool, target);
  await time.settle();
  assert.equal(second.result?.instanceId, lease.instanceId);
  assert.equal(second.result?.start, undefined);
  lease.release({});
  second.result!.release({});
  assert.deepEqual(
    told.map(({ state }) => state),
    ['pending', 'starting', 'idle', 'running', 'idle'],
  );
  assert.equal(driver.calls.create, 1);
});

test('without requests it is frozen after 5 s and ended after 300 s; a preview after 30 s', async () => {
  for (const [environment, idleMs] of [
    ['production', 300_000],
    ['preview', 30_000],
  ] as const) {
    const { time, pool, driver } = simulate({ settings: { createdAheadMs: 0 } });
    const asked = ask(pool, simulatedTarget({ environment }));
    await time.advance(1_000);
    asked.result!.release({});
    await time.advance(4_900);
    assert.equal(driver.count('running'), 1);
    await time.advance(200);
    assert.equal(driver.count('frozen'), 1);
    await time.advance(idleMs - 5_200);
    assert.equal(driver.count('frozen'), 1);
    await time.advance(500);
    assert.equal(driver.containers.size, 0);
    assert.deepEqual(pool.instances(), []);
  }
});

test('a frozen instance is thawed for a request; one that is being frozen takes it once that is done', async () => {
  const { time, pool, driver } = simulate();
  const target = simulatedTarget();
  ask(pool, target).lease.then((lease) => lease.release({}));
  await time.advance(10_000);
  assert.equal(driver.count('frozen'), 1);
  const thawed = ask(pool, target);
  await time.advance(6);
  assert.equal(thawed.result?.start?.from, 'frozen');
  assert.equal(thawed.result?.start?.boot, 5);
  thawed.result!.release({});
  // In the middle of freezing.
  await time.advance(5_002);
  const during = ask(pool, target);
  await time.advance(20);
  assert.equal(during.result?.start?.from, 'frozen');
  assert.equal(driver.calls.start, 1);
  during.result!.release({});
});

test('a queue is bounded: 503 while instances start, 429 when all that may be are busy', async () => {
  const { time, pool } = simulate({ settings: { queueLimit: 2 } });
  const target = simulatedTarget({ settings: { concurrency: 1, maxInstances: 1 } });
  const asked = [1, 2, 3].map(() => ask(pool, target));
  await time.settle();
  const starting = asked[2]!.error as ActivationError;
  assert.ok(starting instanceof ActivationError);
  assert.deepEqual([starting.status, starting.code], [503, 'QUEUE_FULL']);
  assert.ok(starting.retryAfterSeconds! >= 1);
  await time.advance(1_000);
  assert.ok(asked[0]!.result);
  ask(pool, target);
  const over = ask(pool, target);
  await time.settle();
  const busy = over.error as ActivationError;
  assert.deepEqual([busy.status, busy.code], [429, 'TOO_MANY_REQUESTS']);
  asked[0]!.result!.release({});
  await time.settle();
  assert.ok(asked[1]!.result, 'the next in line has its place');
});

test('a client that goes leaves the queue', async () => {
  const { time, pool } = simulate({ settings: { queueLimit: 1 } });
  const target = simulatedTarget();
  const gone = ask(pool, target);
  gone.abort.abort(new Error('gone'));
  await time.settle();
  assert.equal((gone.error as Error).message, 'gone');
  const next = ask(pool, target);
  await time.advance(1_000);
  assert.ok(next.result);
});

test('requests at once start as many instances as they need, and no more than may be', async () => {
  const { time, pool, driver } = simulate();
  const target = simulatedTarget({ settings: { concurrency: 2, maxInstances: 3 } });
  const asked = Array.from({ length: 5 }, () => ask(pool, target));
  await time.advance(1_000);
  assert.ok(asked.every(({ result }) => result));
  assert.equal(driver.count('running'), 3);
  const more = Array.from({ length: 5 }, () => ask(pool, target));
  await time.advance(1_000);
  assert.equal(more.filter(({ result }) => result).length, 1);
  assert.equal(driver.count('running'), 3);
});
