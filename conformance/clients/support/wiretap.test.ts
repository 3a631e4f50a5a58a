import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { startWiretap } from './wiretap.ts';

test('notes requests and answers, and leaves every byte as it is', async (t) => {
  const server = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => res.writeHead(req.method === 'PUT' ? 201 : 404).end(Buffer.concat(parts)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const tap = await startWiretap({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
  });
  t.after(() => tap.close());

  const body = Buffer.alloc(300_000, 'HTTP');
  const put = request(`http://${tap.host}/v2/a/blobs/uploads/1?digest=d&_state=secret`, {
    method: 'PUT',
    headers: { expect: '100-continue' },
  });
  put.on('continue', () => put.end(body));
  put.flushHeaders();
  const [answer] = await once(put, 'response');
  const back: Buffer[] = [];
  for await (const part of answer) back.push(part);
  assert.ok(Buffer.concat(back).equals(body));

  // One packet a byte: no line is missed, none is found twice.
  const port = Number(tap.host.split(':')[1]);
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  await once(socket, 'connect');
  for (const byte of 'GET /v2/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n') {
    await new Promise((resolve) => socket.write(byte, resolve));
  }
  socket.resume();
  await once(socket, 'close');

  assert.deepEqual(tap.exchanges, [
    { method: 'PUT', target: '/v2/a/blobs/uploads/1?digest=d&_state=secret', status: 201 },
    { method: 'GET', target: '/v2/b', status: 404 },
  ]);
  assert.equal(tap.tail(), '201 PUT /v2/a/blobs/uploads/1?digest=d&_state=…\n404 GET /v2/b');
  tap.forget();
  assert.deepEqual(tap.exchanges, []);
});
