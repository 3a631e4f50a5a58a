import { type Compilable, sql } from 'kysely';
import type { Dialect } from '../database.ts';

/** Leases of links, and bytes that wait for their time to go. */
export function collection(dialect: Dialect): Compilable[] {
  const db = dialect.builder;
  const { integer } = dialect;
  const addColumn = (on: string, column: string): Compilable =>
    db.schema.alterTable(on).addColumn(column, sql.raw(`${integer} not null default 0`));
  return [
    addColumn('blob_links', 'leased_until'),
    // A push that is under way while the program is replaced keeps what it was promised.
    {
      compile: () =>
        sql.raw('update blob_links set leased_until = linked_at + 86400000').compile(db),
    },
    addColumn('discarded_keys', 'due_at'),
  ];
}
