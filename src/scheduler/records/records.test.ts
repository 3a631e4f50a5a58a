import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from '../../observability/metrics.ts';
import { openRecords } from './open-records.ts';
import { begin, digest, openTestRecords, requestId, target } from './records-test-kit.ts';

const web = target();
const [one, two, three] = [requestId(1), requestId(2), requestId(3)];

/** Looks at the engine come a moment after what causes them. */
const turns = async () => {
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
};

test('lines belong to the requests that were in flight, and to the instance', async (t) => {
  const { to, start, end, driver, lines, pass, close } = await openTestRecords(t);
  to(web, 'ins_1', 'starting');
  to(web, 'ins_1', 'idle');
  driver.write('engine-ins_1', 'listening', begin);
  await lines(1);
  pass(1000);
  start(web, 'ins_1', one);
  driver.write('engine-ins_1', 'for one', begin + 1000);
  await lines(2);
  start(web, 'ins_1', two);
  driver.write('engine-ins_1', 'for both', begin + 1000, 'stderr');
  await lines(3);
  pass(1000);
  end(web, 'ins_1', one);
  // Written before the answer, stamped by the engine a moment after it.
  driver.write('engine-ins_1', 'late', begin + 2010);
  pass(1000);
  driver.write('engine-ins_1', 'for two', begin + 3000);
  const found = await lines(5);
  assert.deepEqual(
    found.map((line) => [line.text, line.stream, line.requestIds]),
    [
      ['listening', 'stdout', []],
      ['for one', 'stdout', [one]],
      ['for both', 'stderr', [one, two]],
      ['late', 'stdout', [one, two]],
      ['for two', 'stdout', [two]],
    ],
  );
  assert.ok(found.every((line) => line.instanceId === 'ins_1' && line.deploymentId === 'dpl_1'));
  await close();
  assert.equal(driver.readers, 0, 'nobody reads on');
});

test('an end says how, after its last lines; what failed to start has its lines, too', async (t) => {
  const { to, driver, lines } = await openTestRecords(t);
  to(web, 'ins_1', 'idle');
  driver.write('engine-ins_1', 'bye', begin);
  driver.end('engine-ins_1');
  to(web, 'ins_1', 'terminated', { exit: { code: 137, outOfMemory: true } });
  const found = await lines(2, { instanceId: 'ins_1' });
  assert.deepEqual(
    found.map(({ text }) => text),
    ['bye', '[gantry] The instance ended: exit code 137; out of memory.'],
  );
  driver.write('engine-ins_2', 'panic: no config', begin);
  driver.end('engine-ins_2');
  to(web, 'ins_2', 'pending');
  to(web, 'ins_2', 'dead', { runtime: true, reason: 'nothing listens on port 80' });
  const failed = await lines(2, { instanceId: 'ins_2' });
  assert.deepEqual(
    failed.map(({ text }) => text),
    ['panic: no config', '[gantry] The instance ended: nothing listens on port 80.'],
  );
});

test('brackets stand round the lines of a request', async (t) => {
  const { to, start, end, driver, lines } = await openTestRecords(t, {
    brackets: (_service, id, phase, ms) => [`FC Invoke ${phase} RequestId: ${id} ${ms ?? ''}`],
  });
  to(web, 'ins_1', 'idle');
  start(web, 'ins_1', one);
  end(web, 'ins_1', one, { totalMs: 7 });
  driver.write('engine-ins_1', 'said just before the answer', begin);
  const found = await lines(3, { requestId: one });
  assert.deepEqual(
    found.map(({ text, stream }) => [text.replace(one, '<id>'), stream]),
    [
      ['FC Invoke start RequestId: <id> ', 'system'],
      ['said just before the answer', 'stdout'],
      ['FC Invoke end RequestId: <id> 7', 'system'],
    ],
  );
});

