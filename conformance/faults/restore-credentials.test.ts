/** Whom a restore lets in again: what was signed before is good no more, and who is let in again is told (docs/backup.md). */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runCli } from '../../src/cli/run-cli.ts';
import { type Gantry, start } from '../../src/compose.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { RestoreReport } from '../../src/maintenance/backup/restore-backup.ts';
import type { NewTokenView } from '../../src/projects/admin-methods.ts';
import { folderOf } from './support/commands.ts';

const envOf = (data: string) => ({
  ...{ GANTRY_DATA: data, GANTRY_PORT: '0', GANTRY_LOG_LEVEL: 'error' },
  ...{ GANTRY_FUNCTIONS: 'off', GANTRY_RATE_LOGIN_FAILURES: '0' },
});

async function serve(t: TestContext, data: string): Promise<Gantry> {
  const gantry = await start(loadConfig(envOf(data), { cwd: data }));
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= gantry.stop());
  t.after(stop);
  return { ...gantry, stop };
}

async function admin(data: string, ...args: string[]) {
  let [out, err] = ['', ''];
  const code = await runCli({
    ...{ args: ['admin', ...args], env: envOf(data), cwd: tmpdir(), version: '0' },
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

async function json<T>(data: string, ...args: string[]): Promise<T> {
  const { code, out, err } = await admin(data, ...args, '--json');
  assert.equal(code, 0, err);
  return JSON.parse(out) as T;
}

async function statusOf(gantry: Gantry, authorization: string, path = '/v2/'): Promise<number> {
  const headers = { authorization, connection: 'close' };
  const answer = await fetch(new URL(path, gantry.url), { headers });
  await answer.arrayBuffer();
  return answer.status;
}

const basic = (teamId: string, token: string) =>
  `Basic ${Buffer.from(`${teamId}:${token}`).toString('base64')}`;

/** A token of the registry, as `docker login` gets it. */
async function registryToken(gantry: Gantry, authorization: string): Promise<string> {
  const answer = await fetch(new URL('/token?service=registry', gantry.url), {
    headers: { authorization, connection: 'close' },
  });
  const { token } = (await answer.json()) as { token: string };
  assert.equal(answer.status, 200);
  return `Bearer ${token}`;
}

test('A restore tells whose tokens are good again, ends what was signed before, and revokes all tokens where that is asked', async (t) => {
  const folder = await folderOf(t);
  const places = ['data', 'restored', 'revoked'].map((name) => join(folder, name));
  const [data, restored, revoked] = places as [string, string, string];
  for (const place of places) await mkdir(place);
  const backup = join(folder, 'backup');

  const first = await serve(t, data);
  const { token, teamId, teamSlug: team } = first.bootstrap!;
  const make = (name: string, ...more: string[]) =>
    json<NewTokenView>(data, 'token', 'create', '--team', team, '--name', name, ...more);
  const leaked = await make('leaked');
  const old = await make('old');
  const [leakedLogin, oldLogin] = [basic(teamId, leaked.token), basic(teamId, old.token)];
  const signed = await registryToken(first, leakedLogin);
  assert.equal(await statusOf(first, signed), 200);
  await json(data, 'token', 'revoke', old.id);
  await json(data, 'backup', backup);
  await json(data, 'token', 'revoke', leaked.id);
  assert.equal(await statusOf(first, leakedLogin), 401);
  await first.stop();

  const looked = await json<RestoreReport>(data, 'restore', backup, '--check');
  const names = ({ credentials }: RestoreReport) =>
    credentials.tokens.map(({ name }) => name).sort();
  assert.deepEqual(names(looked), ['first-start', 'leaked']);

  const { code, out, err } = await admin(restored, 'restore', backup);
  assert.equal(code, 0, err);
  assert.match(out, /tokens {4}2 good\n/);
  assert.ok(out.includes(`${leaked.id}  leaked  team ${team}, `), out);
  assert.match(out, /WARNING: tokens that were revoked .* after 20/s);
  assert.ok(!out.includes(old.id), 'what was revoked before the backup is');
  const second = await serve(t, restored);
  assert.equal(await statusOf(second, leakedLogin), 200, 'as it was then');
  assert.equal(await statusOf(second, oldLogin), 401);
  assert.equal(await statusOf(second, signed), 401, 'what was signed before is good no more');
  assert.equal(await statusOf(second, await registryToken(second, leakedLogin)), 200);
  await second.stop();
  const again = await admin(restored, 'restore', backup, '--revoke-tokens');
  assert.equal(again.code, 1);
  assert.match(again.err, /restored here before without --revoke-tokens, and 2 of its tokens/);

  const told = await admin(revoked, 'restore', backup, '--revoke-tokens');
  assert.equal(told.code, 0, told.err);
  assert.match(told.out, /tokens {4}2 were good, and are revoked\n/);
  const report = await json<RestoreReport>(revoked, 'restore', backup, '--revoke-tokens');
  assert.deepEqual([report.tokensRevoked, names(report)], [true, []]);
  const fresh = await json<NewTokenView>(revoked, 'token', 'create', '--team', team);
  const third = await serve(t, revoked);
  for (const login of [leakedLogin, oldLogin, basic(teamId, token), signed]) {
    assert.equal(await statusOf(third, login), 401);
  }
  assert.equal(await statusOf(third, basic(teamId, fresh.token)), 200);
  await third.stop();
});
