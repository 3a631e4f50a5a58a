import assert from 'node:assert/strict';
import { test } from 'node:test';
import { begin, digest, openTestRecords, requestId, target } from './records-test-kit.ts';

const web = target();
const [one, two, three] = [requestId(1), requestId(2), requestId(3)];

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
      ['late', 'stdout', [two]],
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
