import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import test from 'node:test';
import { WebSocket } from 'undici';
import { ActivationError } from '../scheduler/activation.ts';
import {
  container,
  deployedWorld,
  type Ends,
  echo,
  exchangeRaw,
  gatewayFor,
  portOfServer,
  rawContainer,
  TestActivator,
} from './gateway-test-kit.ts';

/** Upgrades to a protocol that sends back what it gets, and ends where the other side ends. */
async function echoing(t: Ends): Promise<{ port: number; heads: string[] }> {
  const heads: string[] = [];
  const port = await rawContainer(t, (socket: Socket) => {
    socket.once('data', (head) => {
      heads.push(head.toString('latin1'));
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nX-Kept: 1\r\nSet-Cookie: gantry_session=evil\r\n\r\nhello ',
      );
      socket.on('data', (chunk) => socket.write(chunk));
      socket.on('end', () => socket.end('bye'));
    });
  });
  return { port, heads };
}

const head = (more = ''): string =>
  `GET /chat?x HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Forwarded-For: evil\r\nCookie: gantry_session=secret\r\n${more}\r\n`;

async function opened(t: Ends, port: number, text = head()): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.setEncoding('latin1');
  socket.write(text);
  return socket;
}

async function until(socket: Duplex, end: RegExp): Promise<string> {
  let all = '';
  while (!end.test(all)) all += (await once(socket, 'data'))[0];
  return all;
}

test('bytes go both ways after 101, and the lease is held until both ends have closed', async (t) => {
  const { port: from, heads } = await echoing(t);
  const activator = new TestActivator(t, from);
  const { port, gateway, ended, until: recorded } = await gatewayFor(t, deployedWorld(), activator);
  const socket = await opened(t, port, `${head()}early `);
  const first = await until(socket, /early /);
  assert.match(first, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  assert.match(first, /x-kept: 1\r\n/i);
  assert.match(first, /x-gantry-id: req_/i);
  assert.doesNotMatch(first, /evil/);
  assert.match(first, /\r\n\r\nhello early $/);
  assert.match(heads[0]!, /^GET \/chat\?x HTTP\/1\.1\r\n/);
  assert.match(heads[0]!, /x-forwarded-for: 127\.0\.0\.1\r\n/i);
  assert.doesNotMatch(heads[0]!, /evil|secret/);
  assert.equal(activator.held, 1);
  assert.equal(gateway.inFlight, 1);
  assert.equal(ended.length, 0);
  // Half-closed: the container still has something to say.
  socket.end('last');
  assert.match(await until(socket, /bye$/), /lastbye$/);
  await recorded(1);
  assert.equal(activator.held, 0);
  assert.equal(gateway.inFlight, 0);
  assert.deepEqual([ended[0]!.status, ended[0]!.error], [101, undefined]);
  assert.equal(ended[0]!.requestBytes, 'early last'.length);
  assert.equal(ended[0]!.responseBytes, 'hello early lastbye'.length);
});

test('a client that breaks off ends the container, and the other way round', async (t) => {
  const sockets: Socket[] = [];
  const from = await rawContainer(t, (socket) => {
    sockets.push(socket);
    socket.once('data', () =>
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n',
      ),
    );
  });
  const activator = new TestActivator(t, from);
  const running = await gatewayFor(t, deployedWorld(), activator);
  const client = await opened(t, running.port);
  await until(client, /\r\n\r\n$/);
  const containerEnded = once(sockets[0]!, 'end');
  client.resetAndDestroy();
  await containerEnded;
  await running.until(1);
  const other = await opened(t, running.port);
  await until(other, /\r\n\r\n$/);
  const clientEnded = once(other.resume(), 'end');
  sockets[1]!.resetAndDestroy();
  await clientEnded;
  await running.until(2);
  assert.equal(activator.held, 0);
});

