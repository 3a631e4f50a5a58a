/** Programs that the bench starts, and what they cost by the kernel's own count (Linux: /proc). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Of /proc/<pid>/stat: sysconf(_SC_CLK_TCK), which Linux fixes at 100 for what it tells user space. */
const ticksPerSecond = 100;

export interface Program {
  readonly pid: number;
  /** The last that it wrote to standard error and output. */
  words(): string;
  ended(): boolean;
  /** SIGTERM, then SIGKILL after five seconds; resolves when it is gone. */
  stop(): Promise<void>;
}

export function startProgram(
  path: string,
  args: readonly string[],
  options: { env: Readonly<Record<string, string>>; cwd?: string },
): Program {
  const child: ChildProcess = spawn(path, args, {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...options.env },
    ...(options.cwd ? { cwd: options.cwd } : {}),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let words = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (bytes: Buffer) => {
      words = (words + bytes).slice(-2_000);
    });
  }
  let ended = false;
  const closed = once(child, 'close').then(
    () => {
      ended = true;
    },
    (error: unknown) => {
      ended = true;
      words += String(error);
    },
  );
  return {
    pid: child.pid ?? 0,
    words: () => words.trim(),
    ended: () => ended,
    async stop() {
      if (ended) return;
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await closed;
      clearTimeout(hard);
    },
  };
}

export interface CpuSeconds {
  /** All threads of the process. */
  readonly own: number;
  /** Processes below it, those that have ended included. */
  readonly children: number;
}

export function cpuSeconds(pid: number): CpuSeconds {
  const { own, reaped } = statOf(pid);
  let children = reaped;
  for (const child of childrenOf(pid)) {
    const below = cpuSeconds(child);
    children += below.own + below.children;
  }
  return { own, children };
}

function statOf(pid: number): { own: number; reaped: number } {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return { own: 0, reaped: 0 };
  }
  // The second field is the name in parentheses, which may hold spaces: fields are counted after it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const seconds = (from: number) =>
    (Number(fields[from]) + Number(fields[from + 1])) / ticksPerSecond;
  return { own: seconds(11), reaped: seconds(13) };
}

function childrenOf(pid: number): number[] {
  const found: number[] = [];
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1');
      found.push(...text.split(' ').filter(Boolean).map(Number));
    }
  } catch {
    // It ended meanwhile: what it cost is in its parent's count.
  }
  return found;
}

/** CPU seconds of a process and those below it by the scheduler's own clock: of short turns, too. Ended threads do not count. */
export function preciseCpuSeconds(pid: number): number {
  let nanoseconds = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1');
      nanoseconds += Number(text.split(' ')[0]);
    }
  } catch {
    // It ended meanwhile.
  }
  return childrenOf(pid).reduce((sum, child) => sum + preciseCpuSeconds(child), nanoseconds / 1e9);
}

/** From now on the most that was resident is counted anew. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Resident bytes, now and at the most. */
export function residentBytes(pid: number): { now: number; peak: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { now: field('VmRSS'), peak: field('VmHWM') };
}

/** Bytes that the process handed to write calls of any kind, sockets included. */
export function writtenBytes(pid: number): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1] ?? 0);
}
