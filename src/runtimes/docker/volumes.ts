import {
  type InstanceMount,
  RuntimeError,
  type RuntimeVolumes,
} from '../../ports/runtime-driver.ts';
import type { Engine } from './engine.ts';

/** An entry of `HostConfig.Mounts`. */
export interface EngineMount {
  readonly Type: 'bind' | 'volume';
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
  readonly VolumeOptions?: { readonly NoCopy: boolean };
  readonly BindOptions?: { readonly Propagation: 'rprivate' | 'rslave' };
}

export interface DockerVolumes extends RuntimeVolumes {
  /** How an instance gets it. Rejects with `invalid-spec` where the volume is not there. */
  mountOf(mount: InstanceMount): Promise<EngineMount>;
}

export function openVolumes(_engine: Engine, _options: { installation: string }): DockerVolumes {
  const missing = () => new RuntimeError('invalid-spec', 'This engine has no volumes yet.');
  return {
    ensure: () => Promise.reject(missing()),
    remove: () => Promise.resolve(),
    list: () => Promise.resolve([]),
    mountOf: () => Promise.reject(missing()),
  };
}
