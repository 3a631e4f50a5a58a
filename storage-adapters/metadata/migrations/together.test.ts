/** Migrations beside other processes: replicas that start together, old ones that still run, a kill in the middle. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, type TestContext, test } from 'node:test';
import pg from 'pg';
import {
  type PostgresServer,
  postgresObstacle,
  startPostgres,
} from '../../../conformance/tools/postgres.ts';
import { openPostgresMetadata } from '../postgres.ts';
import { openSqliteMetadata } from '../sqlite.ts';
import { copyToPostgres, openFixture, recordedQueries } from './fixtures/open-fixture.ts';
import { schemaVersion } from './migrate.ts';

const folderOf = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-together-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};
const program = (name: string) => join(import.meta.dirname, 'fixtures', name);
const all = Array.from({ length: schemaVersion }, (_, at) => at + 1);

const sqliteVersions = (folder: string) => {
  const db = new DatabaseSync(join(folder, 'gantry.db'), { readOnly: true });
  const rows = db.prepare('select version from migrations order by version').all();
  const tables = db.prepare("select name from sqlite_master where type = 'table'").all();
  db.close();
  return {
    versions: rows.map(({ version }) => Number(version)),
    tables: tables.map(({ name }) => String(name)).sort(),
  };
};

describe('on SQLite', () => {
  test('two that open an old folder at once: one migrates it, the other is told', async (t) => {
    const folder = folderOf(t);
    await openFixture(1, folder);
    const opened = await Promise.allSettled([1, 2].map(() => openSqliteMetadata({ folder })));
    const [won, lost] = opened.sort((one) => (one.status === 'fulfilled' ? -1 : 1));
    assert.equal(won?.status, 'fulfilled');
    if (won.status === 'fulfilled') await won.value.close();
    assert.match(String((lost as PromiseRejectedResult).reason), /Another Gantry is using/);
    assert.deepEqual(sqliteVersions(folder).versions, all);
  });

  test('kill -9 within a migration leaves the old schema, whole', async (t) => {
    const folder = folderOf(t);
    await openFixture(1, folder);
    const before = sqliteVersions(folder);
    const die = (which: string) =>
      spawnSync(
        process.execPath,
        [program('die-in-migration.ts'), join(folder, 'gantry.db'), which],
        {
          encoding: 'utf8',
        },
      );
    const whole = die('never');
    assert.equal(whole.status, 0, whole.stderr);
    const last = Number(whole.stdout);
    assert.ok(last > 50, whole.stdout);
    for (const which of ['2', String(last >> 1), String(last), 'end']) {
      assert.equal(die(which).signal, 'SIGKILL', `before statement ${which}`);
      assert.deepEqual(sqliteVersions(folder), before, `before statement ${which}`);
    }
    await (await openSqliteMetadata({ folder })).close();
    assert.deepEqual(sqliteVersions(folder).versions, all);
  });
});

describe('on Postgres', () => {
  const skip = postgresObstacle();
  const options = { timeout: 60_000, ...(skip && { skip }) };
  let server: PostgresServer;
  if (!skip) {
    before(async () => {
      server = await startPostgres();
    });
    after(() => server.stop());
  }
  const old = async (t: TestContext, version: number, name: string) => {
    const folder = folderOf(t);
    await openFixture(version, folder);
    const url = await server.database(name);
    await copyToPostgres(version, folder, url);
    return url;
  };
  const connect = async (t: TestContext, url: string) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    t.after(() => client.end());
    return client;
  };
  const versions = async (client: pg.Client) =>
    (await client.query('select version from migrations order by version')).rows.map((row) =>
      Number(row.version),
    );

  test('replicas that start together on an old schema migrate it once', options, async (t) => {
    const url = await old(t, 4, 'at_once');
    const opened = await Promise.all([1, 2, 3].map(() => openPostgresMetadata({ url })));
    await Promise.all(opened.map((one) => one.ping()));
    for (const one of opened) await one.close();
    assert.deepEqual(await versions(await connect(t, url)), all);
  });

  test('kill -9 within a migration leaves the old schema, whole', options, async (t) => {
    const url = await old(t, 4, 'killed');
    const client = await connect(t, url);
    // The fifth is done when the sixth stops here: what is killed is in the middle of two.
    await client.query('begin');
    await client.query('lock table uploads in access share mode');
    const replica = spawn(process.execPath, [program('open-postgres.ts'), url], {
      stdio: 'inherit',
    });
    const ended = once(replica, 'exit');
    const waits = `select 1 from pg_stat_activity
      where datname = 'killed' and wait_event_type = 'Lock' and query like 'alter table "uploads"%'`;
    const watch = await connect(t, url);
    while ((await watch.query(waits)).rowCount === 0) {
      assert.equal(replica.exitCode, null, 'it waits for the table');
    }
    replica.kill('SIGKILL');
    await ended;
    await client.query('commit');
    // Its connection may still end: the next one waits for the lock of migrations.
    const before = await versions(client);
    const history = await client.query("select to_regclass('tag_history') as there");
    await (await openPostgresMetadata({ url })).close();
    assert.deepEqual(before, [1, 2, 3, 4]);
    assert.equal(history.rows[0]?.there, null);
    assert.deepEqual(await versions(client), all);
  });

  /** What the migrating connection waits for, in the database of that name. */
  const waitsFor = async (watch: pg.Client, database: string, statement: string) => {
    const waiting = `select 1 from pg_stat_activity
      where datname = $1 and wait_event_type = 'Lock' and query like $2`;
    const deadline = performance.now() + 30_000;
    while ((await watch.query(waiting, [database, `${statement}%`])).rowCount === 0)
      assert.ok(performance.now() < deadline, `it waits at ${statement}`);
  };

  test(
    'a transaction of an old replica that wants what a migration has, and has what it wants, goes on',
    options,
    async (t) => {
      const url = await old(t, 6, 'crossing');
      const [client, watch] = [await connect(t, url), await connect(t, url)];
      await client.query('begin');
      await client.query('update leases set holder = holder');
      const opening = openPostgresMetadata({ url });
      const opened = opening.then(
        () => undefined,
        (error: Error) => error,
      );
      // The seventh is done then, and has the table of blobs.
      await waitsFor(watch, 'crossing', 'alter table "leases"');
      await client.query('select count(*) from blobs');
      await client.query('commit');
      assert.equal(await opened, undefined);
      await (await opening).close();
      assert.deepEqual(await versions(client), all);
    },
  );

  test(
    'a migration that is kept from its tables says so, and leaves the old schema',
    options,
    async (t) => {
      const url = await old(t, 6, 'kept');
      const client = await connect(t, url);
      await client.query('begin');
      await client.query('select count(*) from leases');
      await assert.rejects(openPostgresMetadata({ url, migrateWithinMs: 1 }), /tables locked/);
      await client.query('commit');
      assert.deepEqual(await versions(client), [1, 2, 3, 4, 5, 6]);
    },
  );

  test(
    'columns that a newer program adds break no statement that is prepared here',
    options,
    async (t) => {
      const url = await server.database('widened');
      const client = await connect(t, url);
      const metadata = await openPostgresMetadata({ url, connections: 2 });
      t.after(() => metadata.close());
      const volume = { projectId: 'none', name: 'none', now: 1 };
      const use = async () => {
        // Writes first: a read that meets an old plan closes its connection.
        for (let at = 0; at < 2; at++)
          await assert.rejects(metadata.writer.run('DeleteVolume', volume), { kind: 'not-found' });
        const read = () => metadata.tokens.findByHash('none');
        assert.deepEqual(await Promise.all([read(), read()]), [undefined, undefined]);
      };
      await use();
      for (const table of ['tokens', 'function_volumes'])
        await client.query(`alter table ${table} add column newer text`);
      await use();
    },
  );

  test('a database of a newer schema is refused', options, async (t) => {
    const url = await server.database('newer');
    await (await openPostgresMetadata({ url })).close();
    const client = await connect(t, url);
    await client.query('insert into migrations (version, applied_at) values (99, 1)');
    await assert.rejects(openPostgresMetadata({ url }), /schema version 99, newer than/);
  });

  for (const version of [4, 6]) {
    test(`what programs of schema ${version} ask still works on this one`, options, async (t) => {
      const url = await server.database(`beside_${version}`);
      await (await openPostgresMetadata({ url })).close();
      const asked = recordedQueries(version);
      // Its own migrations came first.
      const migrated = asked.findIndex(([, text]) => text === 'commit');
      const connections = new Map<number, pg.Client>();
      let written = 0;
      for (const [connection, text, values, rows] of asked.slice(migrated + 1)) {
        if (rows === 'failed') continue;
        const client = connections.get(connection) ?? (await connect(t, url));
        connections.set(connection, client);
        const given = values.map((value) =>
          typeof value === 'object' && value !== null ? Buffer.from(value.base64, 'base64') : value,
        );
        const result = await client.query(text, given as unknown[]).catch((error: Error) => {
          throw new Error(`${error.message}: ${text} ${JSON.stringify(values)}`);
        });
        if (!/^(insert|update|delete)/.test(text)) continue;
        assert.equal(result.rowCount, rows, `${text} ${JSON.stringify(values)}`);
        written += rows ?? 0;
      }
      assert.ok(written > 100, String(written));
    });
  }
});
