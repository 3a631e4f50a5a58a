import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { postgresObstacle, startPostgres } from '../../../conformance/tools/postgres.ts';
import { readDump, writeDump } from '../../../src/maintenance/backup/dump-file.ts';
import type { Cell, Row, Settlement, Snapshot, TableShape } from '../../../src/ports/rows.ts';
import { schemaVersion } from '../migrations/migrate.ts';
import { openSqliteMetadata } from '../sqlite.ts';
import { postgresNow } from './hold.ts';
import { openEmptyDatabase, openSnapshot, originOf } from './open-rows.ts';
import { treatments } from './settle.ts';
import { shapesOf } from './shapes.ts';

const settlement: Settlement = {
  as: 'moved',
  sameStore: true,
  now: 1_800_000_000_000,
  takenAt: 1_800_000_000_000,
  from: 'move 1',
  lost: new Map(),
  strays: [],
};

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-rows-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

interface Column {
  readonly name: string;
  readonly notnull: number;
  readonly pk: number;
}

/** Three rows in each table: everything is filled in the first two, in the last what may be null is. */
async function fillAll(folder: string): Promise<void> {
  await (await openSqliteMetadata({ folder })).close();
  const db = new DatabaseSync(join(folder, 'gantry.db'));
  for (const table of await shapesOf(schemaVersion)) {
    const columns = db
      .prepare('select * from pragma_table_info(?)')
      .all(table.name) as unknown as Column[];
    const references = db
      .prepare('select "from" as name, "table" as target from pragma_foreign_key_list(?)')
      .all(table.name) as unknown as { name: string; target: string }[];
    for (const row of [1, 2, 3]) {
      const values = table.columns.map(({ name, type }) => {
        const column = columns.find((one) => one.name === name)!;
        if (row === 3 && column.notnull === 0 && column.pk === 0) return null;
        const parent = references.find((one) => one.name === name);
        if (parent) return `${parent.target}.id.${row} é\u{1f600}"'\\\n`;
        if (type === 'text') return `${table.name}.${name}.${row} é\u{1f600}"'\\\n`;
        if (type === 'integer') return row === 1 ? Number.MAX_SAFE_INTEGER - column.pk : row;
        return Buffer.from([0, 255, 10, 13, row, ...Buffer.from(name)]);
      });
      const places = values.map(() => '?').join(', ');
      db.prepare(`insert into "${table.name}" values (${places})`).run(...values);
    }
  }
  db.close();
}

type Facts = Map<string, string[]>;

/** All rows as texts, sorted, without what a settlement writes itself. */
async function factsOf(snapshot: Snapshot): Promise<Facts> {
  const facts: Facts = new Map();
  for (const shape of snapshot.tables) {
    const rows: string[] = [];
    for await (const batch of snapshot.rows(shape))
      rows.push(...batch.map((row) => textOf(shape, row)));
    facts.set(shape.name, rows.filter(isFact).sort());
  }
  await snapshot.close();
  return facts;
}

function textOf({ columns }: TableShape, row: Row): string {
  const told = (cell: Cell) =>
    cell instanceof Uint8Array ? { hex: Buffer.from(cell).toString('hex') } : cell;
  return JSON.stringify(columns.map(({ name }, at) => [name, told(row[at]!)]));
}
const isFact = (row: string) => !row.includes('"auth"') && !row.includes('"installation.moved"');

async function pass(from: Snapshot, place: Parameters<typeof openEmptyDatabase>[0], file: string) {
  const { version } = from;
  const summary = await writeDump(from, file, () => {});
  await from.close();
  const target = await openEmptyDatabase(place);
  await target.fill(version, readDump(file), settlement);
  await target.close();
  return summary;
}

test('every table of the schema has its treatment in a restore', async () => {
  const names = (await shapesOf(schemaVersion)).map(({ name }) => name).sort();
  assert.deepEqual(Object.keys(treatments).sort(), names, 'say what becomes of it in settle.ts');
});

test('every column of every table comes through, from SQLite to Postgres and back', async (t) => {
  const obstacle = postgresObstacle();
  if (obstacle) return t.skip(obstacle);
  const [folder, back] = [await folderOf(t), await folderOf(t)];
  await fillAll(folder);
  const place = { folder, databaseUrl: undefined };
  const expected = await factsOf(await openSnapshot(place));
  for (const [name, rows] of expected) {
    assert.ok(rows.length >= 3, `${name} has ${rows.length} rows`);
  }
  expected.set('leases', []);

  const server = await startPostgres();
  t.after(() => server.stop());
  const postgres = { folder, databaseUrl: server.url };
  const summary = await pass(await openSnapshot(place), postgres, join(back, 'there.gz'));
  assert.equal(summary.rows.teams, 3);
  assert.deepEqual(await factsOf(await openSnapshot(postgres)), expected);
  assert.equal(await originOf(postgres), 'move 1');

  const again = { folder: back, databaseUrl: undefined };
  await pass(await openSnapshot(postgres), again, join(back, 'back.gz'));
  assert.deepEqual(await factsOf(await openSnapshot(again)), expected);

  // What is filled is filled no second time.
  await assert.rejects(openEmptyDatabase(postgres), /holds tables already/);
  await assert.rejects(openEmptyDatabase(again), /holds a database already/);
});

