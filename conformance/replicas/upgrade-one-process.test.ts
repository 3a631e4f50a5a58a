/**
 * docs/upgrading.md: one process on SQLite and a folder, from the last release's own program to this one;
 * a kill in the middle of the migrations, and the way back.
 */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { schemaVersion } from '../../storage-adapters/metadata/migrations/migrate.ts';
import { type Bootstrap, type Launched, launch, readBootstrap } from '../faults/support/gantry.ts';
import { expectStatus } from '../spec/check.ts';
import { basic, Registry } from '../spec/client.ts';
import { type OldProgram, openOldProgram } from '../tools/old-program.ts';
import { Load, type Loaded } from './support/load.ts';
import { diesInMigration, lastRelease, oldProgramObstacle } from './support/old-and-new.ts';

const skip = oldProgramObstacle();
const withinMs = 120_000;

describe('one process on SQLite is upgraded', skip ? { skip } : {}, () => {
  const opened = new AsyncDisposableStack();
  let old: OldProgram;
  let data: string;
  let server: Launched | undefined;
  let bootstrap: Bootstrap;
  let origin: string;
  const file = () => join(data, 'gantry.db');
  const copy = () => join(data, 'gantry.db.before');

  before(async () => {
    old = opened.use(await openOldProgram(lastRelease.commit));
    data = await mkdtemp(join(tmpdir(), 'gantry-upgrade-'));
    opened.defer(() => rm(data, { recursive: true, force: true }));
  });
  after(async () => {
    await server?.end('SIGTERM');
    await opened.disposeAsync();
  });

  function begin(program?: OldProgram, env: Readonly<Record<string, string>> = {}): Launched {
    server = launch({ data, program, env: { GANTRY_FUNCTIONS: 'off', ...env } });
    return server;
  }
  async function start(program?: OldProgram): Promise<void> {
    origin = (await begin(program).ready).replace(/\/+$/, '');
    bootstrap = readBootstrap(data);
  }
  async function end(): Promise<void> {
    assert.deepEqual(await server!.end('SIGTERM'), { code: 0, signal: null });
  }
  function version(): number {
    const db = new DatabaseSync(file(), { readOnly: true });
    const row = db.prepare('select max(version) as version from migrations').get();
    db.close();
    return Number(row!.version);
  }

  /** Of the server that runs at the moment. */
  const world: Loaded = {
    get project() {
      return `${bootstrap.teamSlug}/${bootstrap.projectSlug}`;
    },
    registry() {
      const one = new Registry(origin, basic(bootstrap.teamId, bootstrap.token));
      opened.defer(() => one.close());
      return one;
    },
  };
  /** Pushes some images. */
  async function push(name: string): Promise<Load> {
    const load = new Load(world, 2, name);
    await load.more(6, withinMs).finally(() => load.stop());
    assert.deepEqual(load.refused, []);
    return load;
  }

  let early: Load;
  let late: Load;

  test('a kill within the migrations leaves the old schema; the next start migrates, and all is there', async () => {
    await start(old);
    early = await push('early');
    await end();
    await copyFile(file(), copy());
    assert.deepEqual(await begin(undefined, diesInMigration).exited, {
      ...{ code: null, signal: 'SIGKILL' },
    });
    assert.equal(version(), lastRelease.schema);
    await start();
    assert.equal(version(), schemaVersion);
    await early.check();
    late = await push('late');
    await end();
  });

  test('the old program refuses the new schema, says why, and changes nothing', async () => {
    const refused = begin(old);
    assert.equal((await refused.exited).code, 1);
    const { schema } = lastRelease;
    const words = `schema version ${schemaVersion}, newer than this program's ${schema}`;
    assert.ok(refused.output().includes(words), refused.output());
    await start();
    await early.check();
    await late.check();
    await end();
  });

  test('the way back: the old program on the database of before, and what came later is pushed again', async () => {
    await copyFile(copy(), file());
    await start(old);
    await early.check();
    const { repository, tag } = late.acknowledged[0]!;
    expectStatus(await world.registry().get(`/v2/${repository}/manifests/${tag}`), 404);
    late.failed.push(...late.acknowledged.splice(0));
    late.stored.splice(0);
    await late.retry();
    await late.check();
    await end();
    // And forward again.
    await start();
    for (const load of [early, late]) await load.check();
  });
});
