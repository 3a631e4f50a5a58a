import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { registerHooks } from 'node:module';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createOutboundGuard } from './outbound-guard.ts';

test('a client that could not be loaded at the first request is loaded at the next', async (t) => {
  const server = createServer((_request, response) => response.end('here')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const guard = createOutboundGuard({ allow: ['loopback'] });
  t.after(async () => {
    await guard.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const read = () => guard.fetch(`http://127.0.0.1:${port}/`, { timeoutMs: 5000, maxBytes: 100 });
  // As where the process has no descriptor left.
  const hooks = registerHooks({
    load(url, context, next) {
      if (!url.endsWith('/outbound-agent.ts')) return next(url, context);
      throw new Error(`EMFILE: too many open files, open '${url}'`);
    },
  });
  try {
    const message = 'The client for outbound requests could not be loaded.';
    await assert.rejects(read(), { kind: 'unavailable', message });
  } finally {
    hooks.deregister();
  }
  assert.equal((await read()).body.toString(), 'here');
});
