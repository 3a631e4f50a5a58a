import assert from 'node:assert/strict';
import test from 'node:test';
import {
  ask,
  container,
  echo,
  exchangeRaw,
  gatewayFor,
  portOfServer,
  rawContainer,
  TestActivator,
  World,
} from './gateway-test-kit.ts';

async function echoing(t: Parameters<typeof container>[0], settings = {}) {
  const world = new World();
  world.deploy('1', { services: { web: settings } });
  const activator = new TestActivator(t, portOfServer(await container(t, echo)));
  return { ...(await gatewayFor(t, world, activator)), activator };
}

test('A45: what says who the client is cannot be said by the client', async (t) => {
  const { port } = await echoing(t);
  const answer = await ask(port, {
    headers: {
      'x-forwarded-for': '203.0.113.9',
      'X-Forwarded-Host': 'evil.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '1',
      'x-forwarded-prefix': '/evil',
      'x-forwarded-client-cert': 'evil',
      X_Forwarded_For: '203.0.113.9',
      'x-real-ip': '203.0.113.9',
      x_real_ip: '203.0.113.9',
      forwarded: 'for=203.0.113.9',
      'x-gantry-id': 'req_evil',
      'x-vercel-id': 'evil',
      'x-vercel-forwarded-for': '203.0.113.9',
      'x-fc-access-key-id': 'evil',
      'x-fc-control-path': '/initialize',
      'proxy-authorization': 'Basic ZXZpbA==',
      'x-own': 'kept',
      authorization: 'Bearer kept',
    },
  });
  const { headers } = JSON.parse(answer.body);
  assert.equal(headers['x-forwarded-for'], '127.0.0.1');
  assert.equal(headers['x-forwarded-host'], 'shop.localhost');
  assert.equal(headers['x-forwarded-proto'], 'http');
  assert.equal(headers['x-real-ip'], '127.0.0.1');
  assert.equal(headers['x-own'], 'kept');
  assert.equal(headers.authorization, 'Bearer kept');
  assert.doesNotMatch(answer.body, /evil|203\.0\.113\.9|ZXZpbA/i);
});

test('A45: under function-compute the role of the instance cannot be said by the client', async (t) => {
  const { port } = await echoing(t, { contract: 'function-compute' });
  const names = ['x-fc-access-key-id', 'x-fc-security-token', 'X_FC_Access_Key_Id'];
  const answer = await ask(port, {
    headers: Object.fromEntries(names.map((name) => [name, 'evil'])),
  });
  const { headers } = JSON.parse(answer.body);
  assert.equal(headers['x-fc-access-key-id'], 'key');
  assert.equal(headers['x-fc-security-token'], 'token');
  assert.equal(headers['x-fc-request-id'], answer.headers['x-fc-request-id']);
  assert.doesNotMatch(answer.body, /evil/);
});

test('A45: TRACE, which would show a client what the container alone is sent, is refused', async (t) => {
  const { port, activator } = await echoing(t);
  const answer = await ask(port, { method: 'TRACE' });
  assert.equal(answer.status, 405);
  assert.equal(activator.targets.length, 0);
});

test('what is of one connection alone ends there, named in Connection or not', async (t) => {
  const { port } = await echoing(t);
  const answer = await ask(port, {
    headers: [
      ...['Connection', 'keep-alive, X-Mine'],
      ...['X-Mine', 'hop', 'Keep-Alive', 'timeout=5', 'TE', 'trailers, gzip'],
      ...['Proxy-Connection', 'keep-alive', 'Upgrade-Insecure-Requests', '1'],
      ...['X-Other', 'kept', 'Cookie', 'a=1', 'X-Twice', '1', 'X-Twice', '2'],
    ],
  });
  const { headers } = JSON.parse(answer.body);
  assert.equal(headers['x-mine'], undefined);
  assert.equal(headers['keep-alive'], undefined);
  assert.equal(headers['proxy-connection'], undefined);
  assert.equal(headers.te, 'trailers');
  assert.equal(headers['x-other'], 'kept');
  assert.equal(headers['upgrade-insecure-requests'], '1');
  assert.equal(headers['x-twice'], '1, 2');
});

