import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type RequestListener, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { answerOf, ask, echo, exchangeRaw, rawContainer } from '../gateway-test-kit.ts';
import { forwardedHeader } from './forwarded-header.ts';
import { startPeer } from './forwarding-test-kit.ts';

/** Of a process that nothing should reach. */
const never: RequestListener = () => assert.fail('it was asked');

test('a request and its answer pass as they are, and whose it is is known', async (t) => {
  const owner = await startPeer(t, (req, res) => {
    res.setHeader('x-client', owner.origins.clientAddress(req));
    res.setHeader('x-asked', JSON.stringify(owner.origins.requested(req)));
    res.setHeader('set-cookie', ['a=1', 'b=2']);
    echo(req, res);
  });
  const front = await startPeer(t, never, {
    owner: { address: { origin: owner.origin } },
    trustedProxies: ['127.0.0.1'],
  });
  const answer = await ask(front.port, {
    ...{ host: 'shop.example:81', method: 'POST', path: '/a%20b?c=d&c=e', body: 'body' },
    headers: [
      ...['authorization', 'Bearer x', 'x-forwarded-for', '203.0.113.9'],
      ...['x-forwarded-proto', 'https', 'X-Two', '1', 'X-Two', '2', 'content-length', '4'],
      ...['connection', 'x-hop', 'x-hop', '1'],
    ],
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal(answer.headers['x-client'], '203.0.113.9');
  assert.deepEqual(JSON.parse(answer.headers['x-asked'] as string), {
    ...{ host: 'shop.example:81', proto: 'https' },
  });
  const seen = JSON.parse(answer.body);
  assert.deepEqual(
    [seen.method, seen.url, seen.body, seen.headers.host, seen.headers.authorization],
    ['POST', '/a%20b?c=d&c=e', 'body', 'shop.example:81', 'Bearer x'],
  );
  assert.equal(seen.headers['x-two'], '1, 2');
  assert.equal(seen.headers['x-hop'], undefined);
  assert.equal(seen.headers[forwardedHeader], undefined);
});

test('each method, with a body and without one', async (t) => {
  const owner = await startPeer(t, echo);
  const front = await startPeer(t, never, { owner: { address: { origin: owner.origin } } });
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    for (const headers of [{}, { 'content-length': '3' }, { 'transfer-encoding': 'chunked' }]) {
      const empty = Object.keys(headers).length === 0;
      const answer = await ask(front.port, { method, headers, ...(!empty && { body: 'abc' }) });
      assert.equal(answer.status, 200);
      if (method !== 'HEAD') {
        const seen = JSON.parse(answer.body);
        assert.deepEqual([seen.method, seen.body], [method, empty ? '' : 'abc']);
      }
    }
  }
});

test('a process behind a socket of this machine is reached, too', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-forward-'));
  t.after(() => rm(folder, { recursive: true }));
  const socketPath = join(folder, 'owner.sock');
  const owner = await startPeer(t, (req, res) => res.end(owner.origins.clientAddress(req)), {
    socketPath,
  });
  const front = await startPeer(t, never, { owner: { address: { socketPath } } });
  for (const _ of [1, 2]) assert.equal((await ask(front.port)).body, '127.0.0.1');
});

test('large bodies go both ways with back-pressure', async (t) => {
  const taken = Promise.withResolvers<void>();
  const owner = await startPeer(t, async (req, res) => {
    await taken.promise;
    req.pipe(res);
  });
  const front = await startPeer(t, never, { owner: { address: { origin: owner.origin } } });
  const req = request({ host: '127.0.0.1', port: front.port, method: 'POST', agent: false });
  const block = randomBytes(256 * 1024);
  let written = 0;
  // Until nobody takes more: all that is between here and there is full.
  const full = async () => {
    for (let stalls = 0; stalls < 5; ) {
      if (req.write(block)) stalls = 0;
      else {
        const drained = await Promise.race([
          once(req, 'drain').then(() => true),
          new Promise<false>((done) => setTimeout(done, 100, false)),
        ]);
        stalls = drained ? 0 : stalls + 1;
      }
      written += block.length;
      assert.ok(written < 64 * 2 ** 20, 'it is kept in memory somewhere');
    }
  };
  await full();
  taken.resolve();
  const answer = answerOf(req);
  const more = 32 * 2 ** 20;
  const send = async () => {
    for (let sent = 0; sent < more; sent += block.length) {
      if (!req.write(block)) await once(req, 'drain');
      written += block.length;
    }
    req.end();
  };
  const sending = send();
  let read = 0;
  for await (const chunk of await answer) read += (chunk as Buffer).length;
  await sending;
  assert.equal(read, written);
});

