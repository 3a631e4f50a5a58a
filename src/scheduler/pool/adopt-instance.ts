import type { RuntimeInstance } from '../../ports/runtime-driver.ts';
import { withDeadline } from '../timers.ts';
import { engineLimits } from './engine-limits.ts';
import { Instance } from './instance-record.ts';
import type { PoolContext } from './pool-context.ts';
import type { ReconciledPools } from './reconciler.ts';

/**
 * A container of ours that nobody here knows, as an earlier process left it: taken over where its deployment is
 * there, its settings are the present ones, it listens and there is room; else removed.
 * Rejects with `RuntimeError` `unavailable` or `DeadlineError`.
 */
export async function adoptInstance(
  context: PoolContext,
  held: ReconciledPools,
  runtime: RuntimeInstance,
): Promise<void> {
  const { deps } = context;
  const refusal = await tryAdopt(context, held, runtime);
  if (refusal === undefined) {
    deps.log.info('an instance was taken over', { instance: runtime.instanceId });
    return;
  }
  deps.log.info('a container that nobody needs was removed', {
    instance: runtime.instanceId,
    reason: refusal,
  });
  const removing = deps.driver.remove(runtime.id);
  await withDeadline(deps.timers, engineLimits.remove, 'remove', removing);
  deps.environment.release(runtime.instanceId);
}

/** Undefined: it was adopted; else why not. */
async function tryAdopt(
  context: PoolContext,
  held: ReconciledPools,
  runtime: RuntimeInstance,
): Promise<string | undefined> {
  const { deps, life, memory } = context;
  const { deploymentId, service, fingerprint, createdAt } = runtime.labels;
  if (context.wasHere(runtime.instanceId)) return 'it had ended';
  if (runtime.state === 'ended') return 'it has ended';
  const target = await deps.deployed.find(deploymentId, service);
  if (!target) return 'its deployment is gone';
  const pool = held.poolOf(target);
  if (pool.closed || pool.paused) return 'its service is paused or gone';
  pool.adopted = true;
  const present = await deps.environment.fingerprint(target).catch(() => undefined);
  if (present !== fingerprint) return 'its settings changed';
  // Resolving again keeps its files fresh from now on, at the same paths.
  const resolved = await deps.environment
    .resolve(target, runtime.instanceId)
    .catch(() => undefined);
  if (resolved?.fingerprint !== fingerprint) return 'its settings changed';
  const port = deps.contracts.portOf(target.service, resolved.env);
  const instance = new Instance(context.told, {
    id: runtime.instanceId,
    target,
    memory: pool.limits.memory,
    createdAt,
  });
  instance.runtime = runtime;
  instance.fingerprint = fingerprint;
  if (runtime.state === 'created') {
    const { createdAheadMs } = deps.settings;
    if (deps.clock.now() - createdAt >= createdAheadMs) return 'it was created too long ago';
    const created = { runtime, port, fingerprint, from: 'image' as const };
    const none = { pullMs: 0, queueMs: 0, createMs: 0 };
    if (!pool.ahead.adopt(instance, { ...created, ...none })) return 'another one is there';
    context.index.set(instance.id, { pool, instance });
    return undefined;
  }
  if (pool.size >= pool.limits.max) return 'there are enough of it';
  if (runtime.state === 'running') {
    const probing = deps.driver.probe(runtime.id, port);
    const probe = await withDeadline(deps.timers, engineLimits.probe, 'probe', probing);
    if (probe.listening !== 'everywhere') return 'it does not listen';
  }
  // While it was probed, others may have been started.
  if (pool.size >= pool.limits.max || pool.closed || pool.paused) return 'there are enough of it';
  if (!memory.take(instance.id, instance.memory, true)) return 'there is no memory for it';
  pool.instances.add(instance);
  context.index.set(instance.id, { pool, instance });
  instance.announce();
  life.adopt(instance, port, runtime.state === 'frozen');
  pool.changed(instance);
  return undefined;
}
