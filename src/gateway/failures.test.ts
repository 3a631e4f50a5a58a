import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import test from 'node:test';
import { ActivationError } from '../scheduler/activation.ts';
import {
  ask,
  container,
  echo,
  gatewayFor,
  portOfServer,
  rawContainer,
  TestActivator,
  World,
} from './gateway-test-kit.ts';

function world(settings = {}): World {
  const made = new World();
  made.deploy('1', { services: { web: settings } });
  return made;
}

/** A port that nothing listens on any more. */
async function closedPort(): Promise<number> {
  const server: Server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOfServer(server);
  server.close();
  await once(server, 'close');
  return port;
}

test('where nothing was sent, another instance is asked: a body is still whole', async (t) => {
  const server = await container(t, echo);
  const activator = new TestActivator(t, await closedPort(), portOfServer(server));
  const { port, ended, started } = await gatewayFor(t, world(), activator);
  const answer = await ask(port, { method: 'POST', body: 'once' });
  assert.equal(JSON.parse(answer.body).body, 'once');
  // The first instance is looked at.
  assert.deepEqual(activator.released, [{ broken: true }, { broken: false }]);
  assert.equal(started.length, 2);
  assert.equal(ended.length, 1);
  assert.equal(ended[0]!.instanceId, `ins_${portOfServer(server)}`);
});

test('an instance that refuses every connection is given up after three', async (t) => {
  const activator = new TestActivator(t, await closedPort());
  const { port, ended } = await gatewayFor(t, world(), activator);
  const answer = await ask(port);
  assert.equal(answer.status, 502);
  assert.equal(JSON.parse(answer.body).code, 'INSTANCE_FAILED');
  assert.equal(activator.released.length, 3);
  assert.equal(activator.held, 0);
  assert.equal(ended[0]!.error, 'INSTANCE_FAILED');
});

for (const method of ['GET', 'POST']) {
  test(`a ${method} that was sent is never sent again`, async (t) => {
    let taken = 0;
    const broken = await rawContainer(t, (socket: Socket) => {
      socket.once('data', () => {
        taken++;
        socket.destroy();
      });
    });
    const activator = new TestActivator(t, broken);
    const { port } = await gatewayFor(t, world(), activator);
    const answer = await ask(port, { method });
    assert.equal(answer.status, 502);
    assert.equal(taken, 1);
    assert.deepEqual(activator.released, [{ broken: true }]);
  });
}

test('what is no HTTP is told from a crash', async (t) => {
  const other = await rawContainer(t, (socket) => {
    socket.once('data', () => socket.write('220 smtp.example ESMTP\r\n'));
  });
  const { port } = await gatewayFor(t, world(), new TestActivator(t, other));
  const answer = await ask(port);
  assert.deepEqual([answer.status, JSON.parse(answer.body).code], [502, 'BAD_ANSWER']);
});

test('a function that takes too long: 504 with its reason, and the container is told', async (t) => {
  const closed = Promise.withResolvers<void>();
  const server = await container(t, (req) => void req.on('close', closed.resolve));
  const activator = new TestActivator(t, portOfServer(server));
  const { port, ended } = await gatewayFor(t, world({ requestTimeoutMs: 150 }), activator);
  const answer = await ask(port);
  assert.equal(answer.status, 504);
  const said = JSON.parse(answer.body);
  assert.deepEqual(Object.keys(said), ['code', 'message', 'hint']);
  assert.equal(said.code, 'REQUEST_TIMEOUT');
  await closed.promise;
  assert.equal(ended[0]!.error, 'REQUEST_TIMEOUT');
  assert.equal(activator.held, 0);
});

test('an answer that goes on for too long is cut off', async (t) => {
  const server = await container(t, (_req, res) => void res.write('begun'));
  const activator = new TestActivator(t, portOfServer(server));
  const running = await gatewayFor(t, world({ requestTimeoutMs: 150 }), activator);
  await assert.rejects(ask(running.port), { code: 'ECONNRESET' });
  await running.until(1);
  assert.equal(running.ended[0]!.error, 'REQUEST_TIMEOUT');
});

