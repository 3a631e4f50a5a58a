import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { openSqliteMetadata } from '../../storage-adapters/metadata/sqlite.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { Metadata } from '../ports/metadata.ts';
import { firstStart } from './first-start.ts';
import { hashToken, isTokenShaped } from './token-secret.ts';

const url = 'http://127.0.0.1:5050';

async function open(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-start-'));
  const metadata = await openSqliteMetadata({ folder });
  t.after(async () => {
    await metadata.close();
    await rm(folder, { recursive: true });
  });
  const clock = { now: () => 1_760_000_000_000 };
  const file = join(folder, 'bootstrap.json');
  return {
    folder,
    metadata,
    file,
    run: (more: { url?: string; metadata?: Metadata } = {}) =>
      firstStart({ metadata, folder, url, plan: 'self-hosted', clock, ...more }),
    read: async () => JSON.parse(await readFile(file, 'utf8')) as Record<string, string>,
  };
}

/** The database, ending before the command of that number, or after it where `late`. */
function cut(metadata: Metadata, at: number, late: boolean): Metadata {
  let commands = 0;
  const writer: CommandWriter = {
    async run(name, args) {
      commands += 1;
      if (commands < at) return metadata.writer.run(name, args);
      if (late && commands === at) await metadata.writer.run(name, args);
      throw new Error('cut');
    },
  };
  return { ...metadata, writer };
}

/** Exactly what one first start makes. */
async function expectWhole(metadata: Metadata, bootstrap: Record<string, string>): Promise<void> {
  const teams = await metadata.teams.list();
  assert.deepEqual(
    teams.map(({ id, slug, plan }) => [id, slug, plan]),
    [[bootstrap.teamId, 'my-team', 'self-hosted']],
  );
  const projects = await metadata.projects.listByTeam(bootstrap.teamId!);
  assert.deepEqual(
    projects.map(({ slug }) => slug),
    ['my-project'],
  );
  const tokens = await metadata.tokens.list({ teamId: bootstrap.teamId! });
  assert.deepEqual(
    tokens.map(({ name, scope, projectIds, expiresAt }) => [name, scope, projectIds, expiresAt]),
    [['first-start', 'admin', undefined, undefined]],
  );
  assert.equal((await metadata.tokens.findByHash(hashToken(bootstrap.token!)))?.id, tokens[0]?.id);
}

test('the first start makes a team, a project and a token, and a file for their owner alone', async (t) => {
  const { metadata, file, folder, run, read } = await open(t);
  const made = await run();
  assert.equal(made?.created, true);
  const bootstrap = await read();
  assert.deepEqual(bootstrap, made.bootstrap);
  assert.deepEqual(Object.keys(bootstrap).sort(), [
    'projectSlug',
    'registry',
    'teamId',
    'teamSlug',
    'token',
    'url',
  ]);
  assert.equal(bootstrap.url, url);
  assert.equal(bootstrap.registry, '127.0.0.1:5050');
  assert.match(bootstrap.teamId!, /^team_[0-9a-f]{32}$/);
  assert.ok(isTokenShaped(bootstrap.token!));
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.ok(!(await readdir(folder)).some((name) => /^bootstrap\.json\./.test(name)));
  await expectWhole(metadata, bootstrap);
});

test('later starts change nothing but the address', async (t) => {
  const { metadata, file, run, read } = await open(t);
  const first = await run();
  const before = await stat(file);
  const second = await run();
  assert.deepEqual(second, { bootstrap: first?.bootstrap, created: false });
  assert.equal((await stat(file)).ino, before.ino, 'the file is not written again');
  const moved = await run({ url: 'https://registry.example' });
  assert.equal(moved?.created, false);
  const expected = {
    ...first?.bootstrap,
    url: 'https://registry.example',
    registry: 'registry.example',
  };
  assert.deepEqual(await read(), expected);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  await expectWhole(metadata, await read());
});

test('a start that was cut at any step is gone on with', async (t) => {
  for (let at = 1; at <= 3; at++)
    for (const late of [false, true]) {
      const { metadata, run, read } = await open(t);
      await assert.rejects(run({ metadata: cut(metadata, at, late) }), /cut/);
      const promised = await read();
      const made = await run();
      assert.deepEqual(made?.bootstrap, promised, 'what was promised holds');
      assert.equal(made?.created, !(at === 3 && late));
      await expectWhole(metadata, promised);
    }
});

test('a half written file is none', async (t) => {
  const { metadata, folder, run, read } = await open(t);
  await writeFile(join(folder, 'bootstrap.json.1'), '{"url":"http://');
  assert.equal((await run())?.created, true);
  await expectWhole(metadata, await read());
});

test('a file that was put away is not made again', async (t) => {
  const { metadata, file, run, read } = await open(t);
  await run();
  const bootstrap = await read();
  await rm(file);
  assert.equal(await run(), undefined);
  await assert.rejects(stat(file), { code: 'ENOENT' });
  await expectWhole(metadata, bootstrap);
});

test('a token that was revoked stays revoked', async (t) => {
  const { metadata, run } = await open(t);
  const made = await run();
  const hash = hashToken(made!.bootstrap.token);
  const { id } = (await metadata.tokens.findByHash(hash))!;
  await metadata.writer.run('RevokeToken', { id, now: 5 });
  assert.equal((await run())?.created, false);
  assert.equal((await metadata.tokens.findByHash(hash))?.revokedAt, 5);
});

test('a database that was lost is filled again by what the file promises', async (t) => {
  const [old, fresh] = [await open(t), await open(t)];
  await old.run();
  const bootstrap = await old.read();
  await writeFile(fresh.file, JSON.stringify(bootstrap));
  assert.equal((await fresh.run())?.created, true);
  await expectWhole(fresh.metadata, bootstrap);
});
