import assert from 'node:assert/strict';
import { Agent, get, type IncomingMessage, type RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { listen } from './server.ts';

async function serving(t: TestContext, listener: RequestListener) {
  const server = await listen(listener, {
    ...{ host: '127.0.0.1', port: 0, tls: undefined, headersTimeoutMs: 10_000 },
    keepAliveMs: 60_000,
  });
  t.after(async () => {
    await server.drain(0);
    await server.close();
  });
  return server;
}

const once = (socket: Socket, event: string) =>
  new Promise<void>((resolve) => socket.once(event, () => resolve()));

test('clients with kept connections lose no request to a drain', async (t) => {
  const server = await serving(t, (_, res) => setTimeout(() => res.end('done'), 5));
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const failures: string[] = [];
  let answered = 0;
  let draining: Promise<void> | undefined;
  const ask = () =>
    new Promise<IncomingMessage>((resolve, reject) =>
      get(server.url, { agent }, resolve).once('error', reject),
    );
  const client = async (pauseMs: number): Promise<void> => {
    for (;;) {
      try {
        const res = await ask();
        assert.equal((await buffer(res)).toString(), 'done');
        answered++;
      } catch (error) {
        // A new connection, which nobody takes any more.
        if ((error as { code?: string }).code === 'ECONNREFUSED' && draining) return;
        failures.push(String(error));
        if (failures.length > 50) return;
      }
      await delay(pauseMs);
    }
  };
  const clients = Array.from({ length: 32 }, (_, at) => client((at % 8) * 40));
  while (answered < 500) await delay(5);
  draining = server.drain(10_000);
  await Promise.all([draining, ...clients]);
  assert.deepEqual(failures, []);
});

test('from the drain on answers say that their connection closes, those under way as well', async (t) => {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const server = await serving(t, async (req, res) => {
    if (req.url === '/slow') {
      begun.resolve();
      await go.promise;
    }
    res.end('done');
  });
  const { port } = new URL(server.url);
  const open = async (path: string) => {
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    return socket;
  };
  const [slow, kept] = [await open('/slow'), await open('/')];
  await begun.promise;
  const first = await new Promise<Buffer>((resolve) => kept.once('data', resolve));
  assert.match(`${first}`, /Connection: keep-alive/);
  const drained = server.drain(10_000);
  go.resolve();
  assert.match(`${await buffer(slow)}`, /Connection: close[\s\S]*done$/);
  // The head of one more request, in two parts: the first alone keeps it open.
  await delay(300);
  kept.write('GET / HTTP/1.1\r\nHo');
  await delay(400);
  kept.write('st: a\r\n\r\n');
  assert.match(`${await buffer(kept)}`, /Connection: close[\s\S]*done$/);
  await drained;
});

test('connections that nobody uses are closed in order, and what does not end is cut in time', async (t) => {
  const server = await serving(t, (req, res) => {
    if (req.url === '/') res.end('done');
  });
  const { port } = new URL(server.url);
  const fresh = connect(Number(port), '127.0.0.1');
  await once(fresh, 'connect');
  const stuck = connect(Number(port), '127.0.0.1');
  stuck.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(stuck, 'connect');
  const began = performance.now();
  const ends = [once(fresh, 'end'), once(stuck, 'close')];
  fresh.resume();
  stuck.on('error', () => {});
  await server.drain(1_500);
  await Promise.all(ends);
  assert.ok(performance.now() - began < 4_000);
});