test('fifteen minutes are granted where a service asks for them', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const taken = Promise.withResolvers<() => void>();
  const server = await container(t, (_req, res) => taken.resolve(() => res.end('late')));
  const activator = new TestActivator(t, portOfServer(server));
  const { port } = await gatewayFor(t, world({ requestTimeoutMs: 900_000 }), activator);
  const answer = ask(port);
  const finish = await taken.promise;
  t.mock.timers.tick(899_999);
  finish();
  assert.equal((await answer).body, 'late');
});

test('a body over the limit is refused: at once where it is announced, else where it passes', async (t) => {
  const server = await container(t, echo);
  const activator = new TestActivator(t, portOfServer(server));
  const { port } = await gatewayFor(t, world(), activator, { limits: { request: 1_000 } });
  const announced = await ask(port, { method: 'POST', body: 'x'.repeat(1_001) });
  assert.deepEqual([announced.status, JSON.parse(announced.body).code], [413, 'REQUEST_TOO_LARGE']);
  assert.equal(activator.targets.length, 0);
  const chunked = await ask(port, {
    method: 'POST',
    body: 'x'.repeat(100_000),
    headers: { 'transfer-encoding': 'chunked' },
  });
  assert.equal(chunked.status, 413);
  assert.equal((await ask(port, { method: 'POST', body: 'x'.repeat(1_000) })).status, 200);
  assert.equal(activator.held, 0);
});

test('an answer over the limit is refused where it is announced, else cut off', async (t) => {
  const server = await container(t, (req, res) => {
    if (req.url === '/chunked') res.write('x');
    setImmediate(() => res.end('x'.repeat(2_000)));
  });
  const activator = new TestActivator(t, portOfServer(server));
  const running = await gatewayFor(t, world(), activator, { limits: { response: 1_000 } });
  const announced = await ask(running.port);
  assert.deepEqual(
    [announced.status, JSON.parse(announced.body).code],
    [502, 'RESPONSE_TOO_LARGE'],
  );
  running.ended.pop();
  await assert.rejects(ask(running.port, { path: '/chunked' }), { code: 'ECONNRESET' });
  await running.until(1);
  assert.equal(running.ended[0]!.error, 'RESPONSE_TOO_LARGE');
});

test('no instance: the reason in JSON, with when to come back; refused ones are counted, too', async (t) => {
  const activator = new TestActivator(t, 1);
  activator.refuse = new ActivationError({
    status: 429,
    code: 'QUEUE_FULL',
    message: 'Too many requests wait.',
    hint: 'Raise maxInstances.',
    retryAfterSeconds: 2.2,
  });
  const { port, ended } = await gatewayFor(t, world(), activator);
  const answer = await ask(port);
  assert.equal(answer.status, 429);
  assert.equal(answer.headers['retry-after'], '3');
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.deepEqual(JSON.parse(answer.body), {
    code: 'QUEUE_FULL',
    message: 'Too many requests wait.',
    hint: 'Raise maxInstances.',
  });
  assert.deepEqual([ended[0]!.status, ended[0]!.error], [429, 'QUEUE_FULL']);
});

test("no instance: the contract's own answer, byte for byte", async (t) => {
  const activator = new TestActivator(t, 1);
  const body = '{"ErrorCode":"FunctionNotStarted","ErrorMessage":"…"}';
  activator.refuse = new ActivationError({
    status: 502,
    code: 'FUNCTION_NOT_STARTED',
    message: '',
    hint: '',
    answer: { status: 502, headers: { 'content-type': 'application/json' }, body },
  });
  const { port } = await gatewayFor(t, world(), activator);
  const answer = await ask(port);
  assert.deepEqual([answer.status, answer.body], [502, body]);
});

test('an error that nobody expected is a 500 that says nothing, and the operator is told', async (t) => {
  const activator = new TestActivator(t, 1);
  activator.refuse = new Error('secret detail');
  const { port, failures } = await gatewayFor(t, world(), activator);
  const answer = await ask(port);
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.body, /secret/);
  assert.equal(failures.length, 1);
});

