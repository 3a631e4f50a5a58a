import pg from 'pg';
import { refuse } from '../../../src/oci/errors.ts';
import type {
  Cell,
  EmptyDatabase,
  Row,
  Settlement,
  Snapshot,
  TableRows,
  TableShape,
} from '../../../src/ports/rows.ts';
import { connectionSettings, PostgresExecutor } from '../dialects/postgres.ts';
import { appliedVersion, migrate } from '../migrations/migrate.ts';
import { explainPostgres, migrationLock } from '../postgres.ts';
import { settle, settledRows } from './settle.ts';
import { quoted, selectOf, shapesOf } from './shapes.ts';

/** Rows of one read; of tables with whole manifests or payloads, fewer. */
const batchRows = 500;
const batchRowsOfBytes = 16;
/** Of one statement: Postgres takes at most 65,535. */
const mostParameters = 20_000;

/** The database at one moment: one connection, in a transaction that sees what was committed before it began. */
export async function openPostgresSnapshot(url: string): Promise<Snapshot> {
  const client = await connect(url);
  try {
    await client.query('begin isolation level repeatable read read only');
    if (!(await hasTables(client))) {
      throw refuse(
        'not-found',
        'The database holds no installation.',
        'Check GANTRY_DATABASE_URL: it must be as your server has it.',
      );
    }
    const version = (await appliedVersion.get(new PostgresExecutor(client), {}))?.version ?? 0;
    const tables = await shapesOf(version);
    return {
      version,
      tables,
      rows: (table) => rowsOf(client, table),
      close: () => client.end(),
    };
  } catch (error) {
    await client.end();
    throw error;
  }
}

async function* rowsOf(client: pg.Client, table: TableShape): AsyncGenerator<readonly Row[]> {
  const count = table.columns.some(({ type }) => type === 'bytes') ? batchRowsOfBytes : batchRows;
  await client.query(`declare rows no scroll cursor for ${selectOf(table)}`);
  for (;;) {
    const { rows } = await client.query<Cell[]>({
      text: `fetch ${count} from rows`,
      rowMode: 'array',
    });
    if (rows.length > 0) yield rows;
    if (rows.length < count) break;
  }
  await client.query('close rows');
}

/** Rejects with `conflict` where the database has tables. */
export async function openEmptyPostgres(url: string): Promise<EmptyDatabase> {
  const client = await connect(url);
  try {
    await refuseOccupied(client);
  } catch (error) {
    await client.end();
    throw error;
  }
  return {
    tryOut: () => tryOut(client),
    async fill(version, tables, settlement) {
      await client.query('begin');
      try {
        // Servers that start meanwhile wait here, as they do for each other.
        await client.query('select pg_advisory_xact_lock($1)', [migrationLock]);
        await refuseOccupied(client);
        await fill(client, version, tables, settlement);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback').catch(() => {});
        throw error;
      }
    },
    close: () => client.end(),
  };
}

async function fill(
  client: pg.Client,
  version: number,
  tables: AsyncIterable<TableRows>,
  settlement: Settlement,
): Promise<void> {
  const executor = new PostgresExecutor(client);
  await migrate(executor, settlement.now, version);
  const shapes = await shapesOf(version);
  for (const { name } of shapes.toReversed()) await client.query(`delete from ${quoted(name)}`);
  for await (const { shape, rows } of tables) {
    for await (const batch of settledRows(shape, rows, settlement)) {
      await insert(client, shape, batch);
    }
  }
  await migrate(executor, settlement.now);
  await settle(executor, settlement);
  // The planner knows nothing of tables that were filled at once.
  for (const { name } of shapes) await client.query(`analyze ${quoted(name)}`);
}

async function insert(
  client: pg.Client,
  { name, columns }: TableShape,
  rows: readonly Row[],
): Promise<void> {
  const names = columns.map((column) => quoted(column.name)).join(', ');
  const atOnce = Math.floor(mostParameters / columns.length);
  for (let at = 0; at < rows.length; at += atOnce) {
    const part = rows.slice(at, at + atOnce);
    let next = 1;
    const places = part.map(() => `(${columns.map(() => `$${next++}`).join(', ')})`).join(', ');
    const values = part.flatMap((row) => row.map(storable));
    await client.query(`insert into ${quoted(name)} (${names}) values ${places}`, values);
  }
}

/** What a fill needs first. A standby, and a user with `default_transaction_read_only`, read only. */
async function tryOut(client: pg.Client): Promise<void> {
  await client.query('begin');
  try {
    await client.query('create table gantry_try_out (id integer)');
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string };
    if (!/^(42501|25006|3F000)$/.test(code)) throw explainPostgres(error);
    throw refuse(
      'denied',
      `This user can make no tables in the database to move to: ${message}.`,
      'Make it the owner: createdb --owner <user> <name>; or: grant create on schema public to <user>',
    );
  } finally {
    await client.query('rollback').catch(() => {});
  }
}

/** Postgres keeps no NUL in texts, which a line of a log may have. */
function storable(cell: Cell): Cell {
  if (typeof cell === 'string') return cell.includes('\0') ? cell.replaceAll('\0', '\ufffd') : cell;
  return cell instanceof Uint8Array && !Buffer.isBuffer(cell) ? Buffer.from(cell) : cell;
}

/** One connection, for as long as `work` lasts. */
export async function withPostgres<T>(
  url: string,
  work: (tx: PostgresExecutor) => Promise<T>,
): Promise<T> {
  const client = await connect(url);
  try {
    return await work(new PostgresExecutor(client));
  } finally {
    await client.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    ...connectionSettings(url),
    application_name: 'gantry admin',
    // Between two reads a disk or a bucket may be slow.
    idle_in_transaction_session_timeout: 0,
    query_timeout: 600_000,
    statement_timeout: 600_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    throw explainPostgres(error);
  }
  return client;
}

async function hasTables(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query(
    "select 1 from information_schema.tables where table_schema = current_schema() and table_type = 'BASE TABLE' limit 1",
  );
  return rows.length > 0;
}

async function refuseOccupied(client: pg.Client): Promise<void> {
  if (!(await hasTables(client))) return;
  throw refuse(
    'conflict',
    'The Postgres database holds tables already.',
    'Name an empty database: createdb <name>',
  );
}
