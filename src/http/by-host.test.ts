import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import test from 'node:test';
import { ForwardedHeaders } from '../gateway/forwarding/forwarded-header.ts';
import { Forwarder } from '../gateway/forwarding/forwarder.ts';
import { key, startPeer } from '../gateway/forwarding/forwarding-test-kit.ts';
import {
  deployedWorld,
  exchangeRaw,
  gatewayFor,
  rawContainer,
  TestActivator,
} from '../gateway/gateway-test-kit.ts';
import { byHost, upgradesOf } from './by-host.ts';
import { Origins } from './origin.ts';
import { listen } from './server.ts';

test('an upgrade that another replica forwards is for the host that the client asked its proxy for', async (t) => {
  const container = await rawContainer(t, (socket: Socket) => {
    socket.once('data', () => {
      socket.end(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello',
      );
    });
  });
  const headers = new ForwardedHeaders({ key, clock: { now: () => 1_000_000 } });
  // It trusts no proxy: not the other replica either.
  const origins = new Origins({ trustedProxies: [], publicUrl: undefined }, headers);
  const activator = new TestActivator(t, container);
  const { gateway } = await gatewayFor(t, deployedWorld(), activator, { origins });
  const owners = { now: () => ({ here: true }) as const, look: async () => {} };
  const peers = { headers, forwarder: new Forwarder({ owners, headers, from: () => undefined }) };
  const owner = await listen(
    byHost(
      () => gateway,
      (_req, res) => res.writeHead(404).end(),
      peers,
    ),
    {
      ...{ host: '127.0.0.1', port: 0, tls: undefined },
      ...{ headersTimeoutMs: 10_000, keepAliveMs: 1_000 },
    },
    upgradesOf(() => gateway, peers),
  );
  t.after(async () => {
    await owner.drain(0);
    await owner.close();
  });
  const front = await startPeer(t, (_req, res) => res.end(), {
    owner: { address: { origin: owner.url } },
    trustedProxies: ['127.0.0.1'],
  });
  const answer = await exchangeRaw(
    front.port,
    'GET / HTTP/1.1\r\nHost: inside\r\nX-Forwarded-Host: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 101 /);
  assert.match(answer, /hello$/);
});
