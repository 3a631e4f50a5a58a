import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import type { Request, Response } from 'express';
import { refuse } from '../oci/errors.ts';
import { createMetricsEndpoint, createReadyz } from './operations.ts';
import type { Services } from './services.ts';
import { openApplication } from './services-test-kit.ts';

const application = await openApplication({ after });
const { services } = application;

/** What the endpoint answers to a request from `address`. */
async function answered(
  endpoint: (req: Request, res: Response) => Promise<void>,
  address = '127.0.0.1',
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown; headers: Record<string, string> }> {
  const got = { status: 200, body: undefined as unknown, headers: {} as Record<string, string> };
  const res = {
    status(code: number) {
      got.status = code;
      return res;
    },
    setHeader(name: string, value: string) {
      got.headers[name] = value;
      return res;
    },
    type: () => res,
    json(body: unknown) {
      got.body = body;
    },
    send(body: unknown) {
      got.body = body;
    },
  };
  const req = { headers, socket: { remoteAddress: address } };
  await endpoint(req as unknown as Request, res as unknown as Response);
  return got;
}

test('alive, and ready', async () => {
  assert.equal((await application.fetch('/healthz')).status, 200);
  assert.equal((await application.fetch('/readyz')).status, 200);
});

test('not ready: while draining, and where the database does not answer', async () => {
  const draining = await answered(createReadyz(services, () => true));
  assert.deepEqual([draining.status, draining.headers['Retry-After']], [503, '5']);
  const down = { metadata: { ping: () => Promise.reject(refuse('unavailable', 'canary')) } };
  const failed = await answered(createReadyz(down as unknown as Services, () => false));
  assert.deepEqual([failed.status, failed.body], [503, { status: 'not ready' }]);
});

test('who may read the metrics', async () => {
  const token = 'a-long-token';
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
  const outside = '203.0.113.9';
  type Access = Parameters<typeof createMetricsEndpoint>[1]['access'];
  const cases: [Access, string | undefined, string, Record<string, string>, boolean][] = [
    ['loopback', undefined, '127.0.0.1', {}, true],
    ['loopback', undefined, '127.8.9.1', {}, true],
    ['loopback', undefined, '::1', {}, true],
    ['loopback', undefined, '::ffff:127.0.0.1', {}, true],
    ['loopback', undefined, outside, {}, false],
    ['loopback', undefined, '::ffff:10.0.0.1', {}, false],
    ['loopback', undefined, '::12', {}, false],
    ['loopback', undefined, '', {}, false],
    // A proxy on this machine: the request is from outside.
    ['loopback', undefined, '127.0.0.1', { 'x-forwarded-for': '127.0.0.1' }, false],
    ['loopback', undefined, '127.0.0.1', { forwarded: 'for=127.0.0.1' }, false],
    ['on', undefined, outside, {}, true],
    ['off', undefined, '127.0.0.1', {}, false],
    ['off', token, '127.0.0.1', bearer(token), false],
    ['on', token, outside, {}, false],
    ['on', token, outside, bearer(token), true],
    ['on', token, outside, { authorization: `bearer  ${token}` }, true],
    ['on', token, outside, bearer(`${token}x`), false],
    ['on', token, outside, bearer(''), false],
    ['on', token, outside, { authorization: `Basic ${token}` }, false],
    ['loopback', token, '127.0.0.1', {}, false],
    ['loopback', token, outside, bearer(token), true],
  ];
  for (const [access, secret, address, headers, may] of cases) {
    const endpoint = createMetricsEndpoint(services, { access, token: secret });
    const { status, body } = await answered(endpoint, address, headers);
    assert.equal(status, may ? 200 : 404, JSON.stringify([access, secret, address, headers]));
    assert.equal(typeof body === 'string' && body.includes('gantry_http_requests_total'), may);
  }
});
