import assert from 'node:assert/strict';
import test from 'node:test';
import { credentials, placeOf, requestOf } from './contract-test-kit.ts';
import { vercel } from './vercel.ts';

test('port 80, fifty requests at once', () => {
  assert.deepEqual([vercel.defaultPort, vercel.defaultConcurrency], [80, 50]);
});

test('what a container is told of a request', () => {
  assert.deepEqual(vercel.requestHeaders(requestOf(), placeOf(), credentials), {
    host: 'shop.functions.example:8443',
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-host': 'shop.functions.example:8443',
    'x-forwarded-proto': 'https',
    'x-real-ip': '203.0.113.9',
    'x-gantry-id': 'req_1',
    'x-vercel-id': 'eu-central-1::req_1',
    'x-vercel-forwarded-for': '203.0.113.9',
    'x-vercel-deployment-url': 'shop-abc.functions.example',
  });
});

test('what a container finds in its environment', () => {
  assert.deepEqual(vercel.environment(placeOf({}, 3000), credentials), {
    PORT: '3000',
    VERCEL: '1',
    VERCEL_ENV: 'preview',
    VERCEL_TARGET_ENV: 'preview',
    VERCEL_URL: 'shop-abc.functions.example',
    VERCEL_REGION: 'eu-central-1',
    VERCEL_DEPLOYMENT_ID: 'dpl_1',
    VERCEL_PROJECT_ID: 'prj_1',
    GANTRY: '1',
    GANTRY_ENV: 'preview',
    GANTRY_URL: 'shop-abc.functions.example',
    GANTRY_REGION: 'eu-central-1',
    GANTRY_DEPLOYMENT_ID: 'dpl_1',
    GANTRY_PROJECT_ID: 'prj_1',
    GANTRY_OIDC_TOKEN: 'jwt',
    VERCEL_OIDC_TOKEN: 'jwt',
  });
});

test('what a client is told, and what counts as a failure', () => {
  assert.deepEqual(vercel.responseHeaders(requestOf(), placeOf()), {
    'x-vercel-id': 'eu-central-1::req_1',
  });
  assert.equal(vercel.isFunctionError(499, { 'x-fc-status': '404' }), false);
  assert.equal(vercel.isFunctionError(500, {}), true);
  assert.deepEqual(vercel.logBrackets('req_1', 'start'), []);
});

test('a start that failed: what happened and what to do', () => {
  const dial = 'dial tcp 172.20.0.2:80: getsockopt: connection refused';
  const failure = { durationNs: 1n, dial, exitCode: undefined, logs: [] };
  const { service } = placeOf();
  assert.deepEqual(vercel.startFailure({ ...failure, reason: 'loopback-only' }, service), {
    status: 502,
    headers: { 'content-type': 'application/json' },
    body: `{"code":"FUNCTION_NOT_STARTED","message":"The container's HTTP server listens on 127.0.0.1 only. (${dial})","hint":"Listen on 0.0.0.0: 127.0.0.1 is the inside of the container alone."}\n`,
  });
  const exited = vercel.startFailure(
    { ...failure, dial: '', reason: 'exited', exitCode: 3 },
    service,
  );
  assert.match(exited.body, /Its exit code was 3\./);
  assert.doesNotMatch(exited.body, /listens at|machineType/);
  const killed = { ...failure, dial: '', reason: 'exited', exitCode: 137 } as const;
  assert.match(vercel.startFailure(killed, service).body, /killed, mostly for its memory/);
});

test('a server at another port: which one, and how the service takes it', () => {
  const dial = 'dial tcp 172.20.0.2:80: getsockopt: connection refused';
  const { service } = placeOf();
  const failure = { durationNs: 1n, dial, exitCode: undefined, logs: [], port: 80 };
  const answer = (others?: number[]) =>
    JSON.parse(vercel.startFailure({ ...failure, reason: 'timeout', others }, service).body);
  const { message, hint } = answer([3000, 9229]);
  assert.match(message, /did not listen in time, but its server listens at port 3000, 9229\. \(/);
  assert.match(hint, /at port 80, as PORT says.*\{"settings": \{"port": 3000\}\}/);
  assert.match(answer().hint, /on 0\.0\.0\.0 at port 80, as PORT says/);
  assert.match(answer([1, 2, 3, 4, 5, 6]).message, /port 1, 2, 3, 4, 5 and others/);
});