test('answers stream, with trailers and 1xx answers', async (t) => {
  const go = Promise.withResolvers<void>();
  const owner = await startPeer(t, async (_req, res) => {
    res.writeEarlyHints({ link: '</style.css>; rel=preload' });
    res.writeHead(200, { trailer: 'x-sum' });
    res.write('first');
    await go.promise;
    res.addTrailers({ 'x-sum': '5' });
    res.end('last');
  });
  const front = await startPeer(t, never, { owner: { address: { origin: owner.origin } } });
  const req = request({
    ...{ host: '127.0.0.1', port: front.port, headers: { te: 'trailers' }, agent: false },
  });
  const hinted = once(req, 'information');
  req.end();
  const answer = answerOf(req);
  assert.equal((await hinted)[0].statusCode, 103);
  const res = await answer;
  assert.equal(String((await once(res, 'data'))[0]), 'first');
  go.resolve();
  const ended = once(res, 'end');
  assert.equal(String((await once(res, 'data'))[0]), 'last');
  await ended;
  assert.equal(res.trailers['x-sum'], '5');
});

test('a client that waits to be asked for its body is asked by whoever takes it', async (t) => {
  const owner = await startPeer(t, (req, res) => {
    if (req.url === '/no') return void res.writeHead(413).end('no');
    res.writeContinue();
    echo(req, res);
  });
  const front = await startPeer(t, never, { owner: { address: { origin: owner.origin } } });
  const options = { host: '127.0.0.1', port: front.port, method: 'POST', agent: false } as const;
  const headers = { expect: '100-continue', 'content-length': '4' };
  const req = request({ ...options, headers });
  req.flushHeaders();
  await once(req, 'continue');
  req.end('body');
  assert.match(String((await once(await answerOf(req), 'data'))[0]), /"body":"body"/);
  const refused = request({ ...options, headers, path: '/no' });
  refused.on('continue', () => assert.fail('it was asked for its body'));
  refused.flushHeaders();
  assert.equal((await answerOf(refused)).statusCode, 413);
  refused.destroy();
});

test('a client that goes away is gone for the owner, too', async (t) => {
  const closed = Promise.withResolvers<void>();
  const owner = await startPeer(t, (req, res) => {
    res.on('close', closed.resolve);
    req.on('error', () => {});
    res.write('first');
  });
  const front = await startPeer(t, never, { owner: { address: { origin: owner.origin } } });
  const req = request({ host: '127.0.0.1', port: front.port, method: 'POST', agent: false });
  req.on('error', () => {});
  req.write('half');
  const res = await answerOf(req);
  res.on('error', () => {});
  await once(res, 'data');
  req.destroy();
  await closed.promise;
});

test('an owner that breaks off cuts the client off, and before its answer it is told', async (t) => {
  const port = await rawContainer(t, (socket) => {
    socket.once('data', (head) => {
      if (String(head).startsWith('GET /early')) return void socket.destroy();
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n', () =>
        socket.end(),
      );
    });
  });
  const origin = `http://127.0.0.1:${port}`;
  const front = await startPeer(t, never, { owner: { address: { origin } } });
  await assert.rejects(ask(front.port), { code: 'ECONNRESET' });
  const early = await ask(front.port, { path: '/early' });
  assert.deepEqual([early.status, JSON.parse(early.body).code], [502, 'OWNER_FAILED']);
});

test('A45: a client that says it was forwarded is a client like any other', async (t) => {
  const owner = await startPeer(t, (req, res) => res.end(owner.origins.clientAddress(req)));
  const front = await startPeer(t, never, { owner: { address: { origin: owner.origin } } });
  const spoofed = { [forwardedHeader]: `${Buffer.from('[1]').toString('base64url')}.x` };
  for (const peer of [owner, front]) {
    const answer = await ask(peer.port, { headers: spoofed });
    assert.deepEqual([answer.status, answer.body], [200, '127.0.0.1']);
  }
});

for (const [what, bytes, status] of [
  ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n', 400],
  [
    'another coding within',
    'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    501,
  ],
] as const) {
  test(`A45: ${what}: refused before it is forwarded`, async (t) => {
    const owner = await startPeer(t, never);
    const front = await startPeer(t, never, {
      owner: { address: { origin: owner.origin } },
    });
    assert.match(await exchangeRaw(front.port, bytes), new RegExp(`^HTTP/1\\.1 ${status} `));
  });
}
