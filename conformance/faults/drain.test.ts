/** SIGTERM, and what is under way then. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { requestLines, Wire } from '../attacks/wire.ts';
import { expectStatus } from '../spec/check.ts';
import { addQuery } from '../spec/client.ts';
import { content } from '../spec/content.ts';
import { beginUpload, octets, pushBlob } from '../spec/push.ts';
import type { Launched } from './support/gantry.ts';
import { onServer, type Running } from './support/on-server.ts';

const soonMs = 5_000;

let folder: string;
let data: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-drain-'));
  data = join(folder, 'data');
});
after(() => rm(folder, { recursive: true, force: true }));

const withServer = (use: (running: Running) => Promise<void>, env?: Record<string, string>) =>
  onServer(data, use, env);

/** A PUT of `blob` that the server has begun to read, and of which half is sent. */
async function halfSent({ origin, registry, repository }: Running, blob: Buffer) {
  const { digest } = content(blob);
  const target = new URL(addQuery(await beginUpload(registry, repository), { digest }));
  const wire = await Wire.open(origin);
  const headers = {
    Authorization: registry.authorization!,
    ...octets,
    'Content-Length': String(blob.length),
    Expect: '100-continue',
  };
  await wire.send(requestLines(origin, 'PUT', target.pathname + target.search, headers));
  assert.equal((await wire.answer())?.status, 100);
  await wire.write(blob.subarray(0, blob.length / 2));
  return { wire, digest };
}

/** SIGTERM has reached the server when it takes no connection any more. */
async function terminated({ server, origin }: Running): Promise<ReturnType<Launched['end']>> {
  const ended = server.end('SIGTERM');
  while (await accepts(origin)) await server.endsWithin(10);
  return ended;
}

