import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import test from 'node:test';
import {
  answerOf,
  ask,
  container,
  deployedWorld,
  echo,
  gatewayFor,
  portOfServer,
  shopRequest,
  TestActivator,
} from './gateway-test-kit.ts';

test('an answer streams: each event arrives before the next is made', async (t) => {
  const next = new EventTarget();
  const server = await container(t, async (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.flushHeaders();
    for (let event = 1; event <= 3; event++) {
      await once(next, 'go');
      res.write(`data: ${event}\n\n`);
    }
    res.end();
  });
  const { port } = await gatewayFor(t, deployedWorld(), new TestActivator(t, portOfServer(server)));
  const req = request({ ...shopRequest, port }).end();
  // The head comes before any of the body.
  const res = await answerOf(req);
  assert.equal(res.headers['content-type'], 'text/event-stream');
  for (let event = 1; event <= 3; event++) {
    const chunk = once(res, 'data');
    next.dispatchEvent(new Event('go'));
    assert.equal(String((await chunk)[0]), `data: ${event}\n\n`);
  }
});

test('a body streams, and what is answered meanwhile comes back', async (t) => {
  const server = await container(t, (req, res) => {
    req.on('data', (chunk) => res.write(chunk));
    req.on('end', () => res.end('.'));
  });
  const { port } = await gatewayFor(t, deployedWorld(), new TestActivator(t, portOfServer(server)));
  const req = request({ ...shopRequest, port, method: 'POST' });
  req.write('one');
  const res = await answerOf(req);
  assert.equal(String((await once(res, 'data'))[0]), 'one');
  req.write('two');
  assert.equal(String((await once(res, 'data'))[0]), 'two');
  req.end();
  assert.equal(String((await once(res, 'data'))[0]), '.');
});

test('a client that does not read holds the container back', async (t) => {
  const chunk = Buffer.alloc(256 * 1024);
  let written = 0;
  const stuck = Promise.withResolvers<void>();
  const server = await container(t, (_req, res) => {
    const more = (): void => {
      while (written < 400 * 1024 * 1024) {
        written += chunk.length;
        if (!res.write(chunk)) {
          // Two seconds without a drain: nothing takes any more.
          const timer = setTimeout(stuck.resolve, 2_000);
          res.once('drain', () => {
            clearTimeout(timer);
            more();
          });
          return;
        }
      }
      res.end();
    };
    more();
  });
  const { port } = await gatewayFor(t, deployedWorld(), new TestActivator(t, portOfServer(server)));
  const res = await answerOf(request({ ...shopRequest, port }).end());
  res.pause();
  await stuck.promise;
  assert.ok(written < 64 * 1024 * 1024, `${written} bytes were taken`);
  res.destroy();
});

test('a container that does not read holds the client back', async (t) => {
  const server = await container(t, (req) => req.pause());
  const { port } = await gatewayFor(t, deployedWorld(), new TestActivator(t, portOfServer(server)));
  const req = request({ ...shopRequest, port, method: 'POST' });
  req.on('error', () => {});
  const chunk = Buffer.alloc(256 * 1024);
  let written = 0;
  for (;;) {
    written += chunk.length;
    if (req.write(chunk)) continue;
    const drained = await Promise.race([
      once(req, 'drain').then(() => true),
      new Promise((resolve) => setTimeout(resolve, 2_000, false)),
    ]);
    if (!drained || written > 400 * 1024 * 1024) break;
  }
  assert.ok(written < 64 * 1024 * 1024, `${written} bytes were taken`);
  req.destroy();
});

test('100 MB go both ways unharmed', async (t) => {
  const server = await container(t, (req, res) => {
    res.writeHead(200, { 'content-length': req.headers['content-length'] });
    req.pipe(res);
  });
  const { port, until, ended } = await gatewayFor(
    t,
    deployedWorld(),
    new TestActivator(t, portOfServer(server)),
  );
  const size = 100 * 1024 * 1024;
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  const req = request({ ...shopRequest, port, method: 'PUT' });
  req.setHeader('content-length', size);
  let sent = 0;
  const send = (): void => {
    while (sent < size) {
      sent += chunk.length;
      if (!req.write(chunk)) return void req.once('drain', send);
    }
    req.end();
  };
  send();
  const res = await answerOf(req);
  let received = 0;
  for await (const part of res) received += (part as Buffer).length;
  assert.equal(received, size);
  await until(1);
  assert.equal(ended[0]!.requestBytes, size);
  assert.equal(ended[0]!.responseBytes, size);
});

