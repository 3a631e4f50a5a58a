import type { Readable } from 'node:stream';
import type {
  ExecOptions,
  InstanceExit,
  InstanceSpec,
  InstanceStats,
  PortProbe,
  RuntimeCapabilities,
  RuntimeDriver,
  RuntimeEvent,
  RuntimeExec,
} from '../../ports/runtime-driver.ts';
import { RuntimeError } from '../../ports/runtime-driver.ts';
import type { Buckets } from './buckets/buckets.ts';
import { askCapabilities, type Surroundings } from './capabilities.ts';
import type { CopiedFiles } from './copied-files.ts';
import type { Engine } from './engine.ts';
import { readEvents } from './events.ts';
import { startExec } from './exec.ts';
import { readArchive, writeArchive } from './files.ts';
import type { Images } from './images.ts';
import type { Instances } from './instances.ts';
import type { Isolation } from './isolation.ts';
import { type LogOptions, readLogs } from './logs.ts';
import { mergedEvents } from './merged-events.ts';
import { probePort } from './probe.ts';
import { notRouted, type Reach } from './reach.ts';
import type { StatsReader } from './stats.ts';
import type { DockerVolumes } from './volumes.ts';
import { writableBytesOf } from './writable-layer.ts';

export interface DriverParts {
  readonly engine: Engine;
  readonly images: Images;
  readonly instances: Instances;
  readonly volumes: DockerVolumes;
  readonly surroundings: () => Promise<Surroundings>;
  readonly isolation: Isolation | undefined;
  readonly buckets: Buckets;
  /** These two where the engine is on another machine. */
  readonly copied: CopiedFiles | undefined;
  readonly reach: Reach | undefined;
  readonly statsReader: StatsReader;
  readonly installation: string;
  /** Of an archive that does not move on, in milliseconds. */
  readonly stallLimit: number;
  /** Of one connection of a probe, in milliseconds. */
  readonly probeLimit: number;
}

/** A Docker Engine, 20.10 or later. */
export class DockerDriver implements RuntimeDriver {
  readonly kind = 'docker';
  readonly volumes: DockerVolumes;
  readonly #parts: DriverParts;

  constructor(parts: DriverParts) {
    this.#parts = parts;
    this.volumes = parts.volumes;
  }

  async capabilities(): Promise<RuntimeCapabilities> {
    return askCapabilities(this.#parts.engine, await this.#parts.surroundings());
  }

  async ping(): Promise<void> {
    await this.#parts.engine.call({ method: 'GET', path: '/version' });
  }

  prepare: RuntimeDriver['prepare'] = (image, options) =>
    this.#parts.images.prepare(image, options);
  images: RuntimeDriver['images'] = () => this.#parts.images.list();
  removeImage: RuntimeDriver['removeImage'] = (id) => this.#parts.images.remove(id);

  create: RuntimeDriver['create'] = (spec: InstanceSpec) => this.#parts.instances.create(spec);
  start: RuntimeDriver['start'] = (id) => this.#parts.instances.start(id);
  freeze: RuntimeDriver['freeze'] = (id) => this.#parts.instances.freeze(id);
  signal: RuntimeDriver['signal'] = (id, signal) => this.#parts.instances.signal(id, signal);
  remove: RuntimeDriver['remove'] = (id) => this.#parts.instances.remove(id);
  list: RuntimeDriver['list'] = () => this.#parts.instances.list();

  async thaw(id: string): Promise<void> {
    const { instances, reach } = this.#parts;
    await instances.thaw(id);
    // One that an earlier process froze was not probed by this one.
    if (!reach || (await reach.leadsTo(id, await instances.whereabouts(id)))) return;
    throw new RuntimeError('unavailable', `The container ${id} is not reached: ${notRouted}.`);
  }

  stop(id: string, graceMs: number): Promise<InstanceExit> {
    return this.#parts.instances.stop(id, graceMs);
  }

  wait(id: string, signal?: AbortSignal): Promise<InstanceExit> {
    return this.#parts.instances.wait(id, signal);
  }

  async probe(id: string, port: number): Promise<PortProbe> {
    const { instances, reach, probeLimit } = this.#parts;
    const whereabouts = await instances.whereabouts(id);
    const { address } = whereabouts;
    if (!address) throw new RuntimeError('no-such-instance', `The container ${id} has no address.`);
    const pid = reach ? undefined : whereabouts.pid;
    const probe = await probePort({ id, address, port, pid, limit: probeLimit });
    if (!reach) return probe;
    if (probe.listening !== 'everywhere') {
      if (/refused/.test(probe.dial)) return probe;
      return { ...probe, dial: `${probe.dial}; ${notRouted}` };
    }
    if (await reach.leadsTo(id, whereabouts)) return probe;
    const dial = `dial tcp ${address}:${port}: another machine answers there; ${notRouted}`;
    return { listening: 'nowhere', dial };
  }

  logs(id: string, options: LogOptions) {
    return readLogs(this.#parts.engine, id, options);
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const { engine, installation, isolation } = this.#parts;
    const ofEngine = readEvents(engine, installation, signal);
    return isolation
      ? mergedEvents(ofEngine, (listener) => isolation.onDiskFull(listener))
      : ofEngine;
  }

  async stats(id: string): Promise<InstanceStats> {
    const { instances, statsReader } = this.#parts;
    try {
      return await statsReader.read(id, await instances.whereabouts(id));
    } catch (error) {
      instances.forget(id);
      throw error;
    }
  }

  async writableBytes(id: string): Promise<number> {
    const { instances, engine } = this.#parts;
    return writableBytesOf(await instances.inspect(id, { size: true }), engine.address.local);
  }

  async exec(id: string, options: ExecOptions): Promise<RuntimeExec> {
    // The engine would start it, and it would stand still with the others.
    if (await this.#parts.instances.isFrozen(id)) {
      throw new RuntimeError('start-failed', `The container ${id} is frozen.`);
    }
    return startExec(this.#parts.engine, id, options);
  }

  readFiles(id: string, path: string): Promise<Readable> {
    return readArchive(this.#parts.engine, id, path);
  }

  writeFiles(id: string, path: string, tar: Readable): Promise<void> {
    return writeArchive(this.#parts.engine, { id, path, tar, stall: this.#parts.stallLimit });
  }

  async close(): Promise<void> {
    await this.#parts.isolation?.close();
    await this.#parts.buckets.close();
    this.#parts.copied?.close();
    this.#parts.engine.close();
  }
}
