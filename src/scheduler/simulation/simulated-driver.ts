import { Readable } from 'node:stream';
import {
  type InstanceExit,
  type InstanceSpec,
  type PortProbe,
  type PreparedImage,
  type RuntimeCapabilities,
  type RuntimeDriver,
  RuntimeError,
  type RuntimeEvent,
  type RuntimeInstance,
  type RuntimeLogLine,
} from '../../ports/runtime-driver.ts';
import { pause, type Timers } from '../timers.ts';
import { EventChannel } from './event-channel.ts';

/** How an image behaves; milliseconds. */
export interface SimulatedImage {
  readonly bootMs?: number;
  readonly listens?: 'everywhere' | 'loopback-only' | 'nowhere';
  /** It ends so long after its start. */
  readonly exits?: {
    readonly afterMs: number;
    readonly code: number;
    readonly outOfMemory?: boolean;
  };
  /** It takes so long after SIGTERM to end; past the grace it is killed. */
  readonly stopsMs?: number;
  readonly logs?: readonly string[];
}

export interface SimulatedTimes {
  readonly pullMs: number;
  readonly createMs: number;
  readonly startMs: number;
  readonly freezeMs: number;
}

interface Container {
  runtime: RuntimeInstance;
  readonly image: SimulatedImage;
  listensAt: number;
  readonly ended: PromiseWithResolvers<InstanceExit>;
}

/**
 * An engine without containers, on simulated time. `mode`: `down` refuses everything, `hung` answers nothing until
 * it is `up` again.
 */
export class SimulatedDriver implements RuntimeDriver {
  readonly kind = 'simulated';
  readonly containers = new Map<string, Container>();
  /** Calls by name, for tests to count. */
  readonly calls: Record<string, number> = {};
  mode: 'up' | 'down' | 'hung' = 'up';
  /** By digest. */
  readonly behaviours = new Map<string, SimulatedImage>();
  readonly prepared = new Set<string>();
  times: SimulatedTimes = { pullMs: 500, createMs: 20, startMs: 80, freezeMs: 5 };
  /** Events are lost while it is false. */
  connected = true;
  readonly #timers: Timers;
  readonly #channel = new EventChannel<RuntimeEvent>();
  #ids = 0;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  async prepare(image: { digest: string; repository: string }): Promise<PreparedImage> {
    await this.#enter('prepare');
    const cached = this.prepared.has(image.digest);
    if (!cached) await pause(this.#timers, this.times.pullMs);
    this.prepared.add(image.digest);
    return {
      id: image.digest,
      cached,
      pullMs: cached ? 0 : this.times.pullMs,
      platform: 'linux/amd64',
      size: 1,
      config: {
        user: '',
        workingDir: '',
        entrypoint: [],
        command: [],
        env: {},
        labels: {},
        exposedPorts: [],
      },
    };
  }

  async create(spec: InstanceSpec): Promise<RuntimeInstance> {
    await this.#enter('create');
    if (!this.prepared.has(spec.image)) throw new RuntimeError('no-such-image', 'no such image');
    await this.#takes(this.times.createMs);
    const id = `c${++this.#ids}`;
    const runtime: RuntimeInstance = {
      id,
      instanceId: spec.instanceId,
      labels: spec.labels,
      state: 'created',
      address: undefined,
      exit: undefined,
    };
    const image = this.behaviours.get(spec.image) ?? {};
    const ended = Promise.withResolvers<InstanceExit>();
    this.containers.set(id, { runtime, image, listensAt: Number.POSITIVE_INFINITY, ended });
    return runtime;
  }

  async start(id: string): Promise<RuntimeInstance> {
    await this.#enter('start');
    const container = this.#container(id);
    await this.#takes(this.times.startMs);
    const { image } = container;
    container.runtime = { ...container.runtime, state: 'running', address: '10.0.0.1' };
    container.listensAt = this.#timers.now() + (image.bootMs ?? 20);
    const { exits } = image;
    if (exits) {
      const { code, outOfMemory = false } = exits;
      this.#timers.after(exits.afterMs, () => this.exit(id, { code, outOfMemory }));
    }
    return container.runtime;
  }

