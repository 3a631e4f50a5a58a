import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { writeOut } from './write-out.ts';

const part = 'x'.repeat(100_000);

/** Serves parts without end; how many went out when the answer closed. */
async function serveEndless(t: { after(fn: () => unknown): void }, patienceMs: number) {
  const closed = Promise.withResolvers<{ parts: number; most: number }>();
  const server = createServer(async (_req, res) => {
    const gone = new AbortController();
    res.once('close', () => gone.abort());
    let parts = 0;
    let most = 0;
    while (!gone.signal.aborted) {
      await writeOut(res, part, patienceMs, gone.signal);
      parts += 1;
      most = Math.max(most, res.writableLength);
      await new Promise(setImmediate);
    }
    closed.resolve({ parts, most });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  return { closed: closed.promise, socket };
}

test('a client that takes nothing is cut, and little waits for it until then', async (t) => {
  const { closed, socket } = await serveEndless(t, 200);
  socket.pause();
  const { most } = await closed;
  assert.ok(most < 4 * part.length, `${most} bytes waited`);
});

test('one that reads slowly is not cut', async (t) => {
  const { closed, socket } = await serveEndless(t, 2000);
  let taken = 0;
  const enough = Promise.withResolvers<void>();
  socket.on('data', (chunk) => {
    taken += chunk.length;
    if (taken > 50 * part.length) return enough.resolve();
    socket.pause();
    setImmediate(() => socket.resume());
  });
  await enough.promise;
  socket.destroy();
  const { parts } = await closed;
  assert.ok(parts >= 50);
});
