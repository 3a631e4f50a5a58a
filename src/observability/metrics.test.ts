import assert from 'node:assert/strict';
import test from 'node:test';
import { Metrics } from './metrics.ts';

test('requests are counted and timed by route, method and status', async () => {
  const metrics = new Metrics();
  metrics.observe('manifest', 'GET', 200, 4);
  metrics.observe('manifest', 'GET', 200, 4);
  metrics.observe('manifest', 'GET', 404, 4000);
  const text = await metrics.registry.metrics();
  const lines = [
    'gantry_http_requests_total{route="manifest",method="GET",status="200"} 2',
    'gantry_http_requests_total{route="manifest",method="GET",status="404"} 1',
    'gantry_http_request_seconds_bucket{le="0.005",route="manifest",method="GET"} 2',
    'gantry_http_request_seconds_bucket{le="10",route="manifest",method="GET"} 3',
    'gantry_http_request_seconds_count{route="manifest",method="GET"} 3',
  ];
  for (const line of lines) assert.ok(text.includes(`${line}\n`), line);
});

test('logins, bytes and mounts', async () => {
  const metrics = new Metrics();
  metrics.login('oidc', true);
  metrics.login('token', false);
  metrics.bytesIn.inc(5);
  metrics.bytesOut.inc({ how: 'proxy' }, 7);
  metrics.mounts.inc({ result: 'mounted' });
  const text = await metrics.registry.metrics();
  const lines = [
    'gantry_logins_total{kind="oidc",result="succeeded"} 1',
    'gantry_logins_total{kind="token",result="denied"} 1',
    'gantry_blob_bytes_received_total 5',
    'gantry_blob_bytes_sent_total{how="proxy"} 7',
    'gantry_blob_mounts_total{result="mounted"} 1',
  ];
  for (const line of lines) assert.ok(text.includes(`${line}\n`), line);
});

test('requests under way, as they are when asked', async () => {
  const metrics = new Metrics();
  for (const active of [0, 3, 1]) {
    metrics.active = active;
    assert.match(
      await metrics.registry.metrics(),
      new RegExp(`^gantry_http_active_requests ${active}$`, 'm'),
    );
  }
});

test('two in one process do not share counts', async () => {
  const [one, two] = [new Metrics(), new Metrics()];
  one.bytesIn.inc(1);
  assert.match(await two.registry.metrics(), /^gantry_blob_bytes_received_total 0$/m);
});
