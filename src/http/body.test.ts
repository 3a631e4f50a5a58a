import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import test, { type TestContext } from 'node:test';
import { RegistryError } from '../oci/errors.ts';
import { acceptBody, contentLength, hasBody, readBody, withProgress } from './body.ts';
import { deferred, Line, serve } from './http-test-kit.ts';
import type { Services } from './services.ts';

const bodyTimeoutMs = 1000;
const services = { settings: { bodyTimeoutMs } } as Services;
const limit = 100;

type Exchange = { req: IncomingMessage; res: ServerResponse };

/** A request whose head came, on both its ends. */
async function begin(t: TestContext, headers: string[]): Promise<Exchange & { line: Line }> {
  const arrived = deferred<Exchange>();
  const port = await serve(t, (req, res) => arrived.resolve({ req, res }));
  const line = await Line.open(t, port);
  line.send('PUT / HTTP/1.1', 'Host: x', ...headers, '', '');
  return { line, ...(await arrived.promise) };
}
const read = (exchange: Exchange, most = limit) =>
  readBody({ ...exchange, services } as Parameters<typeof readBody>[0], most);

const kindOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof RegistryError ? error.kind : String(error)),
  );

test('a body is read whole, whatever pieces it comes in', async (t) => {
  const { line, ...exchange } = await begin(t, ['Content-Length: 9']);
  const body = read(exchange);
  for (const piece of ['abc', 'def']) {
    line.send(piece);
    await once(exchange.req, 'data');
  }
  line.send('ghi');
  assert.equal(String(await body), 'abcdefghi');
  const empty = await begin(t, ['Content-Length: 0']);
  assert.equal((await read(empty)).length, 0);
});

test('a body of just the limit is read, one byte more is refused as soon as it is known', async (t) => {
  const full = await begin(t, [`Content-Length: ${limit}`]);
  full.line.send('x'.repeat(limit));
  assert.equal((await read(full)).length, limit);
  const announced = await begin(t, [`Content-Length: ${limit + 1}`]);
  assert.equal(await kindOf(read(announced)), 'manifest-too-large');
  const chunked = await begin(t, ['Transfer-Encoding: chunked']);
  const body = kindOf(read(chunked));
  chunked.line.send((limit + 1).toString(16), 'x'.repeat(limit + 1), '');
  assert.equal(await body, 'manifest-too-large');
  assert.equal(chunked.req.listenerCount('data'), 0, 'what still comes can be drained');
  assert.ok(chunked.req.isPaused());
});

test('a body that is cut is refused', async (t) => {
  const { line, ...exchange } = await begin(t, ['Content-Length: 9']);
  const body = read(exchange);
  line.send('abc');
  await once(exchange.req, 'data');
  line.socket.destroy();
  await assert.rejects(body);
});

test('A31: a body whose client was gone before it was read is refused, and nothing waits', async (t) => {
  for (const sent of ['abc', 'abcdefghi']) {
    const { line, ...exchange } = await begin(t, ['Content-Length: 9']);
    line.send(sent);
    line.socket.resetAndDestroy();
    // Nobody listens for errors, as between the head and the reading of the body.
    await new Promise((resolve) => exchange.req.once('close', resolve));
    assert.equal(await kindOf(read(exchange)), 'invalid', sent);
  }
});

test('A35: a body that stops for as long as is allowed fails', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { line, ...exchange } = await begin(t, ['Content-Length: 9']);
  const body = kindOf(read(exchange));
  line.send('abc');
  await once(exchange.req, 'data');
  t.mock.timers.tick(bodyTimeoutMs);
  line.send('def');
  await once(exchange.req, 'data');
  t.mock.timers.tick(bodyTimeoutMs);
  t.mock.timers.tick(bodyTimeoutMs);
  assert.equal(await body, 'body-timeout');
});

test('a body that nobody reads yet is not to blame, and ends no process', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { line, ...exchange } = await begin(t, ['Content-Length: 9']);
  const { req } = exchange;
  const slow = deferred<void>();
  const working = withProgress(req, bodyTimeoutMs, async () => {
    // Such as an upload whose stored bytes are hashed again before more are taken.
    await slow.promise;
    return read(exchange);
  });
  for (let times = 0; times < 5; times++) t.mock.timers.tick(bodyTimeoutMs);
  slow.resolve();
  line.send('abcdefghi');
  assert.equal(String(await working), 'abcdefghi');
});

test('a body that is held back by its reader is not to blame', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { line, ...exchange } = await begin(t, ['Content-Length: 9']);
  const { req } = exchange;
  const failures: unknown[] = [];
  req.on('error', (error) => failures.push(error));
  const stored = deferred<void>();
  const working = withProgress(req, bodyTimeoutMs, () => stored.promise);
  req.on('data', () => req.pause());
  line.send('abc');
  await once(req, 'data');
  for (let times = 0; times < 5; times++) t.mock.timers.tick(bodyTimeoutMs);
  assert.deepEqual(failures, []);
  req.resume();
  t.mock.timers.tick(bodyTimeoutMs);
  assert.deepEqual(failures, [], 'a whole time from now');
  t.mock.timers.tick(bodyTimeoutMs);
  assert.deepEqual(
    failures.map((error) => (error as RegistryError).kind),
    ['body-timeout'],
  );
  stored.resolve();
  await working;
});

test('work that ends or fails is watched no longer', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { req } = await begin(t, ['Content-Length: 9']);
  const failures: unknown[] = [];
  req.on('error', (error) => failures.push(error));
  assert.equal(await withProgress(req, bodyTimeoutMs, async () => 5), 5);
  const failing = withProgress(req, bodyTimeoutMs, () => Promise.reject(new Error('own')));
  await assert.rejects(failing, /own/);
  req.resume();
  t.mock.timers.tick(10 * bodyTimeoutMs);
  assert.deepEqual(failures, []);
});

test('a client that asks first is told to go ahead, once', async (t) => {
  const { line, ...exchange } = await begin(t, ['Content-Length: 3', 'Expect: 100-continue']);
  const body = read(exchange);
  await line.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  acceptBody(exchange);
  line.send('abc');
  assert.equal(String(await body), 'abc');
  exchange.res.end('done');
  const answer = await line.until(/done/);
  assert.equal(answer.match(/100 Continue/g)?.length, 1);
});

test('one that is too large is not asked for', async (t) => {
  const headers = [`Content-Length: ${limit + 1}`, 'Expect: 100-continue'];
  const { line, ...exchange } = await begin(t, headers);
  assert.equal(await kindOf(read(exchange)), 'manifest-too-large');
  exchange.res.writeHead(413, { Connection: 'close' }).end();
  assert.doesNotMatch(await line.closed(), /100 Continue/);
});

test('whether there is a body, and how long it is said to be', async () => {
  const cases: [Record<string, string>, number | undefined, boolean][] = [
    [{}, undefined, false],
    [{ 'content-length': '0' }, 0, false],
    [{ 'content-length': '5' }, 5, true],
    [{ 'transfer-encoding': 'chunked' }, undefined, true],
  ];
  for (const [headers, length, has] of cases) {
    const req = { headers } as IncomingMessage;
    assert.equal(contentLength(req), length);
    assert.equal(hasBody(req), has);
  }
});
