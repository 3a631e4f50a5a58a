/** A server that a test starts and ends: its output goes to a file, its end is by its own process id. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface DaemonOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly log: string;
  /** Whether it takes requests now. */
  readonly ready: () => Promise<boolean> | boolean;
  readonly startMs?: number;
  readonly stopMs?: number;
}

export interface Daemon {
  readonly pid: number;
  /** Resolves when it has ended, however it does. */
  readonly ended: Promise<void>;
  /** Last part of what it printed. */
  tail(): string;
  /** SIGTERM, and SIGKILL where it has not ended within `stopMs`; tells how it ended. */
  stop(): Promise<{ readonly code: number | undefined; readonly killed: boolean }>;
}

export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { program, args, env, log, ready, startMs = 30_000, stopMs = 20_000 } = options;
  const output = openSync(log, 'a');
  const child = spawn(program, args, { env, stdio: ['ignore', output, output] });
  closeSync(output);
  // A test process that ends early, for whatever reason, leaves no server behind.
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  let ended: { code: number | undefined } | undefined;
  const end = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', (code) => {
      ended = { code: code ?? undefined };
      process.off('exit', killAtExit);
      resolve();
    });
  });
  const tail = () => readFileSync(log, 'utf8').slice(-6000);

  const deadline = performance.now() + startMs;
  while (!(await ready())) {
    if (ended || child.pid === undefined)
      throw new Error(`${program} ended at its start\n${tail()}`);
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${program} was not ready after ${startMs / 1000} s\n${tail()}`);
    }
    await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 50))]);
  }
  return {
    pid: child.pid!,
    ended: end,
    tail,
    async stop() {
      let killed = false;
      child.kill('SIGTERM');
      const timer = setTimeout(() => {
        killed = true;
        child.kill('SIGKILL');
      }, stopMs);
      await end;
      clearTimeout(timer);
      return { code: ended?.code, killed };
    },
  };
}
