import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import test from 'node:test';
import {
  answerOf,
  ask,
  container,
  deployedWorld,
  gatewayFor,
  portOfServer,
  rawContainer,
  shopRequest,
  TestActivator,
} from './gateway-test-kit.ts';

test('a client that goes away ends the request in the container, and is counted', async (t) => {
  const closed = Promise.withResolvers<void>();
  const server = await container(t, (req, res) => {
    res.write('first');
    req.on('close', closed.resolve);
  });
  const activator = new TestActivator(t, portOfServer(server));
  const { port, until, ended } = await gatewayFor(t, deployedWorld(), activator);
  const req = request({ ...shopRequest, port }).end();
  const res = await answerOf(req);
  res.on('error', () => {});
  await once(res, 'data');
  req.destroy();
  await closed.promise;
  await until(1);
  assert.deepEqual([ended[0]!.status, ended[0]!.error], [499, 'CLIENT_CLOSED']);
  assert.equal(activator.held, 0);
});

test('a client that goes away in the middle of its body ends the request in the container', async (t) => {
  const closed = Promise.withResolvers<void>();
  const server = await container(t, (req) => {
    req.on('error', () => {});
    req.on('close', closed.resolve);
    req.resume();
  });
  const activator = new TestActivator(t, portOfServer(server));
  const { port, until, ended } = await gatewayFor(t, deployedWorld(), activator);
  const req = request({ ...shopRequest, port, method: 'POST' });
  req.on('error', () => {});
  const taken = once(server, 'request');
  req.setHeader('content-length', 1_000_000);
  req.write('half');
  await taken;
  req.destroy();
  await closed.promise;
  await until(1);
  assert.deepEqual([ended[0]!.status, ended[0]!.error], [499, 'CLIENT_CLOSED']);
  assert.equal(activator.held, 0);
});

test('a client that goes away while it waits leaves the queue', async (t) => {
  const activator = new TestActivator(t, 1);
  activator.gate = new Promise(() => {});
  const { port, until, ended } = await gatewayFor(t, deployedWorld(), activator);
  const req = request({ ...shopRequest, port }).end();
  req.on('error', () => {});
  while (activator.targets.length === 0) await new Promise(setImmediate);
  req.destroy();
  await until(1);
  assert.deepEqual([ended[0]!.status, ended[0]!.error], [499, 'CLIENT_CLOSED']);
});

test('a container that breaks off in the middle cuts the client off', async (t) => {
  const port = await rawContainer(t, (socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () => socket.destroy());
    });
  });
  const activator = new TestActivator(t, port);
  const running = await gatewayFor(t, deployedWorld(), activator);
  await assert.rejects(ask(running.port), { code: 'ECONNRESET' });
  await running.until(1);
  assert.equal(running.ended[0]!.error, 'INSTANCE_FAILED');
  assert.equal(activator.held, 0);
});

test('a chunked answer that breaks off is not taken for whole', async (t) => {
  const port = await rawContainer(t, (socket) => {
    socket.once('data', () => {
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n');
    });
  });
  const running = await gatewayFor(t, deployedWorld(), new TestActivator(t, port));
  await assert.rejects(ask(running.port), { code: 'ECONNRESET' });
});

test('an answer that comes before the body is whole is sent on', async (t) => {
  const server = await container(t, (_req, res) => {
    res.writeHead(403).end('no');
  });
  const activator = new TestActivator(t, portOfServer(server));
  const { port } = await gatewayFor(t, deployedWorld(), activator);
  const req = request({ ...shopRequest, port, method: 'POST' });
  req.on('error', () => {});
  const timer = setInterval(() => req.write(Buffer.alloc(64 * 1024)), 1);
  t.after(() => clearInterval(timer));
  const res = await answerOf(req);
  assert.equal(res.statusCode, 403);
  assert.equal(String((await once(res, 'data'))[0]), 'no');
  clearInterval(timer);
  req.destroy();
  assert.equal(activator.held, 0);
});
