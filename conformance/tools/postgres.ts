/** A Postgres server of a test's own: Debian's program, a cluster in a folder, a free port. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { freePort } from './free-ports.ts';

const versions = '/usr/lib/postgresql';

const defaults = { max_connections: '200', shared_buffers: '64MB', log_min_messages: 'fatal' };

export interface PostgresServer {
  readonly pid: number;
  /** `postgres://…/gantry`, a superuser. */
  readonly url: string;
  /** A database of its own: empty, or a copy of another that nobody is connected to. */
  database(name: string, copyOf?: string): Promise<string>;
  /** SIGQUIT: as a crash; its data stays. */
  crash(): Promise<void>;
  /** Where it does not run. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Why it cannot be run here; undefined where it can. */
export function postgresObstacle(): string | undefined {
  if (!programs()) return 'Postgres is not installed (Debian: postgresql)';
  if (process.getuid?.() === 0 && !owner()) return 'there is no user postgres to run it as';
  return undefined;
}

/** `settings`: of postgresql.conf, beside those that all tests have. It syncs what it commits. */
export async function startPostgres(
  options: { settings?: Readonly<Record<string, string>> } = {},
): Promise<PostgresServer> {
  const bin = programs()!;
  const user = owner();
  const folder = mkdtempSync(join(tmpdir(), 'gantry-postgres-'));
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (user) for (const path of [folder, data]) chownSync(path, user.uid, user.gid);
  makeCluster(bin, data, user);
  const port = await freePort();
  const base = `postgres://gantry@127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const runs = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const start = async (): Promise<void> => {
    if (runs()) return;
    const server = spawn(
      join(bin, 'postgres'),
      [
        ...['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder],
        ...Object.entries({ ...defaults, ...options.settings }).flatMap(([name, value]) => [
          '-c',
          `${name}=${value}`,
        ]),
      ],
      { ...user, stdio: 'ignore', cwd: folder },
    );
    child = server;
    process.once('exit', () => server.kill('SIGQUIT'));
    await until(() => {
      if (server.exitCode !== null) throw new Error('postgres ended at its start');
      return (
        spawnSync(join(bin, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)]).status ===
        0
      );
    });
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (!runs()) return;
    const server = child!;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill(signal);
    await ended;
  };
  const database = (name: string, copyOf?: string): Promise<string> =>
    createDatabase(base, name, copyOf);
  await start();
  return {
    get pid() {
      return child!.pid!;
    },
    url: await database('gantry'),
    database,
    crash: () => end('SIGQUIT'),
    start,
    async stop() {
      await end('SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** In the server at `base` (a URL without a database), where it is not there yet; its URL. */
export async function createDatabase(base: string, name: string, copyOf?: string): Promise<string> {
  const { hostname, port, username } = new URL(base);
  const args = ['-h', hostname, '-p', port, '-U', username];
  if (copyOf) args.push('-T', copyOf);
  args.push(name);
  // Not in this thread: what is at `base` may be a proxy that runs in it.
  const child = spawn(join(programs()!, 'createdb'), args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0 && !words.includes('already exists')) throw new Error(`createdb failed: ${words}`);
  return `${base}/${name}`;
}

/** What `pg_dump` takes of the database at `from` at this moment, in the empty one at `to`. */
export async function copyDatabase(from: string, to: string): Promise<void> {
  const bin = programs()!;
  const dump = spawn(join(bin, 'pg_dump'), [from], { stdio: ['ignore', 'pipe', 'inherit'] });
  const fill = spawn(join(bin, 'psql'), ['-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', to], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ends = Promise.all([once(dump, 'close'), once(fill, 'close')]);
  await pipeline(dump.stdout, fill.stdin);
  for (const [code] of await ends) if (code !== 0) throw new Error('the database was not copied');
}

/**
 * What `initdb` makes takes it a second of the processor, and is the same each time: it is kept, before a server ran
 * on it, as long as the run of a suite lasts.
 */
function makeCluster(bin: string, data: string, user: ReturnType<typeof owner>): void {
  const shared = process.env.GANTRY_TEST_FOLDER;
  const kept = shared && join(shared, 'postgres-cluster');
  const copy = (from: string, to: string): boolean =>
    spawnSync('cp', ['-a', '--reflink=auto', `${from}/.`, to]).status === 0;
  if (kept && existsSync(kept)) {
    if (!copy(kept, data)) throw new Error(`${kept} could not be copied`);
    return;
  }
  const settings = ['-U', 'gantry', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8'];
  const made = spawnSync(join(bin, 'initdb'), ['-D', data, ...settings, '--no-sync'], {
    ...{ ...user, encoding: 'utf8', cwd: data },
  });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  if (!kept) return;
  const partial = `${kept}.${process.pid}`;
  mkdirSync(partial, { mode: 0o700 });
  try {
    if (copy(data, partial)) renameSync(partial, kept);
  } catch {
    // Another file of the suite was quicker.
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

function programs(): string | undefined {
  if (!existsSync(versions)) return undefined;
  const newest = readdirSync(versions).sort((a, b) => Number(b) - Number(a));
  return newest
    .map((version) => join(versions, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
}

/** Postgres refuses to run as root. */
function owner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const ids = ['-u', '-g'].map((flag) =>
    spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim(),
  );
  return ids.every((id) => /^\d+$/.test(id))
    ? { uid: Number(ids[0]), gid: Number(ids[1]) }
    : undefined;
}

async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!done()) {
    if (performance.now() > deadline) throw new Error('postgres was not ready after 30 s');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
