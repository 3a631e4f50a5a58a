import { refuse } from '../../oci/errors.ts';
import type { SandboxManager } from '../../sandboxes/sandbox-manager.ts';
import type { InvocationQueue } from '../../scheduler/invoke/invocation-queue.ts';
import type { Invoker } from '../../scheduler/invoke/invoker.ts';
import type { VolumeKeeper } from '../../scheduler/volume-keeper.ts';
import type { ApiServices } from './api-services.ts';

/** What the API's handlers call where a container engine is there. Made in compose.ts. */
export interface RuntimeServices {
  readonly volumes: Pick<VolumeKeeper, 'removed' | 'limited' | 'usage'>;
  readonly sandboxes: {
    readonly manager: Pick<
      SandboxManager,
      'create' | 'exec' | 'readFiles' | 'writeFiles' | 'expose' | 'extend' | 'stop'
    >;
    /** Of a port's label. */
    readonly urlOf: (label: string) => string;
  };
  readonly invocations: {
    readonly invoker: Pick<Invoker, 'targetOf' | 'invoke'>;
    readonly queue: Pick<InvocationQueue, 'wake'>;
  };
  /** Throws `invalid` where buckets must not lie at that address: the outbound guard's. */
  readonly checkEndpoint: (url: string) => void;
}

/** Throws `unavailable` where functions are off, or no container engine was found. */
export function runtimeOf({ runtime }: Pick<ApiServices, 'runtime'>): RuntimeServices {
  if (runtime) return runtime;
  throw refuse(
    'unavailable',
    'This installation runs no functions: no container engine was found at its start, or they are switched off.',
    'The operator sees at the start of the server what is missing; GANTRY_DOCKER_HOST names an engine.',
  );
}
