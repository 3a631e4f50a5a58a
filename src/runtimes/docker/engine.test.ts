import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
// Loaded before the first deadline runs.
import 'dockerode';
import { Engine, EngineError } from './engine.ts';
import { findEngine } from './engine-address.ts';
import { openDockerDriver } from './open-docker.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server where an engine's socket would be. */
async function at(t: TestContext, handler: Handler) {
  const folder = mkdtempSync(join(tmpdir(), 'engine-'));
  const host = `unix://${join(folder, 'e.sock')}`;
  const server = createServer(handler);
  const listen = () =>
    new Promise<void>((resolve) => server.listen(join(folder, 'e.sock'), resolve));
  await listen();
  const address = findEngine(host, {});
  assert.ok(typeof address !== 'string');
  const engine = new Engine({ address, deadline: 200, version: 'v1.41' });
  t.after(() => {
    engine.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { engine, host };
}

test('A49: an environment goes in the body, and not into the URL', async (t) => {
  const seen: { url: string; body: string }[] = [];
  const { engine } = await at(t, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ url: request.url ?? '', body });
    response.writeHead(201, { 'content-type': 'application/json' }).end('{"Id":"x"}');
  });
  const body = { Env: ['SECRET=canary-4711'] };
  const query = { name: 'a b', empty: undefined };
  await engine.call({ method: 'POST', path: '/containers/create', query, body });
  assert.deepEqual(seen, [
    { url: '/v1.41/containers/create?name=a%20b', body: JSON.stringify(body) },
  ]);
});

test('a refusal has its status and text', async (t) => {
  const { engine } = await at(t, (_, response) => {
    response.writeHead(409, { 'content-type': 'application/json' });
    response.end('{"message":"it is paused"}');
  });
  for (const ask of [
    () => engine.call({ method: 'GET', path: '/a' }),
    () => engine.stream({ method: 'GET', path: '/a' }),
  ]) {
    const error = await ask().catch((error) => error);
    assert.ok(error instanceof EngineError, String(error));
    assert.equal(error.status, 409);
    assert.equal(error.message, 'it is paused');
  }
});

test('what does not answer, stops in its answer, or breaks off is unavailable', async (t) => {
  const handlers: Handler[] = [
    () => {},
    (_, response) => void response.writeHead(200, { 'content-length': '10' }).write('{'),
    (request) => void request.socket.destroy(),
  ];
  for (const handler of handlers) {
    const { engine } = await at(t, handler);
    const from = performance.now();
    await assert.rejects(engine.call({ method: 'POST', path: '/a' }), { failure: 'unavailable' });
    assert.ok(performance.now() - from < 2_000);
  }
});

test('a call that is given up before the engine was reached ends with the reason of its signal', async (t) => {
  let asked = 0;
  const { engine } = await at(t, () => void asked++);
  const abort = new AbortController();
  const call = engine.call({ method: 'GET', path: '/a', signal: abort.signal });
  abort.abort(new Error('given up'));
  await assert.rejects(call, /given up/);
  assert.equal(asked, 0);
});

test("a stream lives on after the deadline of its head, and ends by its caller's signal", async (t) => {
  const { engine } = await at(t, (_, response) => {
    response.writeHead(200).write('first');
    setTimeout(() => response.write('later'), 400);
  });
  const abort = new AbortController();
  const stream = await engine.stream({ method: 'GET', path: '/a', signal: abort.signal });
  const seen: string[] = [];
  const read = async () => {
    for await (const chunk of stream) {
      seen.push(String(chunk));
      if (seen.length === 2) abort.abort();
    }
  };
  await assert.rejects(read());
  assert.deepEqual(seen, ['first', 'later']);
});

test('without an engine, it is said what is missing and how to get it', async (t) => {
  const open = (dockerHost: string) =>
    openDockerDriver({
      dockerHost,
      env: {},
      installation: 'one',
      pullAddress: () => '127.0.0.1:5000',
      findLimit: 200,
    });
  const none = await open('unix:///no/such.sock');
  assert.match(
    'missing' in none ? none.missing : '',
    /^There is no container engine at unix:.*install Docker/,
  );
  const refused = await open('tcp://127.0.0.1:1');
  assert.match('missing' in refused ? refused.missing : '', /^No container engine answers/);
  const { host } = await at(t, () => {});
  const hung = await open(host);
  assert.match('missing' in hung ? hung.missing : '', /did not answer .* within 200 ms/);
});

test('a body that is refused in its midst is not sent on, and its connection is closed', async (t) => {
  let closed!: () => void;
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const { engine } = await at(t, (request, response) => {
    request.socket.once('close', closed);
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"no path"}');
  });
  const endless = new Readable({
    read() {
      setTimeout(() => this.push(Buffer.alloc(1 << 16)), 1);
    },
  });
  const write = engine.call({ method: 'PUT', path: '/a', file: endless, deadline: 0 });
  await assert.rejects(write, { status: 404 });
  await gone;
  endless.destroy();
});

test('a call costs as much beside two hundred that wait for their answers as alone', async (t) => {
  const waiting: ServerResponse[] = [];
  const { engine } = await at(t, (request, response) => {
    if (request.url?.endsWith('/wait')) {
      response.writeHead(200).flushHeaders();
      waiting.push(response);
    } else response.end('{}');
  });
  const cost = async () => {
    const before = process.cpuUsage();
    for (let n = 0; n < 100; n++) await engine.call({ method: 'GET', path: '/a', deadline: 0 });
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  await cost();
  const alone = await cost();
  const streams = await Promise.all(
    Array.from({ length: 200 }, () =>
      engine.stream({ method: 'POST', path: '/wait', deadline: 0 }),
    ),
  );
  const beside = await cost();
  for (const stream of streams) stream.destroy();
  assert.equal(waiting.length, 200);
  // CPU time, of both sides: what a call does beside others must not grow with them.
  t.diagnostic(`${alone} µs alone, ${beside} µs beside the others`);
  assert.ok(beside < 5 * alone + 100_000, `${alone} µs alone, ${beside} µs beside the others`);
});
