/** attacks.md A25 and A26, at webhooks: addresses inside, said plainly or found on the way. */
import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { hostname } from 'node:os';
import { after, before, test } from 'node:test';
import { openReceiver, type Receiver } from '../../src/events/webhook-test-kit.ts';
import { basic, Registry } from '../spec/client.ts';
import { type GantryServer, startServer } from '../spec/server.ts';

let receiver: Receiver;
let server: GantryServer;
let registry: Registry;
let path: string;
const closers: (() => unknown)[] = [];

before(async () => {
  receiver = await openReceiver({ after: (fn) => closers.push(fn) });
  const { port } = new URL(receiver.url);
  // The operator lets this one name be called, and nothing else on this machine.
  server = await startServer({ env: { GANTRY_OUTBOUND_ALLOW: `localhost:${port}` } });
  const { teamId, token, teamSlug } = server.bootstrap;
  registry = new Registry(server.origin, basic(teamId, token));
  path = `/api/v1/teams/${teamSlug}/webhooks`;
});
after(async () => {
  registry?.close();
  for (const close of closers) await close();
  await server?.stop();
});

async function ask(method: string, target: string, body?: object) {
  const answer = await registry.ask(method, target, {
    check: false,
    ...(body && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const text = answer.body.toString();
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) };
}

let made = 0;
const create = (url: string) => ask('POST', path, { name: `hook-${++made}`, url });

const inner = [
  'https://127.0.0.1/',
  'https://127.9.9.9:8443/',
  'https://localhost/',
  'https://sub.localhost/',
  'https://localhost./',
  'https://169.254.169.254/latest/meta-data/',
  'https://10.0.0.1/',
  'https://172.16.0.1/',
  'https://192.168.1.1/',
  'https://100.64.0.1/',
  'https://0.0.0.0/',
  'https://[::1]/',
  'https://[::]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[2002:7f00:1::]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[64:ff9b::169.254.169.254]/',
  'https://[fe80::1]/',
  'https://[fc00::1]/',
  'https://2130706433/',
  'https://0x7f000001/',
  'https://0177.0.0.1/',
  'https://127.1/',
  'https://%31%32%37.0.0.1/',
  'https://user@hooks.example.com/',
  'http://hooks.example.com/',
  'file:///etc/passwd',
  'gopher://127.0.0.1/',
  'https:\\\\127.0.0.1/',
];

test('A25: no webhook is made at an inner address, however it is written, nor moved to one', async () => {
  const good = await create(receiver.url.replace('127.0.0.1', 'localhost'));
  assert.equal(good.status, 201, 'what the operator allows');
  for (const url of [...inner, receiver.url]) {
    const refused = await create(url);
    assert.deepEqual([refused.status, refused.body.code], [400, 'INVALID'], url);
    const moved = await ask('PATCH', `${path}/${good.body.id}`, { url });
    assert.equal(moved.status, 400, url);
  }
  const { items } = (await ask('GET', path)).body as { items: unknown[] };
  assert.equal(items.length, 1);
});

test('A26: a receiver that redirects inward is not followed', async () => {
  const canary = createServer((_req, res) => {
    hits += 1;
    res.end();
  });
  let hits = 0;
  await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve));
  closers.push(() => canary.close());
  const { port } = canary.address() as AddressInfo;
  const hook = await create(receiver.url.replace('127.0.0.1', 'localhost'));
  for (const status of [301, 302, 303, 307, 308]) {
    receiver.answer = () => ({ status, headers: { Location: `http://127.0.0.1:${port}/` } });
    const { body } = await ask('POST', `${path}/${hook.body.id}/test`);
    assert.deepEqual([body.delivered, body.status], [false, status]);
  }
  assert.equal(hits, 0);
});

test('A26: a name that leads inward is not called, and the answer names no address', async (t) => {
  const name = hostname();
  const found = await lookup(name, { all: true }).catch(() => []);
  if (found.length === 0) return t.skip(`this machine's name (${name}) does not resolve`);
  const canary = createTcpServer((socket) => {
    hits += 1;
    socket.destroy();
  });
  let hits = 0;
  await new Promise<void>((resolve) => canary.listen(0, '0.0.0.0', resolve));
  closers.push(() => canary.close());
  const { port } = canary.address() as AddressInfo;
  const hook = await create(`https://${name}:${port}/`);
  assert.equal(hook.status, 201, 'the name itself says nothing');
  const { body } = await ask('POST', `${path}/${hook.body.id}/test`);
  assert.equal(body.delivered, false);
  assert.match(body.error, /not on the public internet/);
  for (const { address } of found) assert.ok(!JSON.stringify(body).includes(address));
  assert.equal(hits, 0);
});
