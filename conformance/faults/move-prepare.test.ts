/** `move --prepare` looks at the database to move to before it copies anything. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { start } from '../../src/compose.ts';
import { move } from '../../src/compose-backup.ts';
import { loadConfig } from '../../src/config/load.ts';
import { postgresObstacle, startPostgres } from '../tools/postgres.ts';
import { folderOf } from './support/commands.ts';

async function execute(connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(statement);
  await client.end();
}

const obstacle = postgresObstacle();

test('A database that cannot be reached, is not empty, or lets make no tables is told before blobs are copied', {
  ...(obstacle && { skip: obstacle }),
}, async (t) => {
  const folder = await folderOf(t);
  const data = join(folder, 'data');
  await mkdir(data);
  const env = {
    ...{ GANTRY_DATA: data, GANTRY_PORT: '0', GANTRY_LOG_LEVEL: 'error' },
    GANTRY_FUNCTIONS: 'off',
  };
  const gantry = await start(loadConfig(env, { cwd: data }));
  t.after(() => gantry.stop());
  const server = await startPostgres();
  t.after(() => server.stop());
  const marker = join(data, 'move.json');
  const to = (toDatabase: string, prepare = true) =>
    move({ env, cwd: folder }, { toDatabase, prepare });

  const none = new URL(server.url);
  none.pathname = '/none';
  await assert.rejects(to(none.href), { kind: 'not-found' });
  none.port = '1';
  await assert.rejects(to(none.href), { kind: 'unavailable' });

  const occupied = await server.database('occupied');
  await execute(occupied, 'create table of_others (id integer)');
  await assert.rejects(to(occupied), { kind: 'conflict' });

  await execute(server.url, 'create role reader login');
  const readable = new URL(await server.database('readable'));
  readable.username = 'reader';
  await assert.rejects(to(readable.href), (error: { info: { kind: string; hint: string } }) => {
    assert.equal(error.info.kind, 'denied');
    assert.match(error.info.hint, /createdb --owner|grant create/);
    return true;
  });
  assert.ok(!existsSync(marker), 'nothing is begun');

  const empty = await server.database('empty');
  assert.equal((await to(empty)).moved, false);
  assert.equal((await to(empty)).moved, false, 'nothing is left in it: once more');
  await gantry.stop();
  assert.equal((await to(empty, false)).moved, true);
  assert.equal((await to(empty)).already, true, 'it is this move that filled it');
});
