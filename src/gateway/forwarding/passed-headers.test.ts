import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import test from 'node:test';
import { ask, echo, exchangeRaw } from '../gateway-test-kit.ts';
import { startPeer } from './forwarding-test-kit.ts';

/** Of a process that nothing should reach. */
const never: RequestListener = () => assert.fail('it was asked');

test('an answer whose head is larger than what clients usually take comes through', async (t) => {
  const owner = await startPeer(t, (_req, res) => {
    for (let at = 0; at < 10; at++) res.setHeader(`x-long-${at}`, 'x'.repeat(4_000));
    res.end('whole');
  });
  const front = await startPeer(t, never, { owner: { address: { origin: owner.origin } } });
  const answer = await exchangeRaw(
    front.port,
    'GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(answer, /whole/);
});

test('a client cannot have taken off what says whose its request is', async (t) => {
  const owner = await startPeer(t, echo);
  const front = await startPeer(t, never, { owner: { address: { origin: owner.origin } } });
  const { body } = await ask(front.port, {
    host: 'shop.localhost',
    headers: [
      ...['x-forwarded-for', '203.0.113.9', 'x-hop', '1'],
      ...['connection', 'host, x-forwarded-for, x-hop'],
    ],
  });
  const { headers } = JSON.parse(body);
  assert.equal(headers['x-forwarded-for'], '203.0.113.9');
  assert.equal(headers.host, 'shop.localhost');
  assert.equal(headers['x-hop'], undefined);
});
