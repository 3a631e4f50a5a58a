import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { connect } from 'node:net';
import test from 'node:test';
import { exchangeRaw } from '../gateway-test-kit.ts';
import { startPeer } from './forwarding-test-kit.ts';

/** Of a process that nothing should reach. */
const never: RequestListener = () => assert.fail('it was asked');

test('an upgraded connection passes both ways, and each end closes on its own', async (t) => {
  const owner = await startPeer(t, never, {
    upgrade: (req, socket, head) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: echo\r\nx-client: ${owner.origins.clientAddress(req)}\r\n\r\n`,
      );
      socket.write(head);
      socket.pipe(socket);
    },
  });
  const front = await startPeer(t, never, { owner: { address: { origin: owner.origin } } });
  const head =
    'GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';
  const socket = connect(front.port, '127.0.0.1');
  socket.setEncoding('latin1');
  socket.write(`${head}early`);
  let all = '';
  socket.on('data', (chunk) => {
    all += chunk;
  });
  while (!all.endsWith('early')) await once(socket, 'data');
  assert.match(all, /^HTTP\/1\.1 101 [\s\S]*upgrade: echo\r\n/);
  assert.match(all, /x-client: 127\.0\.0\.1\r\n/);
  socket.end('late');
  await once(socket, 'close');
  assert.ok(all.endsWith('earlylate'), all);
});

test('an upgrade waits for the next owner, and is refused in words', async (t) => {
  const owner = await startPeer(t, (_req, res) => res.writeHead(404).end('no such thing'));
  const front = await startPeer(t, never, { owner: { none: 'Nobody.', sinceMs: 0 } });
  const head =
    'GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';
  const asked = exchangeRaw(front.port, head);
  while (front.looks < 2) await new Promise(setImmediate);
  front.owner = { none: 'Nobody.', sinceMs: 60_000 };
  assert.match(await asked, /^HTTP\/1\.1 503 [\s\S]*retry-after: 5[\s\S]*NO_OWNER/);
  front.owner = { address: { origin: owner.origin } };
  // This owner grants no upgrade.
  owner.owner = { address: { origin: front.origin } };
  const again = exchangeRaw(front.port, head);
  const before = front.looks;
  while (front.looks < before + 2) await new Promise(setImmediate);
  front.owner = { none: 'Nobody.', sinceMs: 60_000 };
  assert.match(await again, /^HTTP\/1\.1 503 /);
});

test('an upgrade ends on both sides when the client breaks off, and when the owner does', async (t) => {
  const opened: { end: () => void; closed: Promise<unknown> }[] = [];
  const owner = await startPeer(t, never, {
    upgrade: (_req, socket) => {
      socket.on('error', () => {});
      socket.resume();
      socket.on('end', () => socket.end());
      opened.push({ end: () => socket.destroy(), closed: once(socket, 'close') });
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: x\r\n\r\n');
    },
  });
  const front = await startPeer(t, never, { owner: { address: { origin: owner.origin } } });
  const open = async () => {
    const socket = connect(front.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    await once(socket, 'data');
    return socket;
  };
  const one = await open();
  one.resetAndDestroy();
  await opened[0]!.closed;
  const two = await open();
  two.resume();
  const closed = once(two, 'close');
  opened[1]!.end();
  await closed;
});
