import { type InstanceSpec, RuntimeError } from '../../ports/runtime-driver.ts';
import type { EngineInfo } from './capabilities.ts';
import type { Engine } from './engine.ts';
import {
  chooseGpus,
  countGpus,
  findGpus,
  type Gpu,
  gpuDriverOf,
  gpuRequest,
  gpusInUse,
} from './gpus.ts';
import type { Listed } from './inspected.ts';
import { refused } from './refusals.ts';

export interface GivenGpus {
  readonly uuids: readonly string[];
  /** An entry of `HostConfig.DeviceRequests`. */
  readonly request: object;
  /** The container is made, or is not: its label tells from here on. */
  release(): void;
}

/** GPUs of this machine: each is one instance's at a time. */
export class GpuPool {
  readonly #engine: Engine;
  readonly #driver: 'nvidia' | 'cdi' | undefined;
  readonly #all: readonly Gpu[];
  readonly #reserved = new Set<string>();

  private constructor(engine: Engine, driver: 'nvidia' | 'cdi' | undefined, all: readonly Gpu[]) {
    this.#engine = engine;
    this.#driver = driver;
    this.#all = all;
  }

  static async open(engine: Engine, info: EngineInfo): Promise<GpuPool> {
    const all = engine.address.local ? await findGpus() : [];
    return new GpuPool(engine, gpuDriverOf(info), all);
  }

  counts(): Record<string, number> {
    return this.#driver ? countGpus(this.#all) : {};
  }

  /** Sentences. */
  missing(): string[] {
    if (this.#all.length === 0 || this.#driver) return [];
    return [
      'The machine has NVIDIA GPUs, and the engine cannot hand them out: install the NVIDIA Container Toolkit, run nvidia-ctk runtime configure and restart the engine.',
    ];
  }

  /** Rejects with `invalid-spec`, `in-use` or `unavailable`. */
  async take(wanted: NonNullable<InstanceSpec['gpu']>): Promise<GivenGpus> {
    if (!this.#driver) {
      const message = 'The engine has no GPUs to give: the NVIDIA Container Toolkit is missing.';
      throw new RuntimeError('invalid-spec', message);
    }
    const containers = await this.#engine
      .call<readonly Listed[]>({ method: 'GET', path: '/containers/json', query: { all: true } })
      .catch((error) => {
        throw refused(error, {});
      });
    // One that has ended needs none.
    const living = containers.filter(({ State }) => State !== 'exited' && State !== 'dead');
    const uuids = chooseGpus(this.#all, new Set([...gpusInUse(living), ...this.#reserved]), wanted);
    for (const uuid of uuids) this.#reserved.add(uuid);
    return {
      uuids,
      request: gpuRequest(this.#driver, uuids),
      release: () => {
        for (const uuid of uuids) this.#reserved.delete(uuid);
      },
    };
  }
}
