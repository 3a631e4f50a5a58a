import type { InstanceLease } from '../activation.ts';
import type { RoleCredentials } from '../contracts/contract.ts';
import { type Instance, placeOf } from './instance-record.ts';
import type { PoolDeps } from './pool-deps.ts';
import type { ServiceLimits } from './service-limits.ts';

/** What the gateway gets for one request. Releasing it twice is as once. */
export function makeLease(of: {
  deps: Pick<PoolDeps, 'region'>;
  instance: Instance;
  limits: ServiceLimits;
  credentials: RoleCredentials;
  /** Monotonic: asked for, and placed. */
  since: number;
  placedAt: number;
  release: (outcome: { readonly broken?: boolean }) => void;
}): InstanceLease {
  const { instance, limits, since, placedAt } = of;
  const { stages } = instance;
  const { origin, address, port } = instance.at!;
  // It began to wait before the instance was there.
  const waited = stages !== undefined && since < instance.readyAt;
  const before = Math.max(0, instance.startBegan - since);
  let released = false;
  return {
    instanceId: instance.id,
    origin,
    address,
    port,
    dispatcher: instance.dispatcher!,
    contract: limits.contract,
    place: placeOf(instance, of.deps.region),
    credentials: of.credentials,
    queuedMs: placedAt - since,
    start: waited ? { ...stages, queue: stages.queue + before } : undefined,
    release: (outcome) => {
      if (released) return;
      released = true;
      of.release(outcome);
    },
  };
}
