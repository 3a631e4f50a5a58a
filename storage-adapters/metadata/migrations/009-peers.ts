import type { Compilable } from 'kysely';
import { sql } from 'kysely';
import type { Dialect } from '../database.ts';

/**
 * Where others reach who leads. A replica of before renews and takes leases without it, so that the address says
 * whose it is.
 */
export function peers({ builder, text }: Dialect): Compilable[] {
  return ['address', 'address_of'].map((column) =>
    builder.schema.alterTable('leases').addColumn(column, sql.raw(text)),
  );
}
