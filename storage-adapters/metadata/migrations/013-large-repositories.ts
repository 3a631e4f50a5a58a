import { type Compilable, sql } from 'kysely';
import type { Dialect } from '../database.ts';

/**
 * Postgres plans for any repository at once, and takes each for the usual one, which holds next to nothing: then an
 * index that only begins with the repository is as good as the one that holds the whole key, and a look-up reads all
 * of a large repository. So it plans as if there were a hundred of them. (SQLite takes the whole key wherever it can.)
 */
export function largeRepositories({ name, builder }: Dialect): Compilable[] {
  if (name === 'sqlite') return [];
  const steps = ['tags', 'manifests', 'manifest_references', 'blob_links'].flatMap((table) => [
    sql`alter table ${sql.table(table)} alter column repository_id set (n_distinct = 100)`,
    // It holds from the next look at the table on.
    sql`analyze ${sql.table(table)}`,
  ]);
  return steps.map((step) => ({ compile: () => step.compile(builder) as never }));
}
