import type { Compilable, OperationNodeSource, RawBuilder } from 'kysely';
import type { Awaitable } from '../../src/ports/awaitable.ts';
import type { Builder } from './schema.ts';

export type SqlValue = string | number | Uint8Array | null;

/** What differs between the databases, and no more. */
export interface Dialect {
  readonly name: 'sqlite' | 'postgres';
  /** Builds and compiles queries; never connects. */
  readonly builder: Builder;
  /** Column types. */
  readonly text: 'text' | 'text collate "C"';
  readonly integer: 'integer' | 'int8';
  readonly bytes: 'blob' | 'bytea';
  /** Ends CREATE TABLE where the primary key is the order of the rows. */
  readonly clustered: RawBuilder<unknown> | undefined;
  /** UTC milliseconds by the database's own clock, at the moment of asking. */
  readonly now: RawBuilder<number>;
  /** The strings of a JSON array parameter, as a one-column (`value`) table expression. */
  elements(json: string): RawBuilder<{ value: string }>;
  /** Whether `column` is one of the strings of a JSON array parameter: each is looked up in an index that begins so. */
  among(column: string, json: string): RawBuilder<boolean>;
  /**
   * What `rows` finds for each of the strings of a JSON array parameter, in no order; `is` says which column holds the
   * string. Each is looked up by itself: Postgres, whose prepared plan knows no values, takes a repository for one of
   * the usual size, and would rather read all that it holds.
   */
  lookUp<O>(
    json: string,
    rows: (is: (column: string) => RawBuilder<boolean>) => Compilable<O> & OperationNodeSource,
  ): Compilable<O>;
}

/** A query's SQL and where its parameters come from. */
export interface CompiledStatement {
  readonly sql: string;
  readonly parameters: readonly (SqlValue | Parameter)[];
}

export class Parameter {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Runs compiled statements: at once where the database is embedded, else by a promise. */
export interface Executor {
  readonly dialect: Dialect;
  all(statement: CompiledStatement, args: object): Awaitable<unknown[]>;
  get(statement: CompiledStatement, args: object): Awaitable<unknown>;
  /** Rows changed. */
  run(statement: CompiledStatement, args: object): Awaitable<number>;
}

/**
 * A query that Kysely builds once for each dialect and that runs with other arguments each time:
 * building it anew costs more than running it.
 */
export interface Query<A extends object, R> {
  all(executor: Executor, args: A): Awaitable<R[]>;
  get(executor: Executor, args: A): Awaitable<R | undefined>;
  run(executor: Executor, args: A): Awaitable<number>;
}

export function query<A extends object, R = unknown>(
  build: (
    db: Builder,
    p: <K extends keyof A & string>(name: K) => A[K],
    dialect: Dialect,
  ) => Compilable<R>,
): Query<A, R> {
  const compiled = new Map<Dialect, CompiledStatement>();
  const compile = (dialect: Dialect): CompiledStatement => {
    let statement = compiled.get(dialect);
    if (!statement) {
      const parameter = (name: string) => new Parameter(name) as never;
      const { sql, parameters } = build(dialect.builder, parameter, dialect).compile();
      statement = { sql, parameters: parameters as (SqlValue | Parameter)[] };
      compiled.set(dialect, statement);
    }
    return statement;
  };
  return {
    all: (executor, args) => executor.all(compile(executor.dialect), args) as Awaitable<R[]>,
    get: (executor, args) =>
      executor.get(compile(executor.dialect), args) as Awaitable<R | undefined>,
    run: (executor, args) => executor.run(compile(executor.dialect), args),
  };
}

/** `value` after `transform`, now or when it comes. */
export function then<T, U>(value: Awaitable<T>, transform: (value: T) => U): Awaitable<U> {
  return value instanceof Promise ? value.then(transform) : transform(value);
}