function accepts(origin: string): Promise<boolean> {
  const { hostname, port } = new URL(origin);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(Number(port), hostname);
  socket.once('connect', () => resolve(true));
  socket.once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

test('a push under way when SIGTERM comes is finished, and the server exits 0', async () => {
  const blob = randomBytes(2 << 20);
  await withServer(async (running) => {
    const idle = await Wire.open(running.origin);
    await idle.send(requestLines(running.origin, 'GET', '/healthz'));
    assert.equal((await idle.answer())?.status, 200);
    const { wire } = await halfSent(running, blob);

    const start = performance.now();
    const { server, origin } = running;
    const ending = server.end('SIGTERM');
    while (await accepts(origin)) assert.ok(!(await server.endsWithin(10)), 'it did not wait');
    await idle.expectClosed(soonMs);
    await wire.write(blob.subarray(blob.length / 2));
    const answer = await wire.answer(soonMs);
    assert.equal(answer?.status, 201, `${answer?.body}`);
    assert.deepEqual(await ending, { code: 0, signal: null });
    assert.ok(performance.now() - start < soonMs, 'it waited for more than the push');
    wire.close();
  });
  await withServer(async ({ registry, repository }) => {
    const { digest } = content(blob);
    const got = expectStatus(await registry.get(`/v2/${repository}/blobs/${digest}`), 200);
    assert.ok(got.body.equals(blob));
  });
});

test('for GANTRY_DRAIN_DELAY it goes on, and is not ready', async () => {
  const delayMs = 6_000;
  const use = async ({ server, origin, registry, repository }: Running) => {
    const began = performance.now();
    const ending = server.end('SIGTERM');
    while ((await fetch(new URL('/readyz', origin))).status !== 503)
      assert.ok(performance.now() - began < delayMs, 'it says that it is ready');
    assert.ok(await accepts(origin), 'it takes no connection');
    const pushed = await pushBlob(registry, repository, content(randomBytes(1_000)));
    expectStatus(pushed, 201);
    assert.deepEqual(await ending, { code: 0, signal: null });
    const took = performance.now() - began;
    assert.ok(took >= delayMs, `${took} ms`);
  };
  await withServer(use, { GANTRY_DRAIN_DELAY: `${delayMs}ms` });
});

test('pulls by slow clients are not cut short by SIGTERM', async () => {
  await withServer(async (running) => {
    const { registry, repository, origin, server } = running;
    const blob = content(randomBytes(8 << 20));
    expectStatus(await pushBlob(registry, repository, blob), 201);
    const { hostname, port } = new URL(origin);
    const path = `/v2/${repository}/blobs/${blob.digest}`;
    // Of many lengths: some are written to their end and not sent yet, whatever the system's buffers hold.
    const lengths = Array.from({ length: 16 }, (_, at) => (at + 1) << 19);
    const pulls = lengths.map(async (length) => {
      const socket = connect(Number(port), hostname);
      const headers = {
        Authorization: registry.authorization!,
        Range: `bytes=0-${length - 1}`,
      };
      socket.write(`${requestLines(origin, 'GET', path, headers).join('\r\n')}\r\n\r\n`);
      await once(socket, 'readable');
      return { length, socket };
    });
    const begun = await Promise.all(pulls);
    const ending = server.end('SIGTERM');
    while (await accepts(origin)) assert.ok(!(await server.endsWithin(10)), 'it did not wait');
    for (const { length, socket } of begun) {
      const whole = await buffer(socket);
      const head = whole.indexOf('\r\n\r\n') + 4;
      assert.equal(whole.length - head, length);
    }
    assert.deepEqual(await ending, { code: 0, signal: null });
  });
});

test('a push that does not end is cut when the time to drain is over, and can go on later', async () => {
  const blob = randomBytes(2 << 20);
  let location = '';
  await withServer(
    async (running) => {
      const { registry, repository, origin } = running;
      location = await beginUpload(registry, repository);
      const first = await registry.ask('PATCH', location, {
        headers: octets,
        body: blob.subarray(0, 1000),
      });
      location = expectStatus(first, 202).location();
      const wire = await Wire.open(origin);
      const { pathname, search } = new URL(location);
      const headers = {
        Authorization: registry.authorization!,
        ...octets,
        'Content-Length': String(blob.length - 1000),
        Expect: '100-continue',
      };
      await wire.send(requestLines(origin, 'PATCH', pathname + search, headers));
      assert.equal((await wire.answer())?.status, 100);
      await wire.write(blob.subarray(1000, 5000));
      assert.deepEqual(await terminated(running), { code: 0, signal: null });
      await wire.expectClosed();
    },
    { GANTRY_DRAIN_TIMEOUT: '1s' },
  );
  await withServer(async ({ origin, registry, repository }) => {
    const { pathname, search } = new URL(location);
    const stands = expectStatus(await registry.get(origin + pathname + search), 204);
    const offset = Number(/^0-(\d+)$/.exec(stands.header('range') ?? '')?.[1]) + 1;
    assert.ok(offset >= 1000 && offset <= 5000, `stands at ${offset}`);
    const { digest } = content(blob);
    const ended = await registry.ask('PUT', addQuery(stands.location(), { digest }), {
      headers: octets,
      body: blob.subarray(offset),
    });
    expectStatus(ended, 201);
    const got = expectStatus(await registry.get(`/v2/${repository}/blobs/${digest}`), 200);
    assert.ok(got.body.equals(blob));
  });
});

test('clients that keep their connections busy do not keep the server from ending', async () => {
  await withServer(async (running) => {
    const { registry, origin } = running;
    const lines = requestLines(origin, 'GET', '/v2/', { Authorization: registry.authorization! });
    const wires = await Promise.all(Array.from({ length: 8 }, () => Wire.open(origin)));
    for (const wire of wires) {
      await wire.send(lines);
      assert.equal((await wire.answer())?.status, 200);
    }
    const busy = wires.map(async (wire) => {
      // One more than is answered: the connection is never idle.
      await wire.send(lines);
      for (;;) {
        await wire.send(lines);
        // Undefined: closed in order. An answer that is cut short throws.
        const answer = await wire.answer(soonMs).catch((error: Error) => {
          if (/cut short|half an answer/.test(error.message)) throw error;
          return undefined;
        });
        if (!answer) return;
        assert.equal(answer.status, 200);
      }
    });
    const start = performance.now();
    assert.deepEqual(await terminated(running), { code: 0, signal: null });
    assert.ok(performance.now() - start < soonMs, 'the server went on serving them');
    await Promise.all(busy);
  });
});

test('SIGTERM resets nobody who goes on using a kept connection', async () => {
  await withServer(async ({ server, origin, registry }) => {
    const agent = new Agent({ keepAlive: true });
    const headers = { authorization: registry.authorization! };
    let answered = 0;
    const client = async (pauseMs: number): Promise<void> => {
      for (;;) {
        try {
          const asked = get(new URL('/v2/', origin), { agent, headers });
          const [res] = (await once(asked, 'response')) as [IncomingMessage];
          await buffer(res);
          assert.equal(res.statusCode, 200);
        } catch (error) {
          // Of a new connection, which nobody takes any more.
          if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return;
          throw error;
        }
        answered++;
        await delay(pauseMs);
      }
    };
    const clients = Promise.all(Array.from({ length: 32 }, (_, at) => client((at % 8) * 30)));
    while (answered < 500) await Promise.race([delay(5), clients]);
    assert.deepEqual(await server.end('SIGTERM'), { code: 0, signal: null });
    await clients;
    agent.destroy();
  });
});
