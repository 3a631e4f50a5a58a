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
  now: sql<number>`cast(unixepoch('subsec') * 1000 as integer)`,
  elements: (json) => sql<{ value: string }>`json_each(${json})`,
  among: (column, json) =>
    sql<boolean>`${sql.ref(column)} in (select wanted.value from json_each(${json}) as wanted)`,
  lookUp: (json, rows) => rows((column) => sqliteDialect.among(column, json)),
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
  db.exec(`PRAGMA cache_size = ${mode === 'write' ? -16_000 : -8_000}`);
  db.exec('PRAGMA mmap_size = 268435456');
  if (mode === 'read') db.exec('PRAGMA query_only = ON');
  return db;
}

/** Runs compiled statements on `db`, keeping each one prepared. */
export class SqliteExecutor implements Executor {
  readonly dialect = sqliteDialect;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<CompiledStatement, Prepared>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  all(statement: CompiledStatement, args: object): unknown[] {
    const { query, shape } = this.#prepare(statement);
    const rows = query.all(...bind(statement, args)) as unknown as unknown[][];
    return rows.map((values) => toRow(shape, values));
  }

  get(statement: CompiledStatement, args: object): unknown {
    const { query, shape } = this.#prepare(statement);
    const values = query.get(...bind(statement, args)) as unknown[] | undefined;
    return values && toRow(shape, values);
  }

  run(statement: CompiledStatement, args: object): number {
    return Number(this.#prepare(statement).query.run(...bind(statement, args)).changes);
  }

  #prepare(statement: CompiledStatement): Prepared {
    let prepared = this.#statements.get(statement);
    if (!prepared) {
      const query = this.#db.prepare(statement.sql);
      query.setReturnArrays(true);
      const names = query.columns().map(({ name }) => name);
      prepared = { query, shape: Object.fromEntries(names.map((name) => [name, null])) };
      this.#statements.set(statement, prepared);
    }
    return prepared;
  }
}

interface Prepared {
  readonly query: StatementSync;
  /** A row of nothing, its columns in order. */
  readonly shape: Row;
}

type Row = Record<string, unknown>;

/**
 * The driver's own row objects have a hidden class each, so that every look at a column is a slow one: a
 * third of a short query. Copies of one object share its class.
 */
function toRow(shape: Row, values: readonly unknown[]): Row {
  const row = { ...shape };
  let at = 0;
  for (const name in row) row[name] = values[at++];
  return row;
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
