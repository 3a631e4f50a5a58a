import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { refuse } from '../../src/oci/errors.ts';
import type { Metadata } from '../../src/ports/metadata.ts';
import { connectionSettings, PostgresExecutor, type Queryable } from './dialects/postgres.ts';
import { migrate } from './migrations/migrate.ts';
import { isConflict, isStalePlan, toRefusal } from './postgres-failure.ts';
import { PostgresNotices } from './postgres-notices.ts';
import { PostgresWriter } from './postgres-writer.ts';
import { storesOf } from './stores/index.ts';

/** Of all Gantry's migrations; any number that nothing else in the database takes. */
export const migrationLock = 7_203_419_226;

/**
 * The metadata in Postgres, shared by any number of replicas. `url`: `postgres://user:password@host/database`;
 * a parameter `schema` is its search path. Rejects where the database cannot be reached, its schema is newer than the
 * program's, or its tables cannot be migrated because others keep them.
 */
export async function openPostgresMetadata(options: {
  url: string;
  connections?: number;
  /** How long a migration may be kept from its tables. */
  migrateWithinMs?: number;
}): Promise<Metadata> {
  const settings = connectionSettings(options.url);
  const pool = new pg.Pool({ ...settings, max: options.connections ?? 16 });
  // A connection that breaks while idle is taken out by the pool; the next query gets another.
  pool.on('error', () => {});
  // One that breaks while it is in use, between two queries, would end the process; its next query fails.
  pool.on('connect', (client) => client.on('error', () => {}));
  try {
    await migrateTogether(settings, options.migrateWithinMs ?? 120_000);
  } catch (error) {
    await pool.end();
    throw explainPostgres(error);
  }
  const executor = new PostgresExecutor(guarded(pool));
  const writer = new PostgresWriter(pool);
  const stores = storesOf(executor);
  const notices = new PostgresNotices(pool, options.url);
  writer.onCommit(() => notices.tellCommitted());
  return {
    ...stores,
    writer,
    notices,
    onCommit(listener) {
      writer.onCommit(listener);
      notices.onCommitted(listener);
    },
    async ping() {
      await stores.tokens.epoch();
      await writer.run('ForgetKeys', { keys: [] });
    },
    async close() {
      await writer.close();
      await notices.close();
      await pool.end();
    },
  };
}

/** How long a migration waits for a table in the first try; in later ones longer, up to ten times that. */
const lockWaitMs = 500;

/**
 * Replicas that start together take turns; what is done already is not done again. On a connection without time
 * limits: an index over millions of rows takes longer than any query may, and who waits for its turn waits as long.
 *
 * Old replicas go on meanwhile. While a migration waits for a table, their queries of it wait behind it, and one that
 * has what the migration wants next may want what the migration has: so it waits for a short time only, in which
 * Postgres does not look for deadlocks yet, gives all of it back, and tries again. Rejects with `unavailable` where
 * others kept a table for `withinMs`.
 */
async function migrateTogether(settings: pg.ClientConfig, withinMs: number): Promise<void> {
  const client = new pg.Client({ ...settings, query_timeout: 0, statement_timeout: 0 });
  client.on('error', () => {});
  await client.connect();
  try {
    const began = performance.now();
    for (let attempt = 0; ; attempt++) {
      try {
        await client.query('begin');
        await client.query('select pg_advisory_xact_lock($1)', [migrationLock]);
        const waitMs = Math.min(lockWaitMs * 1.25 ** attempt, lockWaitMs * 10);
        await client.query(`set local lock_timeout = ${Math.round(waitMs)}`);
        await migrate(new PostgresExecutor(client), Date.now());
        await client.query('commit');
        return;
      } catch (error) {
        if (!isConflict(error)) throw error;
        await client.query('rollback');
        if (performance.now() - began > withinMs) throw tablesKept();
        await delay(lockWaitMs * (0.5 + Math.random()));
      }
    }
  } finally {
    // Takes an open transaction back.
    await client.end().catch(() => {});
  }
}

function tablesKept() {
  return refuse(
    'unavailable',
    'The schema of the database could not be brought to this version: others keep its tables locked.',
    'Look for long transactions in pg_stat_activity (a pg_dump is one), let them end, and start again.',
  );
}

/** Reads: failures as refusals. */
function guarded(pool: pg.Pool): Queryable {
  const ask = (config: pg.QueryConfig) => pool.query<Record<string, unknown>>(config);
  return {
    query: (config) =>
      ask(config)
        .catch((error: unknown) => {
          if (!isStalePlan(error)) throw error;
          // Not prepared: each connection of the pool may have the old plan. The one that failed is closed by the pool.
          return ask({ text: config.text, values: config.values ?? [] });
        })
        .catch((error: unknown) => {
          throw toRefusal(error);
        }),
  };
}

export function explainPostgres(error: unknown): unknown {
  const { code = '' } = error as { code?: string };
  if (code === '28P01' || code === '28000') {
    return refuse(
      'denied',
      'The database refused the user or its password.',
      'Check GANTRY_DATABASE_URL.',
    );
  }
  if (code === '3D000') {
    return refuse(
      'not-found',
      'The database server has no database of that name.',
      'Make it: createdb <name>',
    );
  }
  if (/^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|ENOENT)/.test(code)) {
    return refuse(
      'unavailable',
      `The database cannot be reached (${code}).`,
      'Check GANTRY_DATABASE_URL, and that Postgres runs.',
    );
  }
  return error;
}