test('requests are kept without their query; starts with their stages, each once', async (t) => {
  const { to, start, end, pass, close, metadata } = await openTestRecords(t);
  to(web, 'ins_1', 'pending');
  pass(10);
  to(web, 'ins_1', 'starting');
  pass(90);
  to(web, 'ins_1', 'idle');
  const stages = { from: 'image', queue: 1, pull: 0, create: 10, boot: 90 } as const;
  for (const id of [one, two]) start(web, 'ins_1', id);
  pass(10);
  const cold = { start: stages, queueMs: 100, firstByteMs: 104, totalMs: 110 };
  end(web, 'ins_1', one, { ...cold, path: '/a/b?token=secret#x' });
  end(web, 'ins_1', two, { ...cold, status: 500 });
  // Asleep, and awake again for two that waited.
  to(web, 'ins_1', 'frozen');
  pass(5000);
  const thaw = { from: 'frozen', queue: 0, pull: 0, create: 0, boot: 8 } as const;
  to(web, 'ins_1', 'running');
  end(web, 'ins_1', three, { start: thaw, queueMs: 8, firstByteMs: 9, totalMs: 9 });
  end(web, 'ins_1', requestId(4), { start: thaw, queueMs: 8, firstByteMs: 12, totalMs: 12 });
  // One that never ran, and one that nobody waited for.
  to(web, 'ins_2', 'pending');
  pass(20);
  to(web, 'ins_2', 'starting');
  pass(30);
  to(web, 'ins_2', 'dead', { reason: 'exited' });
  to(web, 'ins_3', 'starting');
  pass(40);
  to(web, 'ins_3', 'idle');
  end(web, undefined, requestId(5), { status: 503, error: 'queue-full' });
  await close();

  const { functionRecords } = metadata;
  const requests = await functionRecords.requests({ projectId: 'prj_1' }, undefined, 10);
  assert.equal(requests.length, 5);
  const first = await functionRecords.request('prj_1', one);
  assert.deepEqual(first, {
    ...{ id: one, projectId: 'prj_1', deploymentId: 'dpl_1', service: 'web', instanceId: 'ins_1' },
    ...{ at: begin, method: 'GET', host: 'web.localhost', path: '/a/b', status: 200, cold: true },
    ...{ queueMs: 100, firstByteMs: 104, totalMs: 110, requestBytes: 0, responseBytes: 2 },
  });
  assert.equal((await functionRecords.request('prj_1', requestId(5)))?.error, 'queue-full');

  const starts = await functionRecords.coldStarts({ projectId: 'prj_1' }, undefined, 10);
  const of = { projectId: 'prj_1', deploymentId: 'dpl_1', service: 'web', digest };
  assert.deepEqual(starts.reverse(), [
    {
      ...{ ...of, instanceId: 'ins_1', at: begin + 100, from: 'image' },
      ...{ queueMs: 1, pullMs: 0, createMs: 10, bootMs: 90, appMs: 4 },
    },
    {
      ...{ ...of, instanceId: 'ins_1', at: begin + 5109, from: 'frozen' },
      ...{ queueMs: 0, pullMs: 0, createMs: 0, bootMs: 8, appMs: 1 },
    },
    {
      ...{ ...of, instanceId: 'ins_2', at: begin + 5160, from: 'image', error: 'exited' },
      ...{ queueMs: 0, pullMs: 0, createMs: 20, bootMs: 30 },
    },
    {
      ...{ ...of, instanceId: 'ins_3', at: begin + 5200, from: 'image' },
      ...{ queueMs: 0, pullMs: 0, createMs: 0, bootMs: 40 },
    },
  ]);
});

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

test('figures: by service and deployment, for Prometheus and the API', async (t) => {
  const { to, start, end, pass, driver, records, registry } = await openTestRecords(t);
  driver.cpu.set('engine-ins_1', { cpuMicros: 0, memory: 1000, pids: 1 });
  to(web, 'ins_1', 'idle');
  await turns();
  for (const id of [one, two]) start(web, 'ins_1', id);
  driver.cpu.set('engine-ins_1', { cpuMicros: 250_000, memory: 2000, pids: 1 });
  pass(100);
  end(web, 'ins_1', one, { totalMs: 100, queueMs: 20 });
  end(web, 'ins_1', two, { totalMs: 10, status: 502, error: 'broken' });
  await turns();
  start(web, 'ins_1', three);
  to(target({}, { projectId: 'prj_2', deploymentId: 'dpl_2' }), 'ins_9', 'idle');
  const [figures] = records.live.figures('prj_1', 60);
  assert.deepEqual(
    [figures?.requests, figures?.errors, figures?.cpu, figures?.mostConcurrent],
    [2, 1, 250, 2],
  );
  assert.deepEqual(figures?.now, { inFlight: 1, instances: { idle: 1 }, memory: 2000 });
  assert.ok(figures.latency!.p99 >= 91 && figures.latency!.max === 100);
  const text = await registry.metrics();
  const labels = 'project="acme/shop",environment="production",service="web",deployment="dpl_1"';
  for (const line of [
    `gantry_function_requests_total{${labels},status="2xx"} 1`,
    `gantry_function_requests_total{${labels},status="5xx"} 1`,
    `gantry_function_errors_total{${labels}} 1`,
    `gantry_function_in_flight{${labels}} 1`,
    `gantry_function_instances{${labels},state="idle"} 1`,
    `gantry_function_cpu_seconds_total{${labels}} 0.25`,
    `gantry_function_memory_bytes{${labels}} 2000`,
  ]) {
    assert.ok(text.includes(line), `${line}\n${text}`);
  }
});

test('figures of many deployments: Prometheus hears of the newest, and the rest give theirs up', async (t) => {
  const { end, registry } = await openTestRecords(t);
  for (let n = 0; n < 250; n++) {
    end(target({}, { deploymentId: `dpl_${n}` }), undefined, requestId(n), { status: 503 });
  }
  const text = await registry.metrics();
  const shown = new Set(
    [...text.matchAll(/requests_total\{.*deployment="(\w+)"/g)].map((m) => m[1]),
  );
  assert.equal(shown.size, 200);
  assert.ok(shown.has('dpl_249') && !shown.has('dpl_0'));
});

test('A49: what functions are given is in no record and no line of the log', async (t) => {
  const canary = 'canary-9f2c';
  const secret = target({
    env: { TOKEN: canary },
    logSink: { type: 'http', url: `https://x.example/${canary}` },
  });
  const { to, start, end, driver, lines, close, warned, metadata } = await openTestRecords(t);
  to(secret, 'ins_1', 'idle');
  driver.write('engine-ins_1', 'hello', begin);
  await lines(1);
  start(secret, 'ins_1', one);
  end(secret, 'ins_1', one);
  await close();
  assert.ok(warned.length > 0, 'the sink that takes nothing is told of');
  const { functionRecords } = metadata;
  const everything = [
    warned,
    await functionRecords.requests({ projectId: 'prj_1' }, undefined, 10),
    await functionRecords.coldStarts({ projectId: 'prj_1' }, undefined, 10),
    await lines(1),
  ];
  assert.ok(!JSON.stringify(everything).includes(canary));
});
