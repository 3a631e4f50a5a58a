import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RuntimeError } from '../../../ports/runtime-driver.ts';
import type { EngineCalls } from '../engine-calls.ts';
import { type RunProgram, runProgram } from '../network-guard/nft.ts';
import { type BucketMount, mountBucket, removeFolder, removeLeft } from './bucket-mount.ts';
import { makePrivate, mountPoints, unmountAll } from './mounts.ts';
import { type BucketSource, cacheLimit, checkSource, whyNoBuckets } from './rclone.ts';

/** Buckets that are mounted on this machine, each by an rclone of its own. */
export interface Buckets {
  /** Why there are none here; undefined: there are. */
  readonly problem: string | undefined;
  /** Rejects with `invalid-spec`. Another place or other credentials take the place of the former. */
  ensure(name: string, projectId: string, source: BucketSource): Promise<void>;
  /** The folder to mount, or undefined where there is no such volume of the project. */
  folderOf(name: string, projectId: string, readOnly: boolean): string | undefined;
  has(name: string): boolean;
  names(): Promise<string[]>;
  /** Rejects with `in-use`. */
  remove(name: string): Promise<void>;
  /** Unmounts those that no container names. */
  sweep(): Promise<void>;
  /** What they keep on the disk, each with its limit. */
  caches(): { readonly path: string; readonly limit: number; readonly over: () => void }[];
  /** Those that containers use stay, for a later process. */
  close(): Promise<void>;
}

export interface BucketsOptions {
  readonly engine: EngineCalls;
  /** Its path is the same on the engine's machine. Undefined: none are mounted. */
  readonly folder: string | undefined;
  readonly tell: (message: string) => void;
  readonly run?: RunProgram;
}

interface Held {
  readonly mount: BucketMount;
  readonly projectId: string;
  readonly fingerprint: string;
  askedAt: number;
}

/** A volume that was asked for may get its container this much later. */
const idleMs = 10 * 60_000;

export async function openBuckets(options: BucketsOptions): Promise<Buckets> {
  const { engine, tell, run = runProgram } = options;
  const held = new Map<string, Held>();
  const queues = new Map<string, Promise<unknown>>();
  const folder = options.folder ?? '';
  const problem =
    options.folder === undefined
      ? 'Bucket volumes need the container engine on this machine.'
      : await whyNoBuckets();
  let prepared: Promise<void> | undefined;

  async function prepare(): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    await makePrivate(folder, run);
  }

  /** One at a time for a volume. */
  function inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const mine = (queues.get(name) ?? Promise.resolve()).then(work);
    const settled = mine.catch(() => {});
    queues.set(name, settled);
    void settled.then(() => {
      if (queues.get(name) === settled) queues.delete(name);
    });
    return mine;
  }

  /** Containers, running or not, that have it mounted. */
  async function users(name: string): Promise<number> {
    const shown = ['live', 'live-ro'].map((one) => join(folder, name, one));
    const filters = JSON.stringify({ volume: shown });
    const query = { all: true, filters };
    return (await engine.call<unknown[]>({ method: 'GET', path: '/containers/json', query }))
      .length;
  }

  async function begin(name: string, projectId: string, source: BucketSource): Promise<void> {
    const fingerprint = fingerprintOf(source);
    const former = held.get(name);
    if (former?.fingerprint === fingerprint) {
      former.askedAt = Date.now();
      return;
    }
    former?.mount.leave();
    held.delete(name);
    const place = join(folder, name);
    await mkdir(place, { recursive: true, mode: 0o700 });
    const mount = await mountBucket({ folder: place, source, run, tell });
    held.set(name, { mount, projectId, fingerprint, askedAt: Date.now() });
  }

  return {
    problem,
    async ensure(name, projectId, source) {
      if (problem !== undefined) throw new RuntimeError('invalid-spec', problem);
      checkSource(source);
      prepared ??= prepare();
      await prepared.catch((error: Error) => {
        prepared = undefined;
        throw new RuntimeError('invalid-spec', error.message, { cause: error });
      });
      await inTurn(name, () => begin(name, projectId, source));
    },
    folderOf(name, projectId, readOnly) {
      const found = held.get(name);
      if (!found || found.projectId !== projectId) return undefined;
      found.askedAt = Date.now();
      return readOnly ? found.mount.liveReadOnly : found.mount.live;
    },
    has: (name) => held.has(name),
    names: () => (folder === '' ? Promise.resolve([]) : readdir(folder).catch(() => [])),
    remove: (name) =>
      inTurn(name, async () => {
        const place = join(folder, name);
        if (folder === '' || !existsSync(place)) return;
        if ((await users(name)) > 0)
          throw new RuntimeError('in-use', `Instances have the volume ${name} mounted.`);
        const found = held.get(name);
        if (!found) return removeLeft(place, run);
        await found.mount.stop();
        held.delete(name);
        await removeFolder(place);
      }),
    async sweep() {
      for (const [name, found] of held) {
        if (found.askedAt > Date.now() - idleMs) continue;
        await inTurn(name, async () => {
          if (held.get(name) !== found || (await users(name)) > 0) return;
          await found.mount.stop();
          held.delete(name);
        });
      }
    },
    caches: () =>
      [...held].map(([name, { mount }]) => ({
        path: mount.cache,
        limit: cacheLimit,
        over() {
          tell(`The volume ${name} holds more unsent bytes than it may: they are dropped.`);
          void mount.restart({ emptied: true }).catch((error: Error) => tell(error.message));
        },
      })),
    async close() {
      await Promise.all(
        [...held].map(async ([name, { mount }]) => {
          // An engine that does not say: whatever runs keeps its volume.
          if ((await users(name).catch(() => 1)) > 0) return mount.leave();
          await mount.stop();
        }),
      );
      held.clear();
      const mounts = await mountPoints();
      if (prepared && !mounts.some((path) => path.startsWith(`${folder}/`)))
        await unmountAll(folder, run).catch(() => {});
    },
  };
}

function fingerprintOf(source: BucketSource): string {
  return createHash('sha256').update(JSON.stringify(source)).digest('hex');
}
