import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test, { type TestContext } from 'node:test';
import { RegistryError, refuse } from '../oci/errors.ts';
import { type AdminSocket, openAdminSocket, socketPath } from './admin-socket.ts';

type Handle = (method: string, params: unknown) => Promise<unknown>;

const echo: Handle = async (method, params) => ({ method, params });

interface Kit {
  readonly folder: string;
  readonly socket: AdminSocket;
  readonly failures: unknown[];
  client(): { socket: Socket; lines: AsyncIterator<string> };
}

async function open(t: TestContext, handle: Handle = echo): Promise<Kit> {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-socket-'));
  const failures: unknown[] = [];
  const socket = await openAdminSocket({
    folder,
    admin: { handle },
    failed: (error) => failures.push(error),
  });
  const clients: Socket[] = [];
  t.after(async () => {
    for (const client of clients) client.destroy();
    await socket.close();
    rmSync(folder, { recursive: true });
  });
  return {
    folder,
    socket,
    failures,
    client() {
      const client = connect(socketPath(folder));
      client.on('error', () => {});
      clients.push(client);
      const lines = createInterface({ input: client })[Symbol.asyncIterator]();
      return { socket: client, lines };
    },
  };
}

async function next(lines: AsyncIterator<string>): Promise<unknown> {
  const { value, done } = await lines.next();
  assert.equal(done, false, 'the connection ended without an answer');
  return JSON.parse(value);
}

test('the socket is for its owner alone, and gone after close', async (t) => {
  const { folder, socket } = await open(t);
  assert.equal(statSync(socketPath(folder)).mode & 0o777, 0o600);
  await socket.close();
  assert.equal(existsSync(socketPath(folder)), false);
});

test('a line in, a line out, in order, however they are cut', async (t) => {
  const { client } = await open(t);
  const { socket, lines } = client();
  socket.write('{"id":1,"method":"a","params":{"x":"é"}}\n{"id":2,"met');
  assert.deepEqual(await next(lines), { id: 1, result: { method: 'a', params: { x: 'é' } } });
  socket.write('hod":"b"}\n');
  assert.deepEqual(await next(lines), { id: 2, result: { method: 'b', params: {} } });
});

test('a refusal has code, message and hint; a fault says nothing but that, and is reported', async (t) => {
  const { client, failures } = await open(t, async (method) => {
    if (method === 'refused')
      throw refuse('conflict', 'It is taken.', 'Choose another.', { at: 1 });
    throw new Error('canary');
  });
  const { socket, lines } = client();
  socket.write('{"id":1,"method":"refused"}\n{"id":2,"method":"broken"}\n');
  assert.deepEqual(await next(lines), {
    id: 1,
    error: {
      code: 'conflict',
      message: 'It is taken.',
      hint: 'Choose another.',
      detail: { at: 1 },
    },
  });
  const fault = (await next(lines)) as { id: number; error: { code: string } };
  assert.equal(fault.error.code, 'internal');
  assert.doesNotMatch(JSON.stringify(fault), /canary/);
  assert.equal((failures[0] as Error).message, 'canary');
});

test('what is no request is refused, and the connection goes on', async (t) => {
  const { client } = await open(t);
  const { socket, lines } = client();
  for (const line of ['nonsense', '{}', '[]', 'null', '{"method":1}']) {
    socket.write(`${line}\n`);
    const { error } = (await next(lines)) as { error: { code: string; hint: string } };
    assert.equal(error.code, 'invalid', line);
    assert.match(error.hint, /--help/);
  }
  socket.write('{"id":9,"method":"a"}\n');
  assert.deepEqual(await next(lines), { id: 9, result: { method: 'a', params: {} } });
});

for (const [what, text] of [
  ['without an end', 'x'.repeat(70_000)],
  ['with an end', `${JSON.stringify({ method: 'a', params: 'x'.repeat(70_000) })}\n`],
]) {
  test(`a request over 64 KiB ${what} is refused`, async (t) => {
    const { client } = await open(t, async () => assert.fail('was handled'));
    const { socket, lines } = client();
    socket.write(text!);
    const { error } = (await next(lines)) as { error: { code: string; message: string } };
    assert.equal(error.code, 'invalid');
    assert.match(error.message, /65536 bytes/);
  });
}

test('close answers what runs, takes nothing new, and ends idle connections', async (t) => {
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const { client, socket: server } = await open(t, async () => {
    begun.resolve();
    await finish.promise;
    return 'done';
  });
  const busy = client();
  const idle = client();
  await once(idle.socket, 'connect');
  busy.socket.write('{"id":1,"method":"slow"}\n');
  await begun.promise;
  const closed = server.close();
  assert.deepEqual(await idle.lines.next(), { value: undefined, done: true });
  finish.resolve();
  assert.deepEqual(await next(busy.lines), { id: 1, result: 'done' });
  await closed;
});

test('a file that an ended process left is replaced', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-socket-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(socketPath(folder), '');
  const socket = await openAdminSocket({
    folder,
    admin: { handle: echo },
    failed: () => assert.fail('a fault'),
  });
  assert.ok(statSync(socketPath(folder)).isSocket());
  await socket.close();
});

test('a socket that another process answers on is refused, and left alone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-socket-'));
  const other = createServer((socket) => socket.end());
  other.listen(socketPath(folder));
  await once(other, 'listening');
  t.after(() => {
    other.close();
    rmSync(folder, { recursive: true });
  });
  await assert.rejects(
    openAdminSocket({ folder, admin: { handle: echo }, failed: () => assert.fail('a fault') }),
    (error) => {
      assert.ok(error instanceof RegistryError);
      assert.equal(error.kind, 'conflict');
      assert.match(error.info.hint!, /GANTRY_DATA/);
      return true;
    },
  );
  assert.ok(existsSync(socketPath(folder)));
});

test('a data folder too deep for a socket is refused with what to do', async () => {
  const folder = `/${'x'.repeat(120)}`;
  await assert.rejects(
    openAdminSocket({ folder, admin: { handle: echo }, failed: () => assert.fail('a fault') }),
    /longer than the 103 bytes/,
  );
});
