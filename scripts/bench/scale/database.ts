/** Databases that are filled with SQL while no server runs. The same statements run on both. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Compilable } from 'kysely';
import pg from 'pg';
import type { Dialect } from '../../../storage-adapters/metadata/database.ts';
import { postgresDialect } from '../../../storage-adapters/metadata/dialects/postgres.ts';
import { sqliteDialect } from '../../../storage-adapters/metadata/dialects/sqlite.ts';
import { registry } from '../../../storage-adapters/metadata/migrations/001-registry.ts';
import { management } from '../../../storage-adapters/metadata/migrations/002-management.ts';
import { functions } from '../../../storage-adapters/metadata/migrations/003-functions.ts';
import { collection } from '../../../storage-adapters/metadata/migrations/004-collection.ts';
import { retention } from '../../../storage-adapters/metadata/migrations/005-retention.ts';

export type Value = string | number | Uint8Array | null;

export interface Database {
  exec(sql: string): Promise<void>;
  insert(table: string, columns: readonly string[], rows: readonly Value[][]): Promise<void>;
  all(sql: string): Promise<Record<string, Value>[]>;
  /** What a database knows of its tables once it has run for a while; ends the connection. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Released: what the migrations after it make of a full database is measured, too. */
const seededVersion = 5;

export async function createSchema(database: Database, dialect: Dialect): Promise<void> {
  const { integer } = dialect;
  await database.exec(
    `create table migrations (version ${integer} primary key, applied_at ${integer} not null)`,
  );
  const steps: Compilable[] = [registry, management, functions, collection, retention].flatMap(
    (migration) => migration(dialect),
  );
  for (const step of steps) {
    const { sql, parameters } = step.compile();
    await database.exec(withValues(sql, parameters as (string | number)[]));
  }
  for (let version = 1; version <= seededVersion; version++) {
    await database.exec(`insert into migrations values (${version}, 0)`);
  }
}

/** `write`: fast, and lost where the machine stops. */
export function openSqliteFile(
  folder: string,
  mode: 'write' | 'read' = 'write',
): { database: Database; dialect: Dialect } {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(join(folder, 'gantry.db'), { readOnly: mode === 'read' });
  const pragmas = ['journal_mode = OFF', 'synchronous = OFF', 'cache_size = -200000'];
  if (mode === 'write') for (const pragma of pragmas) db.exec(`PRAGMA ${pragma}`);
  const database: Database = {
    exec: async (sql) => db.exec(sql),
    async insert(table, columns, rows) {
      const marks = columns.map(() => '?').join(', ');
      const statement = db.prepare(
        `insert into ${table} (${columns.join(', ')}) values (${marks})`,
      );
      db.exec('BEGIN');
      for (const row of rows) statement.run(...row);
      db.exec('COMMIT');
    },
    all: async (sql) => db.prepare(sql).all() as Record<string, Value>[],
    settle: async () => db.close(),
    close: async () => db.close(),
  };
  return { database, dialect: sqliteDialect };
}

export async function openPostgresDatabase(
  url: string,
): Promise<{ database: Database; dialect: Dialect }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("set synchronous_commit = off; set work_mem = '64MB'");
  const database: Database = {
    async exec(sql) {
      await client.query(sql);
    },
    async insert(table, columns, rows) {
      for (let at = 0; at < rows.length; at += 1_000) {
        const part = rows.slice(at, at + 1_000);
        const marks = part.map(
          (row, r) => `(${row.map((_, c) => `$${r * columns.length + c + 1}`).join(', ')})`,
        );
        const text = `insert into ${table} (${columns.join(', ')}) values ${marks.join(', ')}`;
        await client.query(text, part.flat());
      }
    },
    all: async (sql) => (await client.query<Record<string, Value>>(sql)).rows,
    async settle() {
      await client.query('vacuum analyze');
      await client.query('checkpoint');
      await client.end();
    },
    close: () => client.end(),
  };
  return { database, dialect: postgresDialect };
}

/** For values of our own migrations alone: names and numbers. */
function withValues(sql: string, values: readonly (string | number)[]): string {
  let at = 0;
  return sql.replace(/\?|\$\d+/g, (mark) => {
    const value = values[mark === '?' ? at++ : Number(mark.slice(1)) - 1]!;
    return typeof value === 'number' ? String(value) : `'${value}'`;
  });
}

/** Bytes that a folder takes on the disk. */
export function diskBytes(folder: string): number {
  const told = spawnSync('du', ['-sk', folder], { encoding: 'utf8' }).stdout;
  return Number(/^\d+/.exec(told)?.[0] ?? 0) * 1024;
}
