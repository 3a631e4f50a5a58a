import {
  type InstanceExit,
  type InstanceSpec,
  RuntimeError,
  type RuntimeInstance,
} from '../../ports/runtime-driver.ts';
import type { Cgroups } from './cgroup.ts';
import { containerSpec } from './container-spec.ts';
import type { CopiedFiles } from './copied-files.ts';
import { type Engine, EngineError, moment } from './engine.ts';
import { Freezer } from './freezer.ts';
import type { GivenGpus, GpuPool } from './gpu-pool.ts';
import { exitOf, type Inspected, instanceOf, stateOf } from './inspected.ts';
import { listInstances } from './list-instances.ts';
import type { Networks } from './networks.ts';
import { later, nextEnd, pathOf } from './next-end.ts';
import { hasStatus, isAbsent, noSuchInstance, refused, withHint } from './refusals.ts';
import type { DockerVolumes, EngineMount } from './volumes.ts';

export interface InstancesDeps {
  readonly engine: Engine;
  readonly networks: Networks;
  readonly volumes: DockerVolumes;
  readonly installation: string;
  readonly diskQuota: boolean;
  /** Name servers of instances; none: the host's. */
  readonly dns: readonly string[];
  readonly gpus: GpuPool;
  readonly cgroups: Cgroups;
  /** Where files of this machine cannot be mounted; undefined: they are. */
  readonly copied: CopiedFiles | undefined;
}

/** What the driver remembers of one that runs: so that a probe asks the engine nothing. */
export interface Whereabouts {
  readonly address: string | undefined;
  /** On the engine's machine. */
  readonly pid: number;
}

/** Makes, starts, freezes, ends and lists containers. */
export class Instances {
  readonly #deps: InstancesDeps;
  readonly #whereabouts = new Map<string, Whereabouts>();
  readonly #freezer: Freezer;

  constructor(deps: InstancesDeps) {
    this.#deps = deps;
    const { engine, cgroups } = deps;
    this.#freezer = new Freezer({ engine, cgroups, whereabouts: (id) => this.whereabouts(id) });
  }

