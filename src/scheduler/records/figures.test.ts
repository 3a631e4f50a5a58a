import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTestRecords, requestId, target, turns } from './records-test-kit.ts';

const web = target();
const [one, two, three] = [requestId(1), requestId(2), requestId(3)];

test('figures: by service and deployment, for Prometheus and the API', async (t) => {
  const { to, start, end, pass, driver, records, registry } = await openTestRecords(t);
  driver.cpu.set('engine-ins_1', { cpuMicros: 0, memory: 1000, pids: 1 });
  to(web, 'ins_1', 'idle');
  await turns();
  for (const id of [one, two]) start(web, 'ins_1', id);
  await turns();
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
