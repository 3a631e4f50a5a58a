import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from '../../observability/metrics.ts';
import { openRecords } from './open-records.ts';
import { begin, digest, openTestRecords, requestId, target, turns } from './records-test-kit.ts';

const web = target();
const [one, two, three] = [requestId(1), requestId(2), requestId(3)];

test('metering: CPU in flight alone, memory by time in flight, once for all requests', async (t) => {
  const { to, start, end, pass, driver, usage, close } = await openTestRecords(t);
  const cpu = (ms: number) =>
    driver.cpu.set('engine-ins_1', { cpuMicros: ms * 1000, memory: 1, pids: 1 });
  cpu(400);
  to(web, 'ins_1', 'idle');
  await turns();
  // Something of its own, between requests.
  cpu(900);
  pass(10_000);
  start(web, 'ins_1', one);
  await turns();
  pass(1000);
  start(web, 'ins_1', two);
  cpu(950);
  pass(1000);
  end(web, 'ins_1', one);
  pass(2000);
  cpu(1100);
  end(web, 'ins_1', two);
  await turns();
  pass(60_000);
  cpu(5000);
  end(web, undefined, three, { status: 503 });
  driver.end('engine-ins_1');
  to(web, 'ins_1', 'terminated');
  await close();
  const events = await usage();
  assert.equal(events.length, 1);
  const [event] = events;
  assert.deepEqual(
    [event?.activeCpuMs, event?.memoryMbMs, event?.invocations, event?.kind],
    [200, 4000 * 512, 2, 'run'],
  );
  assert.equal(event?.from, begin + 10_000);
});

test('metering: a long request is written down each minute, so a crash loses no more', async (t) => {
  const { to, start, pass, driver, usage } = await openTestRecords(t, {
    times: {
      recorder: { flushMs: 1 },
      metering: { lookMs: 1, leastMs: 0, spanMs: 50_000, storageMs: 3_600_000 },
    },
  });
  driver.cpu.set('engine-ins_1', { cpuMicros: 0, memory: 1, pids: 1 });
  to(web, 'ins_1', 'idle');
  start(web, 'ins_1', one);
  const day = await usage();
  assert.deepEqual(day, []);
  for (let minute = 1; minute <= 3; minute++) {
    pass(55_000);
    driver.cpu.set('engine-ins_1', { cpuMicros: minute * 1_000_000, memory: 1, pids: 1 });
    while ((await usage()).length < minute) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const events = await usage();
  assert.equal(
    events.reduce((sum, event) => sum + event.memoryMbMs, 0),
    165_000 * 512,
  );
  assert.ok(events.reduce((sum, event) => sum + event.activeCpuMs, 0) >= 2000);
  assert.equal(
    events.reduce((sum, event) => sum + event.invocations, 0),
    1,
  );
});

test('metering: a pull costs memory by its time, and nothing where the image was there', async (t) => {
  const { records, usage, close } = await openTestRecords(t);
  const pulled = { target: web, instanceId: undefined, memory: 1024 << 20, from: begin };
  records.observer.pulled({ ...pulled, to: begin + 10_000, cached: false });
  records.observer.pulled({ ...pulled, to: begin, cached: true });
  await close();
  const events = await usage();
  assert.deepEqual(
    events.map(({ kind, memoryMbMs, invocations }) => [kind, memoryMbMs, invocations]),
    // 1 GB for 10 seconds: 10 GB-seconds.
    [['pull', 10 * 1024 * 1000, 0]],
  );
});

test('metering: storage counts once a day, however often Gantry starts', async (t) => {
  const { deps, usage, close, metadata } = await openTestRecords(t);
  await close();
  const repository = await metadata.writer.run('EnsureRepository', {
    ...{ id: 'repo_1', projectId: 'prj_1', name: 'web', visibility: 'private', actor: 'ci' },
    ...{ limits: { plan: 'pro' }, now: begin },
  });
  const upload = { id: 'upl_1', repositoryId: repository.id, now: begin };
  await metadata.writer.run('StartUpload', {
    ...{ ...upload, subject: 's', algorithm: 'sha256', expiresAt: begin + 1 },
  });
  await metadata.writer.run('FinishUpload', { ...upload, digest, size: 3 << 20 });
  for (let times = 0; times < 2; times++) {
    const again = await openRecords({
      ...deps,
      metrics: new Metrics(),
    });
    await turns();
    await again.close();
  }
  const [event, ...more] = await usage();
  assert.deepEqual(more, []);
  assert.equal(event?.memoryMbMs, 3 * 86_400_000);
  assert.match(event?.id ?? '', /^mtr_[0-9a-f]{32}$/);
  const day = Date.UTC(2026, 10, 21);
  assert.deepEqual([event?.kind, event?.from, event?.to], ['storage', day, day + 86_400_000]);
});

test('metering: a request that was sent to another instance is in flight there alone', async (t) => {
  const { to, start, end, pass, usage, close } = await openTestRecords(t);
  for (const id of ['ins_1', 'ins_2']) to(web, id, 'idle');
  start(web, 'ins_1', one);
  pass(10);
  start(web, 'ins_2', one);
  pass(90);
  end(web, 'ins_2', one, { totalMs: 100 });
  // Another, whose instance broke, and which found no other.
  start(web, 'ins_1', two);
  pass(5);
  end(web, undefined, two, { status: 502, error: 'broken', totalMs: 5 });
  pass(60_000);
  await close();
  const memory = Map.groupBy(await usage(), ({ instanceId }) => instanceId);
  const sum = (id: string) => memory.get(id)?.reduce((all, event) => all + event.memoryMbMs, 0);
  assert.deepEqual([sum('ins_1'), sum('ins_2')], [15 * 512, 90 * 512]);
});

test('metering: an engine that hangs keeps no event from being written', async (t) => {
  const hangs = { stats: () => new Promise<never>(() => {}), logs: async function* () {} };
  const { to, start, pass, usage, close } = await openTestRecords(t, {
    driver: () => hangs,
    times: {
      recorder: { flushMs: 1 },
      metering: { lookMs: 3_600_000, storageMs: 3_600_000, patienceMs: 5 },
    },
  });
  to(web, 'ins_1', 'idle');
  start(web, 'ins_1', one);
  pass(1000);
  await close();
  const [event] = await usage();
  assert.deepEqual([event?.memoryMbMs, event?.activeCpuMs], [512_000, 0]);
});
