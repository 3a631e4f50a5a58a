import { existsSync } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { refuse } from '../../../src/oci/errors.ts';
import type {
  EmptyDatabase,
  Row,
  Settlement,
  Snapshot,
  TableRows,
  TableShape,
} from '../../../src/ports/rows.ts';
import { openSqlite, SqliteExecutor } from '../dialects/sqlite.ts';
import { makePrivate } from '../folder-lock.ts';
import { appliedVersion, migrate } from '../migrations/migrate.ts';
import { explainOpen } from '../open-failure.ts';
import { settle, settledRows } from './settle.ts';
import { quoted, selectOf, shapesOf } from './shapes.ts';

const batchRows = 500;
const batchBytes = 1 << 20;

/**
 * The embedded database at one moment, beside the server that may be writing to it: a read transaction, for as long
 * as which the log (`gantry.db-wal`) grows by what is written.
 */
export async function openSqliteSnapshot(folder: string): Promise<Snapshot> {
  const file = join(folder, 'gantry.db');
  if (!existsSync(file)) {
    throw refuse(
      'not-found',
      `There is no database in the data folder ${folder}.`,
      'Set GANTRY_DATA, and GANTRY_DATABASE_URL where the facts are in Postgres, as your server has them.',
    );
  }
  let db: DatabaseSync | undefined;
  try {
    db = openSqlite(file, 'read');
    db.exec('BEGIN');
    const version = (await appliedVersion.get(new SqliteExecutor(db), {}))?.version ?? 0;
    const tables = await shapesOf(version);
    const opened = db;
    return {
      version,
      tables,
      rows: (table) => rowsOf(opened, table),
      async close() {
        opened.close();
      },
    };
  } catch (error) {
    db?.close();
    throw explainOpen(error, file);
  }
}

async function* rowsOf(db: DatabaseSync, table: TableShape): AsyncGenerator<readonly Row[]> {
  const statement = db.prepare(selectOf(table));
  statement.setReturnArrays(true);
  let batch: Row[] = [];
  let bytes = 0;
  for (const row of statement.iterate() as unknown as Iterable<Row>) {
    batch.push(row);
    for (const cell of row) bytes += sizeOf(cell);
    if (batch.length < batchRows && bytes < batchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

function sizeOf(cell: Row[number]): number {
  return cell === null || typeof cell === 'number' ? 8 : cell.length;
}

/**
 * A new embedded database under `folder`, which the caller has locked. It is made as `gantry.db.filling` and gets its
 * name when it is whole and on the disk. Rejects with `conflict` where there is a database.
 */
export async function openEmptySqlite(folder: string): Promise<EmptyDatabase> {
  const file = join(folder, 'gantry.db');
  const refuseOccupied = async (): Promise<void> => {
    const found = await stat(file).catch(() => undefined);
    if (!found || found.size === 0) return;
    throw refuse(
      'conflict',
      `The data folder ${folder} holds a database already.`,
      'Name an empty folder: GANTRY_DATA=./new-data',
    );
  };
  await refuseOccupied();
  return {
    async tryOut() {
      const filling = `${file}.filling`;
      await makePrivate(filling);
      await rm(filling);
    },
    async fill(version, tables, settlement) {
      const filling = `${file}.filling`;
      for (const end of ['', '-wal', '-shm', '-journal']) await rm(filling + end, { force: true });
      await makePrivate(filling);
      const db = new DatabaseSync(filling);
      try {
        await fill(db, version, tables, settlement);
      } finally {
        db.close();
      }
      await sync(filling);
      await refuseOccupied();
      for (const end of ['-wal', '-shm']) await rm(file + end, { force: true });
      await rename(filling, file);
      await sync(dirname(file));
    },
    async close() {},
  };
}

async function fill(
  db: DatabaseSync,
  version: number,
  tables: AsyncIterable<TableRows>,
  settlement: Settlement,
): Promise<void> {
  // A crash leaves a file that nobody opens: nothing needs a journal, and the file is synced once, at the end.
  db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF');
  const executor = new SqliteExecutor(db);
  db.exec('BEGIN');
  await migrate(executor, settlement.now, version);
  for (const { name } of await shapesOf(version)) db.exec(`delete from ${quoted(name)}`);
  for await (const { shape, rows } of tables) {
    const places = shape.columns.map(() => '?').join(', ');
    const names = shape.columns.map(({ name }) => quoted(name)).join(', ');
    const insert = db.prepare(`insert into ${quoted(shape.name)} (${names}) values (${places})`);
    for await (const batch of settledRows(shape, rows, settlement)) {
      for (const row of batch) insert.run(...row);
    }
  }
  await migrate(executor, settlement.now);
  await settle(executor, settlement);
  const [broken] = db.prepare('PRAGMA foreign_key_check').all() as { table: string }[];
  if (broken) {
    throw refuse('invalid', `A row of ${broken.table} refers to one that is not there.`);
  }
  db.exec('COMMIT');
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
