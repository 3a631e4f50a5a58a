import pg from 'pg';
import { refuse } from '../../src/oci/errors.ts';
import type { Metadata } from '../../src/ports/metadata.ts';
import { connectionSettings, PostgresExecutor, type Queryable } from './dialects/postgres.ts';
import { migrate } from './migrations/migrate.ts';
import { toRefusal } from './postgres-failure.ts';
import { PostgresNotices } from './postgres-notices.ts';
import { PostgresWriter } from './postgres-writer.ts';
import { storesOf } from './stores/index.ts';

/** Of all Gantry's migrations; any number that nothing else in the database takes. */
export const migrationLock = 7_203_419_226;

/**
 * The metadata in Postgres, shared by any number of replicas. `url`: `postgres://user:password@host/database`;
 * a parameter `schema` is its search path. Rejects where the database cannot be reached, or its schema is
 * newer than the program's.
 */
export async function openPostgresMetadata(options: {
  url: string;
  connections?: number;
}): Promise<Metadata> {
  const settings = connectionSettings(options.url);
  const pool = new pg.Pool({ ...settings, max: options.connections ?? 16 });
  // A connection that breaks while idle is taken out by the pool; the next query gets another.
  pool.on('error', () => {});
  // One that breaks while it is in use, between two queries, would end the process; its next query fails.
  pool.on('connect', (client) => client.on('error', () => {}));
  try {
    await migrateTogether(settings);
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

/**
 * Replicas that start together take turns; what is done already is not done again. On a connection without time
 * limits: an index over millions of rows takes longer than any query may, and who waits for it waits as long.
 */
async function migrateTogether(settings: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...settings, query_timeout: 0, statement_timeout: 0 });
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [migrationLock]);
    await migrate(new PostgresExecutor(client), Date.now());
    await client.query('commit');
  } finally {
    // Takes an open transaction back.
    await client.end().catch(() => {});
  }
}

/** Reads: failures as refusals. */
function guarded(pool: pg.Pool): Queryable {
  return {
    query: (config) =>
      pool.query<Record<string, unknown>>(config).catch((error: unknown) => {
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
