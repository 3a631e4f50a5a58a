import { RegistryError } from '../../../src/oci/errors.ts';
import type { EmptyDatabase, Snapshot } from '../../../src/ports/rows.ts';
import { openEmptySqlite, openSqliteSnapshot } from './sqlite-rows.ts';

export interface DatabasePlace {
  readonly folder: string;
  /** Of Postgres; undefined: SQLite under `folder`. */
  readonly databaseUrl: string | undefined;
}

/** The facts at one moment. Changes nothing, and needs no lock: a server may be writing. */
export async function openSnapshot({ folder, databaseUrl }: DatabasePlace): Promise<Snapshot> {
  if (databaseUrl === undefined) return openSqliteSnapshot(folder);
  const { openPostgresSnapshot } = await import('./postgres-rows.ts');
  return openPostgresSnapshot(databaseUrl);
}

/** A database to be filled; where it is embedded, the caller has locked the folder. */
export async function openEmptyDatabase(place: DatabasePlace): Promise<EmptyDatabase> {
  if (place.databaseUrl === undefined) return openEmptySqlite(place.folder);
  const { openEmptyPostgres } = await import('./postgres-rows.ts');
  return openEmptyPostgres(place.databaseUrl);
}

/**
 * Where the facts of a database came from by the last `EmptyDatabase.fill`, as its settlement named it; undefined where
 * they never did, or there is none.
 */
export async function originOf(place: DatabasePlace): Promise<string | undefined> {
  const snapshot = await openSnapshot(place).catch((error: unknown) => {
    if (error instanceof RegistryError && error.kind === 'not-found') return undefined;
    throw error;
  });
  if (!snapshot) return undefined;
  try {
    const table = snapshot.tables.find(({ name }) => name === 'audit');
    if (!table) return undefined;
    const at = (name: string) => table.columns.findIndex((column) => column.name === name);
    let last: { readonly at: number; readonly target: string } | undefined;
    for await (const rows of snapshot.rows(table)) {
      for (const row of rows) {
        if (!/^installation\.(moved|restored)$/.test(String(row[at('action')]))) continue;
        const time = Number(row[at('at')]);
        if (!last || time >= last.at) last = { at: time, target: String(row[at('target')]) };
      }
    }
    return last?.target;
  } finally {
    await snapshot.close();
  }
}