test('a cold answer says where its time went; a warm one does not', async (t) => {
  const server = await container(t, (_req, res) =>
    res.setHeader('server-timing', 'db;dur=1').end(),
  );
  const activator = new TestActivator(t, portOfServer(server));
  activator.start = { from: 'image', queue: 1, pull: 0, create: 23.04, boot: 100 };
  const { port, ended } = await gatewayFor(t, world(), activator);
  const cold = await ask(port);
  assert.match(
    String(cold.headers['server-timing']),
    /^db;dur=1, queue;dur=1\.0, pull;dur=0\.0, create;dur=23\.0, boot;dur=100\.0, app;dur=\d+\.\d$/,
  );
  assert.equal(ended[0]!.start?.from, 'image');
  activator.start = undefined;
  assert.equal((await ask(port)).headers['server-timing'], 'db;dur=1');
});

test('a drain refuses what is new and lets what is under way end', async (t) => {
  const taken = Promise.withResolvers<() => void>();
  const server = await container(t, (_req, res) => taken.resolve(() => res.end('whole')));
  const activator = new TestActivator(t, portOfServer(server));
  const { port, gateway } = await gatewayFor(t, world(), activator);
  const first = ask(port);
  const finish = await taken.promise;
  let drained = false;
  const draining = gateway.drain().then(() => {
    drained = true;
  });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const second = await ask(port, { agent });
  assert.equal(second.status, 503);
  assert.equal(second.headers['retry-after'], '1');
  assert.equal(second.headers.connection, 'close');
  assert.equal(drained, false);
  assert.equal(gateway.inFlight, 1);
  finish();
  assert.equal((await first).body, 'whole');
  await draining;
  assert.equal(gateway.inFlight, 0);
});

test('a drain waits only so long', async (t) => {
  const taken = Promise.withResolvers<void>();
  const server = await container(t, () => taken.resolve());
  const activator = new TestActivator(t, portOfServer(server));
  const { port, gateway } = await gatewayFor(t, world(), activator);
  const endless = ask(port).catch(() => {});
  await taken.promise;
  await gateway.drain(20);
  assert.equal(gateway.inFlight, 1);
  server.closeAllConnections();
  await endless;
});

test('time that runs out while another instance is asked for gives that instance back', async (t) => {
  const server = await container(t, echo);
  const activator = new TestActivator(t, await closedPort(), portOfServer(server));
  const gate = Promise.withResolvers<void>();
  const { port } = await gatewayFor(t, world({ requestTimeoutMs: 150 }), activator);
  const answer = ask(port);
  while (activator.released.length === 0) {
    activator.gate = activator.held > 0 ? gate.promise : activator.gate;
    await new Promise(setImmediate);
  }
  assert.equal((await answer).status, 504);
  gate.resolve();
  while (activator.held > 0 || activator.released.length < 2) await new Promise(setImmediate);
  assert.equal(activator.targets.length, 2);
});

test('a connection that is kept serves one request after another, and a refusal does not end it', async (t) => {
  const server = await container(t, echo);
  const activator = new TestActivator(t, portOfServer(server));
  const { port } = await gatewayFor(t, world(), activator);
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  t.after(() => socket.destroy());
  const seen = async (request: string, end: RegExp): Promise<string> => {
    let all = '';
    socket.write(request);
    while (!end.test(all)) all += (await once(socket, 'data'))[0];
    return all;
  };
  assert.match(
    await seen('GET /1 HTTP/1.1\r\nHost: shop.localhost\r\n\r\n', /"body":""/),
    /200 OK/,
  );
  assert.match(await seen('GET /2 HTTP/1.1\r\nHost: no.localhost\r\n\r\n', /\}\n$/), /404 Not/);
  assert.match(
    await seen('GET /3 HTTP/1.1\r\nHost: shop.localhost\r\n\r\n', /"body":""/),
    /200 OK/,
  );
});