test('a fill that fails leaves nothing, on both', async (t) => {
  const folder = await folderOf(t);
  await fillAll(folder);
  const source = await openSnapshot({ folder, databaseUrl: undefined });
  t.after(() => source.close());
  const failing = async function* () {
    for (const shape of source.tables.slice(0, 20)) yield { shape, rows: source.rows(shape) };
    throw new Error('the source broke');
  };
  const places = [{ folder: await folderOf(t), databaseUrl: undefined as string | undefined }];
  if (!postgresObstacle()) {
    const server = await startPostgres();
    t.after(() => server.stop());
    places.push({ folder, databaseUrl: server.url });
  }
  for (const place of places) {
    const target = await openEmptyDatabase(place);
    await assert.rejects(target.fill(source.version, failing(), settlement), /the source broke/);
    await target.close();
    const whole = await openEmptyDatabase(place);
    const tables = async function* () {
      for (const shape of source.tables) yield { shape, rows: source.rows(shape) };
    };
    await whole.fill(source.version, tables(), settlement);
    await whole.close();
    assert.equal((await factsOf(await openSnapshot(place))).get('teams')?.length, 3);
  }
});

test("Postgres' own clock is told in milliseconds", async (t) => {
  const skip = postgresObstacle();
  if (skip) return t.skip(skip);
  const postgres = await startPostgres();
  t.after(() => postgres.stop());
  const before = Date.now();
  const now = await postgresNow(postgres.url);
  assert.ok(now >= before - 1 && now <= Date.now() + 1, `${now} after ${before}`);
});

test('what was sent or given since is not sent or given again after a restore', async (t) => {
  const [folder, target] = [await folderOf(t), await folderOf(t)];
  await fillAll(folder);
  const db = new DatabaseSync(join(folder, 'gantry.db'));
  db.exec("update webhook_deliveries set state = 'pending', done_at = null where sequence = 2");
  db.exec("update webhook_deliveries set state = 'delivered' where sequence <> 2");
  db.exec("update function_invocations set state = 'queued' where attempts = 2");
  db.exec("update counters set value = 7 where name = 'events'");
  db.exec('delete from events');
  db.exec('update repositories set event_sequence = 5');
  db.exec("update keys set purpose = case retired_at when 2 then 'sealing' else 'issuer' end");
  const digest = (
    db.prepare('select digest from blobs where quarantined_at is null').get() as { digest: string }
  ).digest;
  db.close();
  const takenAt = settlement.now - 5_000_000;
  const source = await openSnapshot({ folder, databaseUrl: undefined });
  const tables = async function* () {
    for (const shape of source.tables) yield { shape, rows: source.rows(shape) };
  };
  const empty = await openEmptyDatabase({ folder: target, databaseUrl: undefined });
  await empty.fill(source.version, tables(), {
    ...settlement,
    ...{
      as: 'restored',
      sameStore: false,
      takenAt,
      lost: new Map([[digest, 'missing']]),
      from: 'backup 1',
    },
  });
  await source.close();
  const restored = new DatabaseSync(join(target, 'gantry.db'));
  t.after(() => restored.close());
  const count = (what: string): number =>
    (restored.prepare(`select count(*) as n from ${what}`).get() as { n: number }).n;
  for (const gone of [
    'sessions',
    'refresh_tokens',
    'issued_tokens',
    'idempotency',
    'uploads',
    'discarded_keys',
    'leases',
    'outbox',
  ]) {
    assert.equal(count(gone), 0, gone);
  }
  assert.equal(count("webhook_deliveries where state in ('pending', 'waiting')"), 0);
  assert.equal(count(`webhook_deliveries where state = 'dead' and done_at = ${settlement.now}`), 1);
  assert.equal(
    count("function_invocations where state = 'failed' and error like 'Not called%'"),
    1,
  );
  assert.equal(count('events where position between 8 and 10'), 3, 'the outbox is published');
  assert.equal(count("counters where name = 'events' and value = 5000010"), 1);
  assert.equal(count('repositories where event_sequence = 1000005'), 3);
  assert.equal(count('tokens where revoked_at is null'), 1);
  assert.equal(count('keys'), 1, 'what was signed is good no more');
  assert.equal(count("keys where purpose = 'sealing'"), 1, 'what is stored can be opened');
  assert.equal(
    count(
      `blobs where quarantined_at = ${settlement.now} and digest = '${digest.replaceAll("'", "''")}'`,
    ),
    1,
  );
  assert.equal(count("blob_faults where reason = 'missing' and kind = 'quarantined'"), 1);
  assert.equal(count("audit where action = 'installation.restored' and target = 'backup 1'"), 1);
});

test('a dump of an older schema is brought to this one', async (t) => {
  const [folder, target] = [await folderOf(t), await folderOf(t)];
  await fillAll(folder);
  const source = await openSnapshot({ folder, databaseUrl: undefined });
  const old = await shapesOf(4);
  const tables = async function* () {
    for (const shape of old) yield { shape, rows: source.rows(shape) };
  };
  const empty = await openEmptyDatabase({ folder: target, databaseUrl: undefined });
  await empty.fill(4, tables(), settlement);
  await source.close();
  const db = await openSqliteMetadata({ folder: target });
  t.after(() => db.close());
  assert.equal((await db.teams.list()).length, 3);
  const raw = new DatabaseSync(join(target, 'gantry.db'));
  const { n } = raw.prepare('select count(*) as n from tag_history').get() as { n: number };
  raw.close();
  assert.equal(n, 3, 'what a later migration derives is derived');
});
