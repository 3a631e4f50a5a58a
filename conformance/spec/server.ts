import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startEnv } from '../tools/start-env.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What the first start writes to `<data>/bootstrap.json`. */
export interface Bootstrap {
  readonly url: string;
  /** Host and port, as in an image's reference. */
  readonly registry: string;
  readonly teamId: string;
  readonly teamSlug: string;
  readonly projectSlug: string;
  readonly token: string;
}

export interface ServerOptions {
  /** Settings on top of those that place the server on a free loopback port and a fresh folder. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds until it must be ready. */
  readonly readyWithin?: number;
}

/** A Gantry process under test, on a data folder of its own. */
export interface GantryServer {
  readonly bootstrap: Bootstrap;
  readonly dataFolder: string;
  /** `http://127.0.0.1:<port>`, the same over restarts. */
  readonly origin: string;
  readonly pid: number;
  /** Everything written to stdout and stderr so far, over all starts. */
  output(): string;
  /** Ends the process with SIGTERM (which must exit 0) or another signal; the folder stays. */
  halt(signal?: NodeJS.Signals): Promise<void>;
  /** Starts again on the same folder and port, with more settings where given. */
  resume(env?: Readonly<Record<string, string>>): Promise<void>;
  /** `halt`, where it runs, then removes the folder. */
  stop(): Promise<void>;
}

/** Settings of the storage under test that a caller of the suites may choose; nothing else is inherited. */
function inheritedEnv(): Record<string, string> {
  const kept = /^(PATH|HOME|TMPDIR|LANG|AWS_.*|GANTRY_STORAGE|GANTRY_S3_.*)$/;
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env))
    if (value !== undefined && kept.test(name)) env[name] = value;
  return env;
}

export function serverEnv(dataFolder: string): Record<string, string> {
  return { ...inheritedEnv(), GANTRY_DATA: dataFolder };
}

export async function startServer(options: ServerOptions = {}): Promise<GantryServer> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'gantry-spec-'));
  const readyWithin = options.readyWithin ?? 30_000;
  let env: Record<string, string> = {
    ...startEnv,
    ...serverEnv(dataFolder),
    GANTRY_HOST: '127.0.0.1',
    GANTRY_PORT: '0',
    // Tests fail to log in as many strangers would, all from one address.
    GANTRY_RATE_LOGIN_FAILURES: '0',
    ...options.env,
  };
  let child: ChildProcess | undefined;
  let bootstrap: Bootstrap | undefined;
  const output: string[] = [];

  async function begin(): Promise<void> {
    const started = spawn(process.execPath, ['src/main.ts'], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    for (const stream of [started.stdout, started.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => output.push(text));
    const deadline = Date.now() + readyWithin;
    for (;;) {
      if (started.exitCode !== null || started.signalCode !== null)
        throw new Error(`the server ended before it was ready:\n${output.join('')}`);
      bootstrap ??= await readBootstrap(dataFolder);
      if (bootstrap && (await isReady(bootstrap.url))) return;
      if (Date.now() > deadline) {
        started.kill('SIGKILL');
        throw new Error(`the server was not ready in ${readyWithin} ms:\n${output.join('')}`);
      }
      await delay(20);
    }
  }

  async function halt(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = child;
    child = undefined;
    if (!running) return;
    if (running.exitCode === null && running.signalCode === null) {
      const closed = once(running, 'close');
      running.kill(signal);
      const hard = setTimeout(() => running.kill('SIGKILL'), 20_000);
      await closed;
      clearTimeout(hard);
    }
    if (signal === 'SIGTERM')
      assert.deepEqual(
        { code: running.exitCode, signal: running.signalCode },
        { code: 0, signal: null },
        `SIGTERM must end the server with code 0 within 20 s; its output ends with:\n${output.join('').slice(-4_000)}`,
      );
  }

  try {
    await begin();
  } catch (error) {
    await halt('SIGKILL');
    await rm(dataFolder, { recursive: true, force: true });
    throw error;
  }
  const ready = bootstrap!;
  const origin = ready.url.replace(/\/+$/, '');
  return {
    bootstrap: ready,
    dataFolder,
    origin,
    get pid(): number {
      assert.ok(child?.pid, 'the server does not run');
      return child.pid;
    },
    output: () => output.join(''),
    halt,
    async resume(more = {}) {
      env = { ...env, GANTRY_PORT: new URL(origin).port, ...more };
      await begin();
    },
    async stop() {
      try {
        await halt();
      } finally {
        await rm(dataFolder, { recursive: true, force: true });
      }
    },
  };
}

async function readBootstrap(folder: string): Promise<Bootstrap | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'bootstrap.json'), 'utf8')) as Bootstrap;
  } catch {
    return undefined;
  }
}

function isReady(url: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const ask = request(new URL('/readyz', url), { agent: false, timeout: 2_000 }, (answer) => {
    answer.resume();
    answer.on('end', () => resolve(answer.statusCode === 200));
  });
  ask.on('error', () => resolve(false));
  ask.on('timeout', () => ask.destroy());
  ask.end();
  return promise;
}
