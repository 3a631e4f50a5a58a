/** A real S3 server over a folder, for tests: versitygw, its posix backend. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Found, findProgram } from './cache.ts';
import { freePort } from './free-ports.ts';

export interface S3Server {
  readonly pid: number;
  /** URL without a path. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** The same server, another bucket, which is made. */
  withBucket(bucket: string): Promise<S3Server>;
  /** Ends the process, and removes the folder where the server made it. */
  stop(): Promise<void>;
}

/** The program that was built for the tests, else one in PATH, else why there is none. */
export function findVersitygw(): Found {
  const built = findProgram('versitygw');
  if ('path' in built) return built;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, 'versitygw');
    if (folder !== '' && existsSync(path)) return { path };
  }
  return built;
}

export interface S3ServerOptions {
  /** Path of versitygw. */
  readonly program: string;
  /** Where the buckets lie, as folders; one of its own in the system's temporary folder without it. */
  readonly folder?: string;
  readonly bucket?: string;
}

/** Resolves when the server answers. Rejects with its last words where it ends before. */
export async function startVersitygw(options: S3ServerOptions): Promise<S3Server> {
  const { program, bucket = 'blobs' } = options;
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'gantry-s3-')));
  await mkdir(folder, { recursive: true });
  const credentials = { accessKeyId: 'test-access', secretAccessKey: 'test-secret-of-versitygw' };
  const port = await freePort();
  const child = spawn(
    program,
    ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', 'posix', folder],
    {
      env: {
        ROOT_ACCESS_KEY: credentials.accessKeyId,
        ROOT_SECRET_KEY: credentials.secretAccessKey,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let words = '';
  child.stderr.on('data', (bytes: Buffer) => {
    words = (words + bytes).slice(-2_000);
  });
  let ended = false;
  const closed = once(child, 'close').then(
    () => {
      ended = true;
    },
    (error: Error) => {
      words = error.message;
      ended = true;
    },
  );
  // A test process that crashes takes its server with it.
  const end = () => child.kill('SIGKILL');
  process.on('exit', end);
  const stop = async () => {
    end();
    process.off('exit', end);
    await closed;
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
  };
  // No line of its output says that it listens once it is quiet, so the port is asked.
  for (const deadline = Date.now() + 20_000; ended || !(await answers(port)); await delay(20)) {
    if (!ended && Date.now() < deadline) continue;
    await stop();
    throw new Error(`versitygw did not start: ${words.trim() || 'it said nothing'}`);
  }
  const withBucket = async (name: string): Promise<S3Server> => {
    await mkdir(join(folder, name), { recursive: true });
    return {
      // A child that answers has one.
      pid: child.pid!,
      endpoint: `http://127.0.0.1:${port}`,
      bucket: name,
      region: 'us-east-1',
      credentials,
      withBucket,
      stop,
    };
  };
  return withBucket(bucket);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
