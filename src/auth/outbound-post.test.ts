import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { test } from 'node:test';
import { RegistryError } from '../oci/errors.ts';
import { createOutboundGuard } from './outbound-guard.ts';

const request = { timeoutMs: 2000, maxBytes: 10, body: '{"a":1}' };

async function serveEcho(t: { after(fn: () => unknown): void }) {
  const asked: { method: string | undefined; body: string }[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (text) => {
      body += text;
    });
    req.on('end', () => {
      asked.push({ method: req.method, body });
      res.end('0123456789 and more');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { asked, port: (server.address() as AddressInfo).port };
}

test('a body is sent by POST; of a long answer the beginning is kept, where that is asked for', async (t) => {
  const { asked, port } = await serveEcho(t);
  const guard = createOutboundGuard({ allow: ['loopback'] });
  t.after(() => guard.close());
  const url = `http://127.0.0.1:${port}/`;
  const answer = await guard.fetch(url, { ...request, truncate: true });
  assert.equal(answer.body.toString(), '0123456789');
  assert.deepEqual(asked, [{ method: 'POST', body: request.body }]);
  await assert.rejects(guard.fetch(url, request), /over 10 bytes/);
});

test('A26: a name that passes the check and leads inward when it is looked up gets no message', async (t) => {
  const { asked, port } = await serveEcho(t);
  const lookup: LookupFunction = (_host, _options, callback) =>
    callback(null, [{ address: '127.0.0.1', family: 4 }]);
  const guard = createOutboundGuard({ allow: [], lookup });
  t.after(() => guard.close());
  const url = `https://rebinds.example:${port}/`;
  guard.check(url);
  await assert.rejects(
    guard.fetch(url, { ...request, truncate: true }),
    (error) => error instanceof RegistryError && error.kind === 'invalid',
  );
  assert.deepEqual(asked, []);
});
