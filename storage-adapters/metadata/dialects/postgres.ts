import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
} from 'kysely';
import pg from 'pg';
import { type CompiledStatement, type Dialect, type Executor, Parameter } from '../database.ts';
import { isStalePlan } from '../postgres-failure.ts';
import type { Schema } from '../schema.ts';

export const postgresDialect: Dialect = {
  name: 'postgres',
  builder: new Kysely<Schema>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  }),
  // Bytewise, whatever the database's own collation: names and cursors compare the same everywhere.
  text: 'text collate "C"',
  integer: 'int8',
  bytes: 'bytea',
  clustered: undefined,
  now: sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as int8)`,
  elements: (json) => sql<{ value: string }>`json_array_elements_text(cast(${json} as json))`,
  // Of a table of texts a prepared plan, which knows no values, would join all rows of the largest repository.
  among: (column, json) =>
    sql<boolean>`${sql.ref(column)} = any(array(select json_array_elements_text(cast(${json} as json))))`,
  lookUp: (json, rows) => {
    const each = sql`select distinct value from json_array_elements_text(cast(${json} as json))`;
    const found = rows((column) => sql`${sql.ref(column)} = wanted.value`);
    // Without its end the planner would make one join of both.
    const all = sql<never>`select found.* from (${each}) as wanted cross join lateral (${found} offset 0) as found`;
    return { compile: () => all.compile(postgresDialect.builder) };
  },
};

const int8 = 20;
const numeric = 1700;

/** Whole numbers as numbers: none in this schema is past 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    oid === int8 || oid === numeric
      ? (Number as never)
      : (pg.types.getTypeParser(oid, format as 'text') as never),
};

/** Settings of every connection: a database that does not answer is an error, not a wait without end. */
export function connectionSettings(url: string): pg.ClientConfig {
  return {
    connectionString: url,
    types,
    application_name: 'gantry',
    connectionTimeoutMillis: 5_000,
    query_timeout: 30_000,
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
  };
}

/** A pool, or one connection of it in a transaction. */
export interface Queryable {
  query(config: pg.QueryConfig): Promise<pg.QueryResult<Record<string, unknown>>>;
}

const names = new WeakMap<CompiledStatement, string>();
let named = 0;

/** Runs compiled statements, each prepared once by every connection. */
export class PostgresExecutor implements Executor {
  readonly dialect = postgresDialect;
  readonly #on: Queryable;

  constructor(on: Queryable) {
    this.#on = on;
  }

  async all(statement: CompiledStatement, args: object): Promise<unknown[]> {
    return (await this.#query(statement, args)).rows;
  }

  async get(statement: CompiledStatement, args: object): Promise<unknown> {
    return (await this.#query(statement, args)).rows[0];
  }

  async run(statement: CompiledStatement, args: object): Promise<number> {
    return (await this.#query(statement, args)).rowCount ?? 0;
  }

  #query(statement: CompiledStatement, args: object) {
    let name = names.get(statement);
    if (!name) {
      name = `g${++named}`;
      names.set(statement, name);
    }
    const asked = { name, text: statement.sql, values: bind(statement, args) };
    return this.#on.query(asked).catch((error: unknown) => {
      // Prepared anew, under another name, wherever it is asked next.
      if (isStalePlan(error) && names.get(statement) === name) names.delete(statement);
      throw error;
    });
  }
}

function bind(statement: CompiledStatement, args: object): unknown[] {
  return statement.parameters.map((parameter) => {
    if (!(parameter instanceof Parameter)) return parameter;
    return (args as Record<string, unknown>)[parameter.name] ?? null;
  });
}
