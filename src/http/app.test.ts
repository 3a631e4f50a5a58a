import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { instead } from '../registry/registry-test-kit.ts';
import { Line } from './http-test-kit.ts';
import { openApplication } from './services-test-kit.ts';

/** Fails where a handler cannot catch it: in the log line of its own request. */
let broken = false;
const application = await openApplication({ after }, (services) => ({
  origins: instead(services.origins, {
    clientAddress: (req) => {
      if (broken) throw new Error('canary of the log');
      return services.origins.clientAddress(req);
    },
  }),
}));
const { port, logged, services } = application;

test('a request that fails past its own answer ends itself, not the process', async (t) => {
  broken = true;
  logged.length = 0;
  const line = await Line.open(t, port);
  line.send('GET /v2/ HTTP/1.1', 'Host: x', 'Connection: close', '', '');
  await line.closed();
  broken = false;
  const [failed] = logged;
  assert.equal(failed?.level, 'error');
  assert.match(String(failed?.cause), /canary of the log/);
  assert.equal((await application.fetch('/healthz')).status, 200);
  assert.equal(services.metrics.active, 0);
});

test('an Express route that fails says so, and not why', async (t) => {
  t.mock.method(services.metrics.registry, 'metrics', () =>
    Promise.reject(new Error('canary of the route')),
  );
  logged.length = 0;
  const response = await application.fetch('/metrics');
  assert.equal(response.status, 500);
  assert.doesNotMatch(await response.text(), /canary/);
  assert.match(String(logged[0]?.cause), /canary of the route/);
});

test('what is no page, and what is malformed', async () => {
  const form = 'application/x-www-form-urlencoded';
  const cases: [string, RequestInit, number][] = [
    ['/v3/', {}, 404],
    ['/token', { method: 'PUT' }, 404],
    [
      '/token',
      { method: 'POST', headers: { 'content-type': form }, body: 'a'.repeat(70_000) },
      413,
    ],
    ['/token', { method: 'POST', headers: { 'content-type': form }, body: 'a&'.repeat(200) }, 413],
    [
      '/token',
      { method: 'POST', headers: { 'content-type': `${form}; charset=x` }, body: 'a=b' },
      415,
    ],
  ];
  for (const [path, init, status] of cases) {
    const response = await application.fetch(path, init);
    assert.equal(response.status, status, `${path} ${init.method}`);
    assert.match(response.headers.get('x-request-id') ?? '', /^[0-9a-f]{12}-[0-9a-z]+$/);
    assert.equal(response.headers.get('x-powered-by'), null);
    assert.match(await response.text(), /"(?:message|error_description)":"/);
  }
});

test('who opens the address itself is led to what there is to read', async () => {
  const response = await application.fetch('/', { redirect: 'manual' });
  assert.equal(response.status, 302);
  assert.equal(response.headers.get('location'), '/api/v1/docs');
  assert.match(await (await application.fetch('/none')).text(), /"hint":"[^"]*\/api\/v1\/docs/);
});

test('each request has an id of its own', async () => {
  const ids = new Set<string | null>();
  for (const path of ['/healthz', '/v2/', '/v2/', '/token', '/none'])
    ids.add((await application.fetch(path)).headers.get('x-request-id'));
  assert.equal(ids.size, 5);
});
