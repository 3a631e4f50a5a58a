import {
  type ColumnDefinitionBuilder,
  type Compilable,
  type CreateTableBuilder,
  sql,
} from 'kysely';
import type { Dialect } from '../database.ts';

type Column = 'text' | 'text?' | 'integer' | 'integer?' | 'bytes';

/** What migrations say tables with, in the types of a dialect. */
export function tableBuilder(dialect: Dialect) {
  const db = dialect.builder;
  const table = (
    name: string,
    columns: Record<string, Column>,
    primaryKey: string[],
    options: { clustered?: boolean; references?: Record<string, string> } = {},
  ): Compilable => {
    let builder: CreateTableBuilder<string, string> = db.schema.createTable(name);
    for (const [column, type] of Object.entries(columns)) {
      const nullable = type.endsWith('?');
      const base = type.replace('?', '') as 'text' | 'integer' | 'bytes';
      builder = builder.addColumn(column, sql.raw(dialect[base]), (c: ColumnDefinitionBuilder) => {
        const target = options.references?.[column];
        const referenced = target ? c.references(`${target}.id`) : c;
        return nullable ? referenced : referenced.notNull();
      });
    }
    builder = builder.addPrimaryKeyConstraint(`${name}_key`, primaryKey as [string]);
    return options.clustered && dialect.clustered ? builder.modifyEnd(dialect.clustered) : builder;
  };
  const unique = (name: string, on: string, columns: string[]): Compilable =>
    db.schema.createIndex(name).unique().on(on).columns(columns);
  const index = (name: string, on: string, columns: string[]): Compilable =>
    db.schema.createIndex(name).on(on).columns(columns);
  return { table, unique, index };
}
