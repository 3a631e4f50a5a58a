import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import {
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely';
import { type CompiledStatement, type Dialect, type Executor, Parameter } from '../database.ts';
import type { Schema } from '../schema.ts';

export const sqliteDialect: Dialect = {
  name: 'sqlite',
  builder: new Kysely<Schema>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  }),
  text: 'text',
  integer: 'integer',
  bytes: 'blob',
  clustered: sql`without rowid`,
  elements: (json) => sql<{ value: string }>`json_each(${json})`,
};

/**
 * A connection. WAL with synchronous=FULL: a commit is on the disk before it is answered, and readers
 * never wait for the writer.
 */
export function openSqlite(file: string, mode: 'read' | 'write'): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: 5_000 });
  if (mode === 'write') db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  db.exec('PRAGMA foreign_keys = ON');
  db.exec('PRAGMA temp_store = MEMORY');
  db.exec(`PRAGMA cache_size = ${mode === 'write' ? -16_000 : -32_000}`);
  db.exec('PRAGMA mmap_size = 268435456');
  if (mode === 'read') db.exec('PRAGMA query_only = ON');
  return db;
}

/** Runs compiled statements on `db`, keeping each one prepared. */
export class SqliteExecutor implements Executor {
  readonly dialect = sqliteDialect;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<CompiledStatement, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  all(statement: CompiledStatement, args: object): unknown[] {
    return this.#prepare(statement).all(...bind(statement, args));
  }

  get(statement: CompiledStatement, args: object): unknown {
    return this.#prepare(statement).get(...bind(statement, args));
  }

  run(statement: CompiledStatement, args: object): number {
    return Number(this.#prepare(statement).run(...bind(statement, args)).changes);
  }

  #prepare(statement: CompiledStatement): StatementSync {
    let prepared = this.#statements.get(statement);
    if (!prepared) {
      prepared = this.#db.prepare(statement.sql);
      this.#statements.set(statement, prepared);
    }
    return prepared;
  }
}

function bind(statement: CompiledStatement, args: object): SQLInputValue[] {
  const values: SQLInputValue[] = [];
  for (const parameter of statement.parameters) {
    if (!(parameter instanceof Parameter)) values.push(parameter);
    else {
      const value = (args as Record<string, SQLInputValue | undefined>)[parameter.name];
      // undefined would be refused by the driver; absent means NULL everywhere in this schema.
      values.push(value === undefined ? null : value);
    }
  }
  return values;
}
