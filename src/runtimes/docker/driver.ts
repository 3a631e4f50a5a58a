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
import { askCapabilities, type Surroundings } from './capabilities.ts';
import type { Engine } from './engine.ts';
import type { Images } from './images.ts';
import type { Instances } from './instances.ts';
import { isOfContainer } from './local-process.ts';
import { type LogOptions, readLogs } from './logs.ts';
import { probePort } from './probe.ts';
import type { DockerVolumes } from './volumes.ts';

export interface DriverParts {
  readonly engine: Engine;
  readonly images: Images;
  readonly instances: Instances;
  readonly volumes: DockerVolumes;
  readonly surroundings: () => Promise<Surroundings>;
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

  prepare: RuntimeDriver['prepare'] = (image, options) =>
    this.#parts.images.prepare(image, options);
  images: RuntimeDriver['images'] = () => this.#parts.images.list();
  removeImage: RuntimeDriver['removeImage'] = (id) => this.#parts.images.remove(id);

  create: RuntimeDriver['create'] = (spec: InstanceSpec) => this.#parts.instances.create(spec);
  start: RuntimeDriver['start'] = (id) => this.#parts.instances.start(id);
  freeze: RuntimeDriver['freeze'] = (id) => this.#parts.instances.freeze(id);
  thaw: RuntimeDriver['thaw'] = (id) => this.#parts.instances.thaw(id);
  signal: RuntimeDriver['signal'] = (id, signal) => this.#parts.instances.signal(id, signal);
  remove: RuntimeDriver['remove'] = (id) => this.#parts.instances.remove(id);
  list: RuntimeDriver['list'] = () => this.#parts.instances.list();

  stop(id: string, graceMs: number): Promise<InstanceExit> {
    return this.#parts.instances.stop(id, graceMs);
  }

  wait(id: string, signal?: AbortSignal): Promise<InstanceExit> {
    return this.#parts.instances.wait(id, signal);
  }

  async probe(id: string, port: number): Promise<PortProbe> {
    const { instances, engine, probeLimit } = this.#parts;
    const { address, pid } = await instances.whereabouts(id);
    if (!address) throw new RuntimeError('no-such-instance', `The container ${id} has no address.`);
    const ours = engine.address.local && (await isOfContainer(pid, id));
    return probePort({ address, port, pid: ours ? pid : undefined, limit: probeLimit });
  }

  logs(id: string, options: LogOptions) {
    return readLogs(this.#parts.engine, id, options);
  }

  // biome-ignore lint/correctness/useYield: comes next
  async *events(_signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    throw notYet();
  }

  stats(_id: string): Promise<InstanceStats> {
    return Promise.reject(notYet());
  }

  writableBytes(_id: string): Promise<number> {
    return Promise.reject(notYet());
  }

  exec(_id: string, _options: ExecOptions): Promise<RuntimeExec> {
    return Promise.reject(notYet());
  }

  readFiles(): Promise<never> {
    return Promise.reject(notYet());
  }

  writeFiles(): Promise<never> {
    return Promise.reject(notYet());
  }

  async close(): Promise<void> {
    this.#parts.engine.close();
  }
}

function notYet() {
  return new RuntimeError('unavailable', 'This driver does not do that yet.');
}
