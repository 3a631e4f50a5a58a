/** A filled database, and the server on it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresServer, startPostgres } from '../../../conformance/tools/postgres.ts';
import { runProgram } from '../clients/run-client.ts';
import { residentBytes } from '../processes.ts';
import { type Running, root, startServer } from '../servers.ts';
import { createSchema, type Database, openPostgresDatabase, openSqliteFile } from './database.ts';
import { type Seeded, type Size, seed } from './seed.ts';

export type DatabaseName = 'sqlite' | 'postgres';

export interface World extends Seeded {
  readonly name: string;
  readonly on: DatabaseName;
  readonly folder: string;
  readonly url: string;
  readonly pid: number;
  readonly seconds: {
    readonly seed: number;
    /** The first start: the schema of an earlier release is brought up to date. */
    readonly migrated: number;
    /** The next one. */
    readonly started: number;
  };
  /** Resident bytes after the start. */
  readonly memory: number;
  /** Of someone who may collect. */
  readonly operator: string;
  /** On Postgres: its URL. */
  readonly database: string | undefined;
  stop(): Promise<void>;
}

/** Fills a database of its own in `folder`, starts the server on it twice, and gives the second one. */
export async function openWorld(options: {
  on: DatabaseName;
  size: Size;
  folder: string;
  postgres: PostgresServer | undefined;
}): Promise<World> {
  const { on, size, postgres } = options;
  const folder = join(options.folder, size.name);
  mkdirSync(folder, { recursive: true });
  const url = on === 'postgres' ? await postgres!.database(`scale_${size.name}`) : undefined;
  const data = join(folder, 'gantry');
  const begun = performance.now();
  const { database, dialect } = url ? await openPostgresDatabase(url) : openSqliteFile(data);
  await createSchema(database, dialect);
  const seeded = await seed(database, data, size);
  await database.settle();
  const seedSeconds = (performance.now() - begun) / 1000;
  const env = {
    ...(url && { GANTRY_DATABASE_URL: url, GANTRY_SECRET_KEY: 'ab'.repeat(32) }),
    ...{ GANTRY_FUNCTIONS: 'off', GANTRY_RATE_API_READS: '0', GANTRY_RATE_API_WRITES: '0' },
    // By hand alone: what is measured must not run by itself as well.
    ...{ GANTRY_COLLECT_INTERVAL: '0s', GANTRY_RETENTION_INTERVAL: '0s' },
  };
  const timed = async (): Promise<{ server: Running; seconds: number }> => {
    const started = performance.now();
    const server = await startServer({ data, env, withinMs: 300_000 });
    return { server, seconds: (performance.now() - started) / 1000 };
  };
  const first = await timed();
  const operator = await makeOperator(data);
  await first.server.stop();
  const { server, seconds } = await timed();
  return {
    ...{ ...seeded, name: size.name, on, folder, operator, database: url },
    ...{ url: server.url, pid: server.pid },
    seconds: { seed: seedSeconds, migrated: first.seconds, started: seconds },
    memory: residentBytes(server.pid).now,
    stop: () => server.stop(),
  };
}

async function makeOperator(data: string): Promise<string> {
  const admin = async (...args: string[]) => {
    const program = [join(root, 'src/cli/main.ts'), 'admin', ...args, '--json'];
    const env = { ...process.env, GANTRY_DATA: data };
    return JSON.parse(await runProgram(process.execPath, program, 60_000, env)) as {
      token: string;
    };
  };
  await admin('account', 'create', 'operator', '--operator');
  return (await admin('token', 'create', '--account', 'operator', '--scope', 'admin')).token;
}

export async function withPostgres<T>(
  on: DatabaseName,
  work: (server: PostgresServer | undefined) => Promise<T>,
): Promise<T> {
  if (on === 'sqlite') return await work(undefined);
  const server = await startPostgres({ settings: { max_wal_size: '256MB' } });
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** A second connection to the database of a world whose server runs. */
export async function look(world: World): Promise<Database> {
  if (world.database) return (await openPostgresDatabase(world.database)).database;
  return openSqliteFile(join(world.folder, 'gantry'), 'read').database;
}