  async probe(id: string): Promise<PortProbe> {
    await this.#enter('probe');
    const { runtime, image, listensAt } = this.#container(id);
    if (runtime.state !== 'running') throw new RuntimeError('no-such-instance', 'it does not run');
    const listening = image.listens ?? 'everywhere';
    const dial = 'dial tcp 10.0.0.1:80: getsockopt: connection refused';
    if (this.#timers.now() < listensAt) return { listening: 'nowhere', dial };
    return listening === 'everywhere' ? { listening } : { listening, dial };
  }

  async freeze(id: string): Promise<void> {
    await this.#enter('freeze');
    const container = this.#container(id);
    await this.#takes(this.times.freezeMs);
    if (container.runtime.state !== 'running') throw new RuntimeError('no-such-instance', 'ended');
    container.runtime = { ...container.runtime, state: 'frozen' };
  }

  async thaw(id: string): Promise<void> {
    await this.#enter('thaw');
    const container = this.#container(id);
    await this.#takes(this.times.freezeMs);
    if (container.runtime.state === 'ended') throw new RuntimeError('no-such-instance', 'ended');
    container.runtime = { ...container.runtime, state: 'running' };
  }

  async stop(id: string, graceMs: number): Promise<InstanceExit> {
    await this.#enter('stop');
    const container = this.#container(id);
    const { stopsMs = 10 } = container.image;
    const killed = stopsMs > graceMs;
    this.#timers.after(Math.min(stopsMs, graceMs), () =>
      this.exit(id, { code: killed ? 137 : 0, outOfMemory: false, killed }),
    );
    return container.ended.promise;
  }

  async wait(id: string, signal?: AbortSignal): Promise<InstanceExit> {
    const { ended } = this.#container(id);
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([ended.promise, aborted.promise]);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  async remove(id: string): Promise<void> {
    await this.#enter('remove');
    const container = this.containers.get(id);
    if (!container) return;
    this.exit(id, { code: 137, outOfMemory: false });
    this.containers.delete(id);
    this.#tell('removed', container.runtime);
  }

  async list(): Promise<RuntimeInstance[]> {
    await this.#enter('list');
    return [...this.containers.values()].map(({ runtime }) => runtime);
  }

  async *events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    await this.#enter('events');
    yield* this.#channel.listen(signal);
  }

  async *logs(id: string): AsyncIterable<RuntimeLogLine> {
    for (const text of this.#container(id).image.logs ?? [])
      yield { at: 0, stream: 'stdout', text };
  }

  /** A container ends by itself. */
  exit(id: string, exit: InstanceExit): void {
    const container = this.containers.get(id);
    if (!container || container.runtime.state === 'ended') return;
    const ran = container.runtime.state !== 'created';
    container.runtime = { ...container.runtime, state: 'ended', address: undefined, exit };
    container.ended.resolve(exit);
    if (ran) this.#tell('ended', container.runtime, exit);
  }

  /** As a restart of the engine: all that ran has ended, and who listened is cut off. */
  restart(): void {
    this.breakEvents();
    this.connected = false;
    for (const { runtime } of this.containers.values()) {
      if (runtime.state === 'running' || runtime.state === 'frozen') {
        this.exit(runtime.id, { code: 137, outOfMemory: false });
      }
    }
    this.connected = true;
  }

  breakEvents(): void {
    this.#channel.send(undefined);
  }

  count(state: RuntimeInstance['state']): number {
    let count = 0;
    for (const { runtime } of this.containers.values()) if (runtime.state === state) count++;
    return count;
  }

  #tell(type: RuntimeEvent['type'], runtime: RuntimeInstance, exit?: InstanceExit): void {
    if (!this.connected) return;
    const { id, instanceId } = runtime;
    const event = { type, id, instanceId, at: this.#timers.now(), ...(exit ? { exit } : {}) };
    this.#channel.send(event);
  }

  async #enter(call: string): Promise<void> {
    this.calls[call] = (this.calls[call] ?? 0) + 1;
    while (this.mode === 'hung') await pause(this.#timers, 100);
    if (this.mode === 'down') throw new RuntimeError('unavailable', 'connect ENOENT docker.sock');
  }

  async #takes(ms: number): Promise<void> {
    await pause(this.#timers, ms);
    while (this.mode === 'hung') await pause(this.#timers, 100);
    if (this.mode === 'down') throw new RuntimeError('unavailable', 'connect ENOENT docker.sock');
  }

  #container(id: string): Container {
    const container = this.containers.get(id);
    if (!container) throw new RuntimeError('no-such-instance', `no container ${id}`);
    return container;
  }

  async ping(): Promise<void> {
    await this.#enter('ping');
  }

  async capabilities(): Promise<RuntimeCapabilities> {
    throw new RuntimeError('unavailable', 'not simulated');
  }
  async signal(): Promise<void> {}
  async stats() {
    return { cpuMicros: 0, memory: 0, pids: 1 };
  }
  async writableBytes(): Promise<number> {
    return 0;
  }
  async exec(): Promise<never> {
    throw new RuntimeError('unavailable', 'not simulated');
  }
  async readFiles(): Promise<Readable> {
    return Readable.from([]);
  }
  async writeFiles(): Promise<void> {}
  readonly volumes = {
    ensure: async () => {},
    remove: async () => {},
    list: async () => [],
    limit: () => {},
    usage: async () => undefined,
  };
  async images(): Promise<[]> {
    return [];
  }
  async removeImage(): Promise<boolean> {
    return true;
  }
  async close(): Promise<void> {}
}
