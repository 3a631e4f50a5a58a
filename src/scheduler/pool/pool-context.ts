import type { QueueTotal } from './activation-queue.ts';
import type { EngineHealth } from './engine-health.ts';
import type { InstanceLife } from './instance-life.ts';
import type { Instance, InstanceTold } from './instance-record.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { PoolDeps } from './pool-deps.ts';
import type { ServicePool } from './service-pool.ts';

/** What the services' pools share. */
export interface PoolContext {
  readonly deps: PoolDeps;
  readonly life: InstanceLife;
  readonly engine: EngineHealth;
  readonly memory: MemoryBudget;
  readonly queueTotal: QueueTotal;
  readonly told: InstanceTold;
  /** Ends an instance that is not needed now, anywhere; false: there is none, and none is ending. */
  readonly makeRoom: (for_: ServicePool) => boolean;
  /** Room came free. */
  readonly roomCame: () => void;
  /** One more container that is created ahead may be kept. */
  readonly mayCreateAhead: () => boolean;
  /** Of starts, over all services, in milliseconds: what Retry-After says where a service has none of its own. */
  readonly usualStartMs: () => number;
  readonly started: (ms: number) => void;
  /** All that there are, by their ids. */
  readonly index: Map<string, { readonly pool: ServicePool; readonly instance: Instance }>;
  /** Nothing is left of that instance. */
  readonly isGone: (instanceId: string) => void;
  /** Whether there was such an instance, lately: its container is not taken over. */
  readonly wasHere: (instanceId: string) => boolean;
  /** Its last instance and request are gone: it may be forgotten. */
  readonly empty: (pool: ServicePool) => void;
}
