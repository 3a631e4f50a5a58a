import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { quickStartEnv, startEnv, withCache } from '../../tools/start-env.ts';

export const root = join(import.meta.dirname, '..', '..', '..');

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

export interface LaunchOptions {
  readonly data: string;
  /** Settings, and what the program that starts it would set. */
  readonly env?: Readonly<Record<string, string>>;
  /** This checkout's unless given. */
  readonly program?: Program | undefined;
}

/** Sources of a server. */
export interface Program {
  readonly root: string;
  /** Whether there is such a setting; a server refuses to start with one that it does not know. */
  knows(setting: string): boolean;
}

const ownProgram: Program = { root, knows: () => true };

/** Other sources are not those that `load-stripped` has: they start quicker by a compile cache of their own. */
function startEnvOf(program: Program): Readonly<Record<string, string>> {
  if (program === ownProgram) return quickStartEnv;
  return withCache(startEnv, { NODE_COMPILE_CACHE: join(program.root, '.cache', 'compile') });
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A server process from its first moment on. */
export interface Launched {
  readonly pid: number;
  /** Its origin, once it says that it is ready; rejects with its output where it ends before. */
  readonly ready: Promise<string>;
  readonly exited: Promise<Exit>;
  /** False where it still runs after that time. */
  endsWithin(ms: number): Promise<boolean>;
  /** stdout and stderr so far. */
  output(): string;
  /** Sends a signal and waits for the end; kills after `withinMs`. */
  end(signal: NodeJS.Signals, withinMs?: number): Promise<Exit>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts the server from the sources, on a free loopback port. */
export function launch({ data, env = {}, program = ownProgram }: LaunchOptions): Launched {
  const known = Object.entries(env).filter(
    ([name]) => !name.startsWith('GANTRY_') || program.knows(name),
  );
  const child = spawn(process.execPath, [join(program.root, 'src', 'main.ts')], {
    cwd: program.root,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      ...startEnvOf(program),
      GANTRY_DATA: data,
      GANTRY_HOST: '127.0.0.1',
      GANTRY_PORT: '0',
      ...Object.fromEntries(known),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  const exited = Promise.withResolvers<Exit>();
  const ready = Promise.withResolvers<string>();
  // Who ends it before it is ready does not wait for it.
  ready.promise.catch(() => {});
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const found = /^Gantry is ready at (\S+)$/m.exec(output);
      if (found) ready.resolve(found[1]!);
    });
  }
  child.once('error', (error) => ready.reject(error));
  // Not `exit`: the last lines are still in the pipe then.
  child.once('close', (code, signal) => {
    running.delete(child);
    exited.resolve({ code, signal });
    ready.reject(new Error(`the server ended (${signal ?? code}) before it was ready:\n${output}`));
  });
  return {
    pid: child.pid!,
    ready: ready.promise,
    exited: exited.promise,
    endsWithin(ms) {
      const waiting = new AbortController();
      const late = delay(ms, false, { signal: waiting.signal }).catch(() => false);
      return Promise.race([exited.promise.then(() => true), late]).finally(() => waiting.abort());
    },
    output: () => output,
    async end(signal, withinMs = 20_000) {
      child.kill(signal);
      const hard = setTimeout(() => child.kill('SIGKILL'), withinMs);
      const exit = await exited.promise;
      clearTimeout(hard);
      return exit;
    },
  };
}

/**
 * Starts a server once and ends it by SIGTERM, as those that are only killed never do: Node writes down what it
 * compiled when a process ends in order, and all later starts are quicker.
 */
export async function compileOnce(): Promise<void> {
  if (quickStartEnv === startEnv) return;
  const data = await mkdtemp(join(tmpdir(), 'gantry-compile-'));
  try {
    const server = launch({ data });
    await server.ready;
    await server.end('SIGTERM');
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

export function readBootstrap(data: string): Bootstrap {
  return JSON.parse(readFileSync(join(data, 'bootstrap.json'), 'utf8')) as Bootstrap;
}
