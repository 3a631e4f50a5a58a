import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type GantryServer, serverEnv, startServer } from '../../conformance/spec/server.ts';
import { socketPath } from '../projects/admin-socket.ts';
import { runCli } from './run-cli.ts';

let server: GantryServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

async function gantry(dataFolder: string, ...args: string[]) {
  let [out, err] = ['', ''];
  const code = await runCli({
    args: ['admin', ...args, '--json'],
    env: serverEnv(dataFolder),
    cwd: tmpdir(),
    version: '0',
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, result: out === '' ? undefined : JSON.parse(out), err };
}

const status = async (token: string, username: string): Promise<number> => {
  const authorization = `Basic ${Buffer.from(`${username}:${token}`).toString('base64')}`;
  return (await fetch(`${server.origin}/v2/`, { headers: { authorization } })).status;
};

test('while the server runs: by its socket, and what is made holds at once', async () => {
  const folder = server.dataFolder;
  assert.equal((await stat(socketPath(folder))).mode & 0o777, 0o600);
  const { result: running } = await gantry(folder, 'status');
  assert.deepEqual([running.running, running.pid, running.url], [true, server.pid, server.origin]);

  const { result: team } = await gantry(folder, 'team', 'create', 'acme');
  const { result: made } = await gantry(folder, 'token', 'create', '--team', 'acme');
  assert.equal(made.registry, new URL(server.origin).host);
  assert.equal(await status(made.token, team.id), 200);

  const again = await gantry(folder, 'team', 'create', 'acme');
  assert.equal(again.code, 1);
  assert.equal(JSON.parse(again.err).error.code, 'conflict');
});

test('while it does not run: on the data folder, and the next start has it', async () => {
  const folder = server.dataFolder;
  const { result: before } = await gantry(folder, 'team', 'create', 'robots');
  const { result: made } = await gantry(folder, 'token', 'create', '--team', 'robots');
  assert.equal(await status(made.token, before.id), 200);

  await server.halt();
  await assert.rejects(stat(socketPath(folder)), { code: 'ENOENT' });
  const offline = await gantry(folder, 'status');
  assert.deepEqual([offline.code, offline.result?.running], [0, false], offline.err);
  const { result: project } = await gantry(folder, 'project', 'create', 'robots/web');
  assert.equal(project.path, 'robots/web');
  assert.equal((await gantry(folder, 'token', 'revoke', made.id)).code, 0);

  await server.resume();
  assert.equal(await status(made.token, before.id), 401);
  const { result: list } = await gantry(folder, 'project', 'list', '--team', 'robots');
  assert.deepEqual(
    list.projects.map(({ path }: { path: string }) => path),
    ['robots/web'],
  );
});

test('after kill -9: the socket that was left is no obstacle to either', async () => {
  const folder = server.dataFolder;
  await server.halt('SIGKILL');
  assert.ok((await stat(socketPath(folder))).isSocket());
  assert.equal((await gantry(folder, 'team', 'list')).code, 0);
  await server.resume();
  assert.equal((await gantry(folder, 'status')).result.running, true);
});

test('a folder that is not there is refused with what to do', async () => {
  const { code, err } = await gantry(join(server.dataFolder, 'absent'), 'team', 'list');
  assert.equal(code, 1);
  assert.match(JSON.parse(err).error.hint, /GANTRY_DATA/);
});

test('a server that closes the connection: the caller is told that the outcome is not known', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-live-'));
  const rude = createServer((socket) => socket.once('data', () => socket.destroy()));
  const listening = Promise.withResolvers<void>();
  rude.listen(socketPath(folder), listening.resolve);
  await listening.promise;
  t.after(async () => {
    rude.close();
    await rm(folder, { recursive: true });
  });
  const { code, err } = await gantry(folder, 'team', 'list');
  assert.equal(code, 1);
  assert.match(JSON.parse(err).error.message, /closed the connection; whether it did/);
});

test('a collection is begun, waited for and told, by a server and without one', async (t) => {
  const own = await startServer();
  t.after(() => own.stop());
  const run = (...args: string[]) => gantry(own.dataFolder, 'collection', ...args);
  const done = await run('run');
  assert.equal(done.code, 0, done.err);
  const { id, state } = done.result;
  assert.deepEqual([state, done.result.run.dryRun], ['done', false]);
  assert.deepEqual((await run('show', id)).result, done.result);
  const begun = await run('run', '--no-wait');
  assert.match(begun.result.state, /running|done/);
  const none = await run('show', 'col_none');
  assert.equal(none.code, 1);
  assert.match(none.err, /no run/);
});

test('a collection without a server has ended with the answer', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-offline-'));
  t.after(() => rm(folder, { recursive: true }));
  const { code, result, err } = await gantry(folder, 'collection', 'run', '--no-wait');
  assert.equal(code, 0, err);
  assert.equal(result.state, 'done');
});
