import type { ActivationError, StartStages } from '../activation.ts';
import type { StartFailure } from '../contracts/contract.ts';
import type { Instance } from './instance-record.ts';
import type { PoolContext } from './pool-context.ts';
import * as refusals from './refusals.ts';
import type { ServicePool } from './service-pool.ts';

export type EnsureResult =
  | {
      readonly ready: true;
      readonly instanceId: string;
      /** Undefined: one was there already. */
      readonly stages: StartStages | undefined;
    }
  | {
      readonly ready: false;
      /** `code`, `message` and `hint` are the deployment's reason; `answer` what a request would get. */
      readonly error: ActivationError;
      /** Where the container ran, with its last lines. */
      readonly failure?: StartFailure;
    };

/** Whether a deployment runs: one instance of it is started where none is there, and probed. */
export async function ensureReady(
  context: PoolContext,
  pool: ServicePool,
  signal: AbortSignal | undefined,
): Promise<EnsureResult> {
  if (pool.closed) return { ready: false, error: refusals.startError(pool.closed) };
  const there = [...pool.instances].find(isUp);
  if (there) return { ready: true, instanceId: there.id, stages: undefined };
  // By hand: an earlier failure is no reason to wait.
  pool.failures.clear();
  const instance = [...pool.instances].find((one) => one.coming) ?? pool.begin();
  if (!instance) return { ready: false, error: whyNot(context, pool) };
  const giveUp = () => void pool.end(instance, 'the deploy was given up');
  signal?.addEventListener('abort', giveUp, { once: true });
  await instance.work;
  signal?.removeEventListener('abort', giveUp);
  if (isUp(instance)) {
    pool.ahead.replenish();
    return { ready: true, instanceId: instance.id, stages: instance.stages };
  }
  // The deploy has its answer; a request that comes to it all the same tries anew.
  pool.failures.clear();
  // Given up for that, which says nothing of the function.
  if (pool.closed) return { ready: false, error: refusals.startError(pool.closed) };
  if (pool.paused) return { ready: false, error: whyNot(context, pool) };
  const error = instance.failure ?? new Error(instance.reason ?? 'it ended');
  const refused = refusals.startRefusal(error, pool.limits.contract, pool.target.service);
  if (!(error instanceof refusals.StartRefused)) return { ready: false, error: refused };
  return { ready: false, error: refused, failure: error.failure };
}

function isUp(instance: Instance): boolean {
  if (instance.ending || instance.outdated) return false;
  return instance.idleOrBusy || instance.state === 'frozen';
}

function whyNot({ engine, memory }: PoolContext, pool: ServicePool): ActivationError {
  if (engine.downSince !== undefined) return refusals.engineAway(engine.reason);
  if (pool.paused) return refusals.pausedService(pool.target.service.name);
  return refusals.noCapacity(pool.limits.memory, memory.limit);
}
