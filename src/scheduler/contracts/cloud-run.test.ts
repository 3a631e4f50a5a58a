import assert from 'node:assert/strict';
import test from 'node:test';
import { cloudRun } from './cloud-run.ts';
import { credentials, placeOf, requestOf } from './contract-test-kit.ts';

test('port 8080, eighty requests at once', () => {
  assert.deepEqual([cloudRun.defaultPort, cloudRun.defaultConcurrency], [8080, 80]);
});

test('what a container finds in its environment', () => {
  assert.deepEqual(cloudRun.environment(placeOf({}, 8080), credentials), {
    PORT: '8080',
    K_SERVICE: 'web',
    K_REVISION: 'web-dpl-1',
    K_CONFIGURATION: 'web',
    GANTRY_OIDC_TOKEN: 'jwt',
  });
});

test('what a container is told of a request', () => {
  assert.deepEqual(cloudRun.requestHeaders(requestOf(), placeOf(), credentials), {
    host: 'shop.functions.example:8443',
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-host': 'shop.functions.example:8443',
    'x-forwarded-proto': 'https',
    'x-real-ip': '203.0.113.9',
    'x-gantry-id': 'req_1',
    forwarded: 'for=203.0.113.9;proto=https',
  });
  const six = { ...requestOf(), address: '2001:db8::1' };
  const { forwarded } = cloudRun.requestHeaders(six, placeOf(), credentials);
  // RFC 7239 6.
  assert.equal(forwarded, 'for="[2001:db8::1]";proto=https');
});
