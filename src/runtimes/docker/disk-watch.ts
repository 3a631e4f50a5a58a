import { statfs } from 'node:fs/promises';
import { type EngineCalls, statusOf } from './engine-calls.ts';
import { label } from './labels.ts';
import { findLayer, folderBytes, type WritableLayer, writtenBytes } from './layer-usage.ts';
import { isOfContainer } from './local-process.ts';

/**
 * Ends instances whose writable layer is over its limit, where the engine limits none; where it does, those that
 * have more than that in volumes that their image declares, which no engine limits. Every instance is
 * measured at the interval; the free space of the engine's disk is looked at four times a second, which costs
 * one system call, and where it falls they are measured at once: so one that writes as fast as it can is
 * ended within about a second, and many idle ones cost next to nothing.
 */
export interface DiskWatch {
  /** Ends a container, frozen or not. */
  kill(id: string): Promise<void>;
  close(): Promise<void>;
}

export interface DiskFull {
  readonly id: string;
  readonly instanceId: string;
  /** Bytes. */
  readonly used: number;
  readonly limit: number;
}

export interface DiskWatchOptions {
  readonly engine: EngineCalls;
  readonly installation: string;
  /** Whether the engine itself limits writable layers. */
  readonly quota: boolean;
  /** Whether containers' processes and files are on this machine, and this process may look at them. */
  readonly local: boolean;
  /** The engine's data folder. */
  readonly dataRoot: string;
  /** Milliseconds between two measurements of all. */
  readonly intervalMs: number;
  /** Called before the instance is ended. */
  readonly full: (event: DiskFull) => void;
  readonly tell?: (message: string) => void;
  /** More that is measured with them: bytes on the disk of each, and what is done over its limit. */
  readonly folders?: () => readonly {
    readonly path: string;
    readonly limit: number;
    readonly over: (used: number) => void;
  }[];
}

interface Watched {
  readonly id: string;
  readonly instanceId: string;
  readonly limit: number;
  readonly layer: WritableLayer | undefined;
}

const glanceMs = 250;
/** So much less free space since the last measurement is a reason for another. */
const suspectBytes = 32 * 2 ** 20;
/** Deleted files that are held open are looked for when space falls, and in every so many'th round. */
const openEvery = 6;
const atOnce = 2;
/** Made for a VOLUME of the image, gone with the container. */
const anonymousVolume = /^[0-9a-f]{64}$/;

export function watchDisks(options: DiskWatchOptions): DiskWatch {
  const { engine, installation, dataRoot, tell = () => {} } = options;
  const watched = new Map<string, Watched>();
  const told = new Set<string>();
  let closed = false;
  let round = 0;
  let wake: () => void = () => {};

  async function inspect(id: string): Promise<Watched> {
    const found = await engine.call<{
      State: { Pid: number };
      Config: { Labels: Record<string, string> | null };
      Mounts?: { Type: string; Name?: string; Source: string }[];
      HostsPath?: string;
      HostnamePath?: string;
      ResolvConfPath?: string;
    }>({ method: 'GET', path: `/containers/${id}/json` });
    const labels = found.Config.Labels ?? {};
    const files = [found.HostsPath, found.HostnamePath, found.ResolvConfPath];
    // An image's VOLUME is no way round the limit.
    const folders = (found.Mounts ?? [])
      .filter(({ Type, Name }) => Type === 'volume' && anonymousVolume.test(Name ?? ''))
      .map(({ Source }) => Source);
    const { Pid: pid } = found.State;
    const beside = { files: files.filter((path) => path !== undefined), folders };
    const seen = options.local && pid > 0 && (await isOfContainer(pid, id));
    const limit = Number(labels[label.disk]) || Number.POSITIVE_INFINITY;
    const one = { id, instanceId: labels[label.instance] ?? '' };
    if (!options.quota)
      return { ...one, limit, layer: seen ? await findLayer(pid, beside) : undefined };
    if (!seen || folders.length === 0)
      return { ...one, limit: Number.POSITIVE_INFINITY, layer: undefined };
    return { ...one, limit, layer: { pid, ...beside } };
  }

  /** By the engine's own count where it is not on this machine. */
  async function measureOne(one: Watched, open: boolean): Promise<number> {
    if (one.layer) return writtenBytes(one.layer, { open });
    const found = await engine.call<{ SizeRw?: number }>({
      method: 'GET',
      path: `/containers/${one.id}/json`,
      query: { size: true },
    });
    return found.SizeRw ?? 0;
  }

  /** Running ones of this installation; what ended is forgotten. */
  async function look(): Promise<void> {
    const filters = { label: [`${label.installation}=${installation}`], status: ['running'] };
    const listed = await engine.call<{ Id: string }[]>({
      method: 'GET',
      path: '/containers/json',
      query: { filters: JSON.stringify(filters) },
    });
    const running = new Set(listed.map(({ Id }) => Id));
    for (const id of watched.keys()) if (!running.has(id)) watched.delete(id);
    for (const id of running) {
      if (closed) return;
      if (watched.has(id)) continue;
      const one = await inspect(id).catch(() => undefined);
      if (one) watched.set(id, one);
    }
  }

  async function check(one: Watched, open: boolean): Promise<void> {
    const used = await measureOne(one, open);
    if (used <= one.limit) return;
    watched.delete(one.id);
    const { id, instanceId, limit } = one;
    options.full({ id, instanceId, used, limit });
    await kill(id);
  }

  async function kill(id: string): Promise<void> {
    const post = (what: string) =>
      engine.call({ method: 'POST', path: `/containers/${id}/${what}` });
    try {
      await post('kill');
    } catch (error) {
      // Gone, or not running: as wished. A frozen one is killed once it is thawed.
      if (statusOf(error) === 404) return;
      await post('unpause')
        .then(() => post('kill'))
        .catch(() => {});
    }
  }

  async function measureAll(open: boolean): Promise<void> {
    await look();
    const left = [...watched.values()].filter(({ limit }) => Number.isFinite(limit));
    const worker = async () => {
      for (let one = left.pop(); one && !closed; one = left.pop()) {
        // One that ended meanwhile, or whose folder cannot be read, keeps no other from being measured.
        await check(one, open).catch((error: Error) => complain(error.message));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    for (const { path, limit, over } of options.folders?.() ?? []) {
      const used = await folderBytes(path).catch(() => 0);
      if (used > limit) over(used);
    }
  }

  function complain(message: string): void {
    if (told.has(message) || told.size > 100 || /no such container/i.test(message)) return;
    told.add(message);
    tell(`The disk of an instance was not measured: ${message}`);
  }

  const free = async () => {
    if (!options.local) return 0;
    const found = await statfs(dataRoot).catch(() => undefined);
    return found ? found.bfree * found.bsize : 0;
  };

  async function loop(): Promise<void> {
    let before = await free();
    let next = 0;
    let resting = 0;
    while (!closed) {
      const now = performance.now();
      const space = await free();
      const falls = before - space >= suspectBytes;
      if (now >= next || (falls && now >= resting)) {
        before = space;
        await measureAll(falls || round++ % openEvery === 0).catch((error) =>
          complain((error as Error).message),
        );
        const done = performance.now();
        next = done + options.intervalMs;
        // At most a third of the time, however long it takes.
        resting = done + Math.min(2 * (done - now), options.intervalMs);
      } else if (space > before) before = space;
      await pause(options.local ? glanceMs : options.intervalMs);
    }
  }

  function pause(ms: number): Promise<void> {
    if (closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  const ended = loop();
  return {
    kill,
    async close() {
      closed = true;
      wake();
      await ended;
    },
  };
}