test('a real WebSocket', async (t) => {
  const server = createServer();
  server.on('upgrade', (req, socket: Duplex) => {
    const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
    const key = `${req.headers['sec-websocket-key']}${guid}`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on('data', (frame: Buffer) => {
      if ((frame[0]! & 0x0f) === 8) return socket.end(Buffer.from([0x88, 0]));
      // One short frame: unmasked, and sent back.
      const mask = frame.subarray(2, 6);
      const text = frame.subarray(6).map((byte, index) => byte ^ mask[index % 4]!);
      return socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const activator = new TestActivator(t, portOfServer(server));
  // No name has to be looked up for an address.
  const running = await gatewayFor(t, deployedWorld(), activator, {
    origins: {
      requested: () => ({ host: 'shop.localhost', proto: 'http' }),
      clientAddress: () => '127.0.0.1',
    },
  });
  const socket = new WebSocket(`ws://127.0.0.1:${running.port}/chat`);
  await once(socket, 'open');
  const message = once(socket, 'message');
  socket.send('hi there');
  assert.equal((await message)[0].data, 'hi there');
  const closed = once(socket, 'close');
  socket.close();
  await closed;
  await running.until(1);
  assert.equal(activator.held, 0);
});

test('a container that does not want to answers as it likes', async (t) => {
  const server = await container(t, (_req, res) => {
    res.writeHead(401, { 'content-type': 'text/plain' });
    res.write('not ');
    res.end('you');
  });
  const activator = new TestActivator(t, portOfServer(server));
  const running = await gatewayFor(t, deployedWorld(), activator);
  const answer = await exchangeRaw(running.port, head());
  assert.match(answer, /^HTTP\/1\.1 401 Unauthorized\r\n/);
  assert.match(answer, /connection: close\r\n/i);
  assert.doesNotMatch(answer, /transfer-encoding/i);
  assert.match(answer, /\r\n\r\nnot you$/);
  await running.until(1);
  assert.equal(running.ended[0]!.status, 401);
  assert.equal(activator.held, 0);
});

test('refusals are plain answers: no such host, no instance, a drain', async (t) => {
  const activator = new TestActivator(t, 1);
  activator.refuse = new ActivationError({
    status: 503,
    code: 'NO_CAPACITY',
    message: 'Full.',
    hint: '',
    retryAfterSeconds: 4,
  });
  const { port, gateway } = await gatewayFor(t, deployedWorld(), activator);
  const absent = await exchangeRaw(port, head().replace('shop.', 'absent.'));
  assert.match(absent, /^HTTP\/1\.1 404 Not Found\r\n/);
  const full = await exchangeRaw(port, head());
  assert.match(full, /^HTTP\/1\.1 503 [\s\S]*retry-after: 4\r\n[\s\S]*NO_CAPACITY/);
  const body = await exchangeRaw(port, head('Content-Length: 5\r\n').concat('12345'));
  assert.match(body, /^HTTP\/1\.1 400 /);
  await gateway.drain();
  assert.match(await exchangeRaw(port, head()), /^HTTP\/1\.1 503 [\s\S]*STOPPING/);
  assert.equal(gateway.inFlight, 0);
});

test('HTTP/2 is not upgraded to: it would go past all that is looked at; the request is answered', async (t) => {
  const server = await container(t, echo);
  const activator = new TestActivator(t, portOfServer(server));
  const { port } = await gatewayFor(t, deployedWorld(), activator);
  const answer = await exchangeRaw(
    port,
    'GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  assert.doesNotMatch(answer, /h2c|http2-settings/i);
});

test('a client that goes away while it waits gives its place back', async (t) => {
  const activator = new TestActivator(t, 1);
  activator.gate = new Promise(() => {});
  const { port, gateway, until: recorded } = await gatewayFor(t, deployedWorld(), activator);
  const socket = await opened(t, port);
  while (activator.targets.length === 0) await new Promise(setImmediate);
  socket.resetAndDestroy();
  await recorded(1);
  assert.equal(gateway.inFlight, 0);
  assert.equal(activator.held, 0);
});

test('a stop ends what was upgraded', async (t) => {
  const { port: from } = await echoing(t);
  const activator = new TestActivator(t, from);
  const { port, gateway, until: recorded } = await gatewayFor(t, deployedWorld(), activator);
  const socket = await opened(t, port);
  await until(socket, /hello $/);
  const closed = once(socket, 'close');
  socket.resume();
  gateway.close();
  socket.end();
  await closed;
  await recorded(1);
  assert.equal(activator.held, 0);
});
