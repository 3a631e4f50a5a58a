import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LeaseName } from '../../../src/ports/leases.ts';
import { acquireLease, releaseLease } from '../commands/leases.ts';
import { type Executor, query } from '../database.ts';
import { openSqlite, SqliteExecutor } from '../dialects/sqlite.ts';
import { appliedVersion, schemaVersion } from '../migrations/migrate.ts';
import type { DatabasePlace } from './open-rows.ts';

/**
 * Keeps the bytes of collected blobs for `ttlMs` from now on, whatever replicas run. Written beside the server's own
 * writer, as a transaction of its own: with or without a server, and without a change of the schema.
 */
export async function holdBytes(
  place: DatabasePlace,
  name: LeaseName,
  ttlMs: number,
): Promise<void> {
  await write(place, (tx) => acquireLease(tx, { name, holder: name, ttlMs }));
}

export async function releaseBytes(place: DatabasePlace, name: LeaseName): Promise<void> {
  await write(place, (tx) => releaseLease(tx, { name, holder: name }));
}

const clockOf = query<object, { now: number }>((db, _p, { now }) => db.selectNoFrom(now.as('now')));

/** Milliseconds by the clock of a Postgres, which leases are held by. */
export async function postgresNow(url: string): Promise<number> {
  const { withPostgres } = await import('./postgres-rows.ts');
  return withPostgres(url, async (tx) => (await clockOf.get(tx, {}))!.now);
}

async function write(
  { folder, databaseUrl }: DatabasePlace,
  work: (tx: Executor) => Promise<unknown>,
): Promise<void> {
  if (databaseUrl !== undefined) {
    const { withPostgres } = await import('./postgres-rows.ts');
    await withPostgres(databaseUrl, async (tx) => {
      if (await knowsLeases(tx)) await work(tx);
    });
    return;
  }
  const file = join(folder, 'gantry.db');
  if (!existsSync(file)) return;
  const db = openSqlite(file, 'write');
  try {
    const tx = new SqliteExecutor(db);
    if (await knowsLeases(tx)) await work(tx);
  } finally {
    db.close();
  }
}

/** A database that an older program left is not written by this one: its server stands still, as at an upgrade. */
async function knowsLeases(tx: Executor): Promise<boolean> {
  return ((await appliedVersion.get(tx, {}))?.version ?? 0) === schemaVersion;
}