test('Connection cannot take away what the container is told of the client', async (t) => {
  const { port } = await echoing(t);
  const answer = await ask(port, {
    headers: { connection: 'close, x-forwarded-for, host, content-length, x-real-ip' },
    method: 'POST',
    body: 'body',
  });
  const seen = JSON.parse(answer.body);
  assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1');
  assert.equal(seen.headers.host, 'shop.localhost');
  assert.equal(seen.body, 'body');
});

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: shop.localhost\r\n\r\n';
const hosts = 'Host: shop.localhost\r\n';
for (const [what, bytes, status] of [
  [
    'both lengths',
    `POST / HTTP/1.1\r\n${hosts}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    400,
  ],
  [
    'two different lengths',
    `POST / HTTP/1.1\r\n${hosts}Content-Length: 4\r\nContent-Length: 5\r\n\r\nbodyx${smuggled}`,
    400,
  ],
  [
    'a list of lengths',
    `POST / HTTP/1.1\r\n${hosts}Content-Length: 4, 4\r\n\r\nbody${smuggled}`,
    400,
  ],
  [
    'a length with a sign',
    `POST / HTTP/1.1\r\n${hosts}Content-Length: +4\r\n\r\nbody${smuggled}`,
    400,
  ],
  [
    'a coding that only looks chunked',
    `POST / HTTP/1.1\r\n${hosts}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
    400,
  ],
  [
    'chunked and then something',
    `POST / HTTP/1.1\r\n${hosts}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
    400,
  ],
  [
    'another coding within',
    `POST / HTTP/1.1\r\n${hosts}Connection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    501,
  ],
  ['a space before the colon', `GET / HTTP/1.1\r\n${hosts}X-A : b\r\n\r\n${smuggled}`, 400],
  ['a folded header', `GET / HTTP/1.1\r\n${hosts}X-A: b\r\n c\r\n\r\n${smuggled}`, 400],
  [
    'a bare CR in a value',
    `GET / HTTP/1.1\r\n${hosts}X-A: b\rX-Forwarded-For: 1\r\n\r\n${smuggled}`,
    400,
  ],
  ['a bare LF between headers', `GET / HTTP/1.1\r\n${hosts}X-A: b\nX-B: c\r\n\r\n${smuggled}`, 400],
  ['a NUL in a value', `GET / HTTP/1.1\r\n${hosts}X-A: b\0c\r\n\r\n${smuggled}`, 400],
  [
    'two hosts',
    `GET / HTTP/1.1\r\n${hosts}Host: other.localhost\r\nConnection: close\r\n\r\n`,
    400,
  ],
  [
    'a URL of another host',
    `GET http://other.localhost/ HTTP/1.1\r\n${hosts}Connection: close\r\n\r\n`,
    400,
  ],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['a request for all of a server', `OPTIONS * HTTP/1.1\r\n${hosts}Connection: close\r\n\r\n`, 400],
] as const) {
  test(`A45: ${what}: refused, and nothing reaches the container`, async (t) => {
    const { port, activator } = await echoing(t);
    const answer = await exchangeRaw(port, bytes);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.doesNotMatch(answer, /\/smuggled/);
    assert.equal(activator.targets.length, 0);
  });
}

test('A45: a whole URL as the target is taken where its host is the one that is asked', async (t) => {
  const { port } = await echoing(t);
  const answer = await exchangeRaw(
    port,
    `GET http://shop.localhost/a?b HTTP/1.1\r\n${hosts}Connection: close\r\n\r\n`,
  );
  assert.match(answer, /"url":"\/a\?b"/);
});

test('A45: encoded line ends in a path stay encoded', async (t) => {
  const { port } = await echoing(t);
  const path = '/a%0d%0aX-Evil:%201?b=%0d%0a';
  const seen = JSON.parse((await ask(port, { path })).body);
  assert.equal(seen.url, path);
  assert.equal(seen.headers['x-evil'], undefined);
});

test('A45: a container cannot speak for Gantry, nor break the answer up', async (t) => {
  const world = new World();
  world.deploy('1');
  const from = await rawContainer(t, (socket) => {
    socket.once('data', () => {
      socket.end(
        'HTTP/1.1 200 OK\r\nX-Gantry-Id: evil\r\nX-Vercel-Id: evil\r\nConnection: close, X-Hop\r\nX-Hop: evil\r\nProxy-Authenticate: evil\r\nX-Kept: yes\r\nSet-Cookie: gantry_session=evil; Path=/\r\nSet-Cookie: __Host-gantry_session=evil; Path=/; Secure\r\nSet-Cookie: =gantry_session=evil\r\nSet-Cookie: a=1; Domain=localhost; Path=/x\r\nContent-Length: 2\r\n\r\nok',
      );
    });
  });
  const { port } = await gatewayFor(t, world, new TestActivator(t, from));
  const answer = await ask(port);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['x-kept'], 'yes');
  assert.deepEqual(answer.headers['set-cookie'], ['a=1; Path=/x']);
  assert.match(String(answer.headers['x-gantry-id']), /^req_/);
  assert.doesNotMatch(JSON.stringify(answer.rawHeaders), /evil/);
});

test("Gantry's own cookies do not reach a container", async (t) => {
  const { port } = await echoing(t);
  const { body } = await ask(port, {
    headers: { cookie: 'a=1; gantry_session=secret; __Host-gantry_session=secret; b=2' },
  });
  assert.equal(JSON.parse(body).headers.cookie, 'a=1; b=2');
  const only = await ask(port, { headers: { cookie: 'gantry_signin=secret' } });
  assert.equal(JSON.parse(only.body).headers.cookie, undefined);
});
