import type { ActivationTarget } from '../activation.ts';
import { concurrencyOf } from '../contracts/contracts.ts';
import { ladderOf } from '../decide-scale.ts';
import type { PoolDeps } from './pool-deps.ts';

/** A service's own figures, else its contract's or the installation's. */
export function serviceLimits(
  deps: Pick<PoolDeps, 'contracts' | 'settings' | 'machines'>,
  target: ActivationTarget,
) {
  const { settings: own } = target.service;
  const { settings } = deps;
  const contract = deps.contracts.contractOf(target.service);
  const min = own.minInstances ?? 0;
  return {
    contract,
    concurrency: concurrencyOf(own, contract),
    min,
    max: Math.max(1, min, own.maxInstances ?? settings.maxInstances),
    /** Bytes; 0 where there is no such machine type: a start says so. */
    memory: deps.machines.of(target.service)?.memory ?? 0,
    ladder: ladderOf(target.environment, own, settings),
    /** A request that waits for a place waits no longer than it may take. */
    queueMs: Math.max(
      own.requestTimeoutMs ?? settings.requestTimeoutMs,
      own.startTimeoutMs ?? settings.startTimeoutMs,
    ),
  };
}
export type ServiceLimits = ReturnType<typeof serviceLimits>;
