import { type Compilable, sql } from 'kysely';
import type { Dialect } from '../database.ts';
import { tableBuilder } from './table-builder.ts';

/** Who leads, and which replica writes to an upload. */
export function replicas(dialect: Dialect): Compilable[] {
  const { table } = tableBuilder(dialect);
  const { integer, text } = dialect;
  const addColumn = (column: string, type: string): Compilable =>
    dialect.builder.schema.alterTable('uploads').addColumn(column, sql.raw(type));
  return [
    table('leases', { name: 'text', holder: 'text', epoch: 'integer', expires_at: 'integer' }, [
      'name',
    ]),
    addColumn('claimed_by', text),
    addColumn('claimed_until', `${integer} not null default 0`),
  ];
}
