/** What ends a worker, or the primary, under load: nothing that was acknowledged is lost. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { inspectAtRest } from '../faults/support/at-rest.ts';
import { Load } from '../replicas/support/load.ts';
import { expectStatus } from '../spec/check.ts';
import { addQuery } from '../spec/client.ts';
import { content, mediaTypes } from '../spec/content.ts';
import { beginUpload, closeUpload, expectCreated, octets, sendChunk } from '../spec/push.ts';
import { runs, World } from './support/world.ts';

const soonMs = 3_000;

describe('faults of two workers', { timeout: 120_000 }, () => {
  let world: World;
  before(async () => {
    // What measures layers is a process of its own, which the signal to all ends.
    world = await World.start({ GANTRY_LOG_LEVEL: 'warn', GANTRY_MEASURE: 'off' });
  });
  after(() => world?.stop());

  /** Of all uploads: they grow as soon as a worker takes some. */
  const storedBytes = (): number =>
    globSync(join(world.data, 'blobs', '**'))
      .map((path) => statSync(path, { throwIfNoEntry: false }))
      .reduce((sum, entry) => sum + (entry?.isFile() ? entry.size : 0), 0);

  test('the sockets of the data folder are for this user alone', () => {
    for (const name of ['primary.sock', 'admin.sock'])
      assert.equal(statSync(join(world.data, name)).mode & 0o777, 0o600, name);
  });

  test('kill -9 of a worker under load: another takes its place, and all that was acknowledged is pulled', async (t) => {
    const load = new Load(world, 6, 'worker');
    await load.more(10, 30_000);
    for (let kill = 0; kill < 2; kill++) {
      const [victim] = world.workers();
      process.kill(victim!, 'SIGKILL');
      while (world.workers().includes(victim!)) await delay(10);
      await load.more(5, 15_000);
      await world.untilWorkers(2);
      await load.more(5, 15_000);
    }
    await load.stop();
    t.diagnostic(
      `${load.acknowledged.length} images, ${load.refused.length} refused, ${load.broken} connections broken`,
    );
    assert.ok(world.workers().length === 2 && runs(world.server.pid));
    await load.check();
  });

  test('an upload goes on at another worker after the one that had it died in the middle of a chunk', async () => {
    const repository = `${world.project}/orphan`;
    const [one, other] = (await world.each()) as [
      Awaited<ReturnType<World['each']>>[0],
      Awaited<ReturnType<World['each']>>[0],
    ];
    const blob = content(randomBytes(3 << 20), mediaTypes.bytes);
    const location = await beginUpload(one.registry, repository);
    const first = await sendChunk(one.registry, location, blob.bytes.subarray(0, 1 << 20), 0);
    const going = expectStatus(first, 202).location();
    const before = storedBytes();
    const stuck = async function* () {
      yield blob.bytes.subarray(1 << 20, 2 << 20);
      await new Promise(() => {});
      yield Buffer.alloc(0);
    };
    const lost = one.registry.ask('PATCH', going, { headers: octets, body: stuck() }).then(
      () => assert.fail('it was answered'),
      () => {},
    );
    while (storedBytes() === before) await delay(10);
    // It is taken: the other one says so.
    expectStatus(
      await sendChunk(other.registry, going, blob.bytes.subarray(1 << 20, 2 << 20), 1 << 20),
      409,
    );
    // Which of both has it, its process id does not say.
    for (const pid of world.workers()) process.kill(pid, 'SIGKILL');
    await lost;
    await world.each();
    const next = world.registry();
    const asked = expectStatus(await next.get(going), 204);
    assert.equal(asked.header('range'), `0-${(1 << 20) - 1}`);
    const rest = await next.ask('PATCH', going, {
      headers: octets,
      body: blob.bytes.subarray(1 << 20),
    });
    const end = await closeUpload(next, expectStatus(rest, 202).location(), blob.digest);
    await expectCreated(next, end, blob);
  });

  test('kill -9 of the primary under load ends the workers; it starts again, and nothing is lost', async (t) => {
    const load = new Load(world, 6, 'primary');
    await load.more(10, 30_000);
    const workers = world.workers();
    await world.server.end('SIGKILL');
    const killedAt = performance.now();
    while (workers.some(runs)) {
      assert.ok(performance.now() - killedAt < soonMs, 'workers live on without it');
      await delay(10);
    }
    t.diagnostic(`no worker ${Math.round(performance.now() - killedAt)} ms after the kill`);
    assert.deepEqual(inspectAtRest(world.data).problems, []);
    await world.begin();
    await load.more(10, 30_000);
    await load.stop();
    await load.check();
  });

  test('SIGTERM to all processes: what is under way is finished, the rest is refused, and it exits 0', async () => {
    const blob = content(randomBytes(4 << 20), mediaTypes.bytes);
    const repository = `${world.project}/drained`;
    const [one] = await world.each();
    const location = await beginUpload(one!.registry, repository);
    const stored = storedBytes();
    const goOn = Promise.withResolvers<void>();
    const slow = async function* () {
      yield blob.bytes.subarray(0, 1 << 20);
      await goOn.promise;
      yield blob.bytes.subarray(1 << 20);
    };
    const target = addQuery(location, { digest: blob.digest });
    const push = one!.registry.ask('PUT', target, { headers: octets, body: slow() });
    while (storedBytes() === stored) await delay(10);
    const before = world.server.output().length;
    // As a terminal does, and systemd.
    for (const pid of world.workers()) process.kill(pid, 'SIGTERM');
    const ended = world.server.end('SIGTERM');
    const fresh = world.registry();
    const began = performance.now();
    for (;;) {
      const answer = await fresh.get('/v2/', { check: false }).catch(() => undefined);
      if (!answer) break;
      assert.ok(performance.now() - began < soonMs, 'it takes new connections');
    }
    goOn.resolve();
    expectStatus(await push, 201);
    assert.deepEqual(await ended, { code: 0, signal: null });
    assert.deepEqual(world.workers(), []);
    assert.deepEqual(errorsIn(world.server.output().slice(before)), []);
    await world.begin();
    const got = expectStatus(
      await world.registry().get(`/v2/${repository}/blobs/${blob.digest}`),
      200,
    );
    assert.ok(got.body.equals(blob.bytes));
  });

  test('for GANTRY_DRAIN_DELAY workers go on, and none of them is ready', async () => {
    await world.server.end('SIGTERM');
    await world.begin({ GANTRY_DRAIN_DELAY: '6s' });
    const ended = world.server.end('SIGTERM');
    // Each by a new connection, which any worker may take.
    const fresh = world.registry();
    const began = performance.now();
    for (let inRow = 0; inRow < 12; ) {
      const { status } = await fresh.get('/readyz', { check: false });
      inRow = status === 503 ? inRow + 1 : 0;
      assert.ok(performance.now() - began < soonMs, 'one says that it is ready');
    }
    expectStatus(await fresh.get('/v2/'), 200);
    assert.deepEqual(await ended, { code: 0, signal: null });
    await world.begin();
  });
});

function errorsIn(output: string): string[] {
  return output.split('\n').filter((line) => line.includes('"level":"error"'));
}