test('Expect: 100-continue is granted once a container takes the body', async (t) => {
  const server = await container(t, echo);
  const activator = new TestActivator(t, portOfServer(server));
  const gate = Promise.withResolvers<void>();
  activator.gate = gate.promise;
  const { port } = await gatewayFor(t, deployedWorld(), activator);
  const req = request({ ...shopRequest, port, method: 'POST' });
  req.setHeader('expect', '100-continue');
  req.setHeader('content-length', 4);
  let granted = false;
  req.on('continue', () => {
    granted = true;
    req.end('body');
  });
  req.flushHeaders();
  while (activator.targets.length === 0) await new Promise(setImmediate);
  assert.equal(granted, false);
  gate.resolve();
  const res = await answerOf(req);
  assert.equal(granted, true);
  const seen = JSON.parse(String((await once(res, 'data'))[0]));
  assert.equal(seen.body, 'body');
  assert.equal(seen.headers.expect, undefined);
});

test('a refused request whose client asked first sends no body', async (t) => {
  const { port } = await gatewayFor(t, deployedWorld(), new TestActivator(t, 1), {
    limits: { request: 3 },
  });
  const req = request({ ...shopRequest, port, method: 'POST' });
  req.setHeader('expect', '100-continue');
  req.setHeader('content-length', 4);
  req.on('continue', () => assert.fail('the body was asked for'));
  req.flushHeaders();
  const res = await answerOf(req);
  assert.equal(res.statusCode, 413);
  assert.equal(res.headers.connection, 'close');
  req.destroy();
});

test('trailers and early hints come through', async (t) => {
  const server = await container(t, (_req, res) => {
    res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    res.writeHead(200, { trailer: 'x-sum' });
    res.write('body');
    res.addTrailers({ 'x-sum': '42' });
    res.end();
  });
  const { port } = await gatewayFor(t, deployedWorld(), new TestActivator(t, portOfServer(server)));
  const req = request({ ...shopRequest, port }).end();
  const information = once(req, 'information');
  const res = await answerOf(req);
  const [hints] = await information;
  assert.equal(hints.statusCode, 103);
  assert.equal(hints.headers.link, '</style.css>; rel=preload; as=style');
  res.resume();
  await once(res, 'end');
  assert.deepEqual({ ...res.trailers }, { 'x-sum': '42' });
});

test('HEAD, 204 and 304 have no body, and the connection stays good', async (t) => {
  const server = await container(t, (req, res) => {
    if (req.method === 'HEAD') res.writeHead(200, { 'content-length': 1234 }).end();
    else res.writeHead(Number(req.url!.slice(1)), { etag: '"a"' }).end();
  });
  const { port } = await gatewayFor(t, deployedWorld(), new TestActivator(t, portOfServer(server)));
  const head = await ask(port, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers['content-length'], '1234');
  assert.equal((await ask(port, { path: '/204' })).status, 204);
  const unchanged = await ask(port, { path: '/304' });
  assert.deepEqual([unchanged.status, unchanged.headers.etag], [304, '"a"']);
});

test('a client of HTTP/1.0 gets a body that ends with the connection', async (t) => {
  const server = await container(t, (_req, res) => {
    res.write('some');
    setImmediate(() => res.end('thing'));
  });
  const { port } = await gatewayFor(t, deployedWorld(), new TestActivator(t, portOfServer(server)));
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.0\r\nHost: shop.localhost\r\n\r\n');
  let all = '';
  for await (const chunk of socket) all += chunk;
  assert.match(all, /^HTTP\/1\.1 200 OK\r\n/);
  assert.doesNotMatch(all, /transfer-encoding/i);
  assert.match(all, /\r\n\r\nsomething$/);
});
