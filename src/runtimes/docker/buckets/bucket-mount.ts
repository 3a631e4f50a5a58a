import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RuntimeError } from '../../../ports/runtime-driver.ts';
import type { RunProgram } from '../network-guard/nft.ts';
import { isMounted, makeReadOnly, mountPoints, showAt, unmountAll } from './mounts.ts';
import { type BucketSource, startRclone } from './rclone.ts';

/**
 * One volume's folder:
 *
 *   live, live-ro   what instances have mounted; each mount of the volume is put over the former
 *   at-<n>          where the n'th rclone mounts it
 *   cache           objects that are read or not yet sent: the next rclone goes on with them
 *   pid             of the present rclone, which may outlive Gantry
 */
export interface BucketMount {
  readonly live: string;
  readonly liveReadOnly: string;
  readonly cache: string;
  /** Ends rclone, which another takes the place of; `emptied`: without what it had not sent. */
  restart(options: { readonly emptied: boolean }): Promise<void>;
  /** Sends what is not sent, and unmounts. Nothing may use it any more. */
  stop(): Promise<void>;
  /** Leaves it as it is, for a later process to take over. */
  leave(): void;
}

const mountMs = 20_000;
const endMs = 15_000;
const longestPauseMs = 30_000;

/** Rejects with `invalid-spec` and rclone's last words where it cannot be mounted. */
export async function mountBucket(options: {
  readonly folder: string;
  readonly source: BucketSource;
  readonly run: RunProgram;
  readonly tell: (message: string) => void;
}): Promise<BucketMount> {
  const { folder, source, run, tell } = options;
  const live = join(folder, 'live');
  const liveReadOnly = join(folder, 'live-ro');
  const cache = join(folder, 'cache');
  const pidFile = join(folder, 'pid');
  let child: ChildProcess | undefined;
  let words = '';
  let leaving = false;
  let mounting: Promise<void> | undefined;
  for (const one of [live, liveReadOnly, cache]) {
    // A dead mount is there, though it cannot be looked at.
    if (!(await isMounted(one))) await mkdir(one, { recursive: true, mode: 0o700 });
  }
  await endFormer(pidFile, folder);
  let generation = await removeFormer(folder, run);

  async function begin(): Promise<void> {
    const at = join(folder, `at-${++generation}`);
    await mkdir(at, { mode: 0o700 });
    words = '';
    const started = startRclone(source, { mount: at, cache });
    child = started;
    started.stderr!.on('data', (bytes: Buffer) => {
      words = (words + bytes).slice(-1_000);
    });
    let ended = false;
    started.once('error', (error) => {
      words = error.message;
      ended = true;
    });
    started.once('close', () => {
      ended = true;
    });
    if (started.pid) await writeFile(pidFile, String(started.pid), { mode: 0o600 });
    const deadline = performance.now() + mountMs;
    while (!(await isMounted(at))) {
      if (!ended && performance.now() < deadline) {
        await delay(25);
        continue;
      }
      started.kill('SIGKILL');
      await rmdir(at).catch(() => {});
      throw new RuntimeError('invalid-spec', `The bucket cannot be mounted: ${lastWords()}`);
    }
    await showAt(live, at, run);
    await makeReadOnly(at, run);
    await showAt(liveReadOnly, at, run);
    // It is held by what shows it.
    await unmountAll(at, run);
    await rmdir(at).catch(() => {});
    started.unref();
    (started.stderr as Socket).unref();
    started.once('close', () => {
      if (!leaving && child === started) void again();
    });
    if (ended && !leaving) void again();
  }

  function lastWords(): string {
    return words.trim().split('\n').at(-1) || `rclone did not mount it within ${mountMs / 1000} s`;
  }

  /** It crashed: another, at once, and then less and less often. */
  function again(): Promise<void> {
    mounting ??= (async () => {
      tell(`A bucket's mount ended and is made anew: ${words.trim().split('\n').at(-1) ?? ''}`);
      for (let pause = 250; !leaving; pause = Math.min(2 * pause, longestPauseMs)) {
        try {
          await begin();
          return;
        } catch (error) {
          tell((error as Error).message);
          await delay(pause, undefined, { ref: false });
        }
      }
    })().finally(() => {
      mounting = undefined;
    });
    return mounting;
  }

  async function end(): Promise<void> {
    const ending = child;
    child = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    ending.kill('SIGTERM');
    const late = setTimeout(() => ending.kill('SIGKILL'), endMs);
    await once(ending, 'close').finally(() => clearTimeout(late));
  }

  await begin();
  return {
    live,
    liveReadOnly,
    cache,
    async restart({ emptied }) {
      await mounting;
      const ending = child;
      child = undefined;
      ending?.kill('SIGKILL');
      if (ending && ending.exitCode === null && ending.signalCode === null)
        await once(ending, 'close');
      if (emptied) await rm(cache, { recursive: true, force: true });
      await mkdir(cache, { recursive: true, mode: 0o700 });
      await again();
    },
    async stop() {
      leaving = true;
      await mounting;
      for (const deadline = performance.now() + endMs; await hasUnsent(cache); await delay(100))
        if (performance.now() > deadline) break;
      await unmountAll(live, run);
      await unmountAll(liveReadOnly, run);
      await end();
      await rm(pidFile, { force: true });
    },
    leave() {
      leaving = true;
      child?.stderr?.destroy();
    },
  };
}

/** Ends and removes what a process that is gone left of a volume. Nothing may use it any more. */
export async function removeLeft(folder: string, run: RunProgram): Promise<void> {
  await endFormer(join(folder, 'pid'), folder);
  await unmountAll(join(folder, 'live'), run);
  await unmountAll(join(folder, 'live-ro'), run);
  await removeFormer(folder, run);
  await removeFolder(folder);
}

/** Not while anything is mounted below: the objects of the bucket would be removed through it. */
export async function removeFolder(folder: string): Promise<void> {
  const mounted = (await mountPoints()).find((path) => path.startsWith(`${folder}/`));
  if (mounted !== undefined) throw new Error(`${mounted} is still mounted.`);
  await rm(folder, { recursive: true, force: true });
}

/** Whether objects wait to be sent: rclone says so in a file beside each. */
async function hasUnsent(cache: string): Promise<boolean> {
  const folder = join(cache, 'vfsMeta');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const text = await readFile(join(entry.parentPath, entry.name), 'utf8').catch(() => '');
    if (/"Dirty":\s*true/.test(text)) return true;
  }
  return false;
}

/** An rclone of a Gantry that is gone: what it has not sent, the next one sends. */
async function endFormer(pidFile: string, folder: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (!pid) return;
  const runs = async () =>
    (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes(`${folder}/at-`);
  // The number may be another process's by now.
  if (!(await runs())) return;
  process.kill(pid, 'SIGKILL');
  for (const deadline = performance.now() + 5_000; (await runs()) && performance.now() < deadline; )
    await delay(20);
}

/** Gives the highest number that was used. */
async function removeFormer(folder: string, run: RunProgram): Promise<number> {
  let highest = 0;
  for (const name of await readdir(folder)) {
    const number = Number(/^at-(\d+)$/.exec(name)?.[1]);
    if (!number) continue;
    highest = Math.max(highest, number);
    await unmountAll(join(folder, name), run).catch(() => {});
    await rmdir(join(folder, name)).catch(() => {});
  }
  return highest;
}