  async create(spec: InstanceSpec): Promise<RuntimeInstance> {
    const mounts = await Promise.all(
      spec.mounts.map((mount) => this.#deps.volumes.mountOf(mount, spec.network.projectId)),
    );
    const gpus = spec.gpu && (await this.#deps.gpus.take(spec.gpu));
    try {
      return await this.#createIn(spec, mounts, gpus);
    } finally {
      gpus?.release();
    }
  }

  async #createIn(
    spec: InstanceSpec,
    mounts: readonly EngineMount[],
    gpus: GivenGpus | undefined,
  ): Promise<RuntimeInstance> {
    const { networks, diskQuota, dns } = this.#deps;
    const { projectId, egress } = spec.network;
    for (let attempt = 1; ; attempt++) {
      const network = await networks.ensureNetwork(projectId, egress).catch((error) => {
        throw refused(error, {});
      });
      try {
        const local = !this.#deps.copied;
        const body = containerSpec({ spec, network, mounts, diskQuota, dns, gpus, local });
        return await this.#create(spec, body);
      } catch (error) {
        // Someone removed the network since it was made.
        if (attempt === 1 && hasStatus(error, 404) && /network/i.test(error.message)) {
          networks.forget(network);
          continue;
        }
        if (hasStatus(error, 404)) {
          const message = `The image ${spec.image} is not there (any more): ${error.message}`;
          throw new RuntimeError('no-such-image', message, { cause: error });
        }
        throw refused(withHint(error), {
          ...{ 400: 'invalid-spec', 409: 'invalid-spec', 500: 'invalid-spec' },
        });
      }
    }
  }

  async #create(spec: InstanceSpec, body: object): Promise<RuntimeInstance> {
    const { Id } = await this.#deps.engine.call<{ Id: string }>({
      method: 'POST',
      path: '/containers/create',
      query: { name: spec.instanceId },
      body,
      slow: true,
    });
    await this.#deps.copied?.put(Id, spec.files).catch(async (error) => {
      await this.remove(Id).catch(() => {});
      throw error;
    });
    return {
      id: Id,
      instanceId: spec.instanceId,
      labels: spec.labels,
      state: 'created',
      address: undefined,
      exit: undefined,
      files: spec.files.map(({ path, source }) => ({ path, source })),
    };
  }

  async start(id: string): Promise<RuntimeInstance> {
    try {
      await this.#deps.engine.call({ method: 'POST', path: `${pathOf(id)}/start`, slow: true });
    } catch (error) {
      if (isAbsent(error)) throw noSuchInstance(id);
      // Someone removed it: the next instance is made in a new one.
      const network = /network (\S+) not found/i.exec((error as Error).message)?.[1];
      if (network) this.#deps.networks.forget(network);
      throw refused(error, {
        400: 'start-failed',
        404: 'start-failed',
        409: 'start-failed',
        500: 'start-failed',
      });
    }
    const inspected = await this.inspect(id);
    const instance = instanceOf(inspected);
    if (!instance) throw noSuchInstance(id);
    return instance;
  }

  /** Rejects with `no-such-instance` or `unavailable`. */
  async inspect(id: string, query: { size?: boolean } = {}): Promise<Inspected> {
    try {
      const inspected = await this.#deps.engine.call<Inspected>({
        method: 'GET',
        path: `${pathOf(id)}/json`,
        query,
      });
      const { Running, Pid } = inspected.State;
      if (Running) {
        const address = instanceOf(inspected)?.address;
        this.#whereabouts.set(inspected.Id, { address, pid: Pid });
      } else this.forget(inspected.Id);
      return inspected;
    } catch (error) {
      // An engine that does not answer has moved nothing.
      if (!hasStatus(error, 404)) throw refused(error, {});
      this.forget(id);
      throw noSuchInstance(id);
    }
  }

  /** Where one that runs is. Rejects with `no-such-instance`, also where it does not run. */
  async whereabouts(id: string): Promise<Whereabouts> {
    const known = this.#whereabouts.get(id);
    if (known) return known;
    await this.inspect(id);
    const found = this.#whereabouts.get(id);
    if (!found) throw new RuntimeError('no-such-instance', `The container ${id} does not run.`);
    return found;
  }

  /** It moved, or ended. */
  forget(id: string): void {
    this.#whereabouts.delete(id);
    this.#freezer.forget(id);
  }

  async freeze(id: string): Promise<void> {
    await this.#freezer.freeze(id);
  }

  async thaw(id: string): Promise<void> {
    await this.#freezer.thaw(id);
  }

  isFrozen(id: string): Promise<boolean> {
    return this.#freezer.isFrozen(id);
  }

  async signal(id: string, signal: string): Promise<void> {
    const request = { method: 'POST', path: `${pathOf(id)}/kill`, query: { signal } } as const;
    // It would hear it once it is thawed.
    if (await this.isFrozen(id)) await this.thaw(id).catch(ignoreGone);
    try {
      await this.#deps.engine.call(request);
    } catch (error) {
      if (isAbsent(error)) return;
      if (error instanceof EngineError && /not running/i.test(error.message)) return;
      if (error instanceof EngineError && /paused/i.test(error.message)) {
        await this.thaw(id);
        return this.signal(id, signal);
      }
      throw refused(error, { 400: 'invalid-spec' });
    }
  }

  async wait(id: string, signal?: AbortSignal): Promise<InstanceExit> {
    const ended = await nextEnd(this.#deps.engine, id, signal);
    // The wait is in place: an end from here on is not missed, one from before is seen here.
    const { State } = await this.inspect(id).catch((error) => {
      ended.cancel();
      throw error;
    });
    const state = stateOf(State.Status);
    if (state === 'ended') {
      ended.cancel();
      return exitOf(State);
    }
    const code = await ended.code;
    this.forget(id);
    try {
      return exitOf((await this.inspect(id)).State);
    } catch (error) {
      // Removed at once: whether it was for its memory is not known any more.
      if ((error as RuntimeError).failure === 'no-such-instance') {
        return { code, outOfMemory: false };
      }
      throw error;
    }
  }

  async stop(id: string, graceMs: number): Promise<InstanceExit> {
    const { State } = await this.inspect(id);
    // It has nothing to end.
    if (stateOf(State.Status) === 'created') return { code: 0, outOfMemory: false };
    const abort = new AbortController();
    const ended = this.wait(id, abort.signal);
    ended.catch(() => {});
    try {
      await this.signal(id, 'SIGTERM');
      const inTime = await Promise.race([ended, later(graceMs, abort.signal)]);
      if (inTime) return inTime;
      await this.signal(id, 'SIGKILL');
      const exit = await Promise.race([ended, later(killLimit, abort.signal)]);
      if (exit) return { ...exit, killed: true };
      throw new RuntimeError('unavailable', `The container ${id} does not end by SIGKILL.`);
    } finally {
      abort.abort();
    }
  }

  async remove(id: string): Promise<void> {
    const query = { force: true, v: true };
    const remove = { method: 'DELETE', path: pathOf(id), query, slow: true } as const;
    // Older runtimes wait in vain for the end of what is frozen.
    if (this.#whereabouts.has(id) && (await this.isFrozen(id))) {
      await this.thaw(id).catch(() => {});
    }
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#deps.engine.call(remove);
        break;
      } catch (error) {
        if (hasStatus(error, 404)) break;
        // Someone else is at it, or the kernel still holds its layer for a moment.
        if (!hasStatus(error, 409, 500) || attempt === 20) throw refused(error, {});
        await moment(attempt * 10);
      }
    }
    this.forget(id);
    this.#deps.copied?.forget(id);
  }

  async list(): Promise<RuntimeInstance[]> {
    const { engine, installation, copied } = this.#deps;
    const found = await listInstances(engine, installation, {
      inspect: (id) => this.inspect(id),
      isFrozen: (id) => this.isFrozen(id),
    });
    for (const { id, state, files } of found)
      if (state !== 'ended' && files) copied?.follow(id, files);
    return found;
  }
}

/** How long the engine may take to end one by SIGKILL. */
const killLimit = 30_000;

function ignoreGone(error: unknown): void {
  if ((error as RuntimeError).failure !== 'no-such-instance') throw error;
}
