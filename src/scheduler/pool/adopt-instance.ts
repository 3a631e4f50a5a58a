import type { RuntimeInstance } from '../../ports/runtime-driver.ts';
import type { InstanceEnvironment } from '../instance.ts';
import { withDeadline } from '../timers.ts';
import { filesPath } from '../token-files.ts';
import { engineLimits } from './engine-limits.ts';
import { Instance } from './instance-record.ts';
import type { PoolContext } from './pool-context.ts';
import type { ReconciledPools } from './reconciler.ts';
import type { ServicePool } from './service-pool.ts';

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
    .resolve(target, runtime.instanceId, runtime.files?.find(isTokens)?.source)
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
  if (!sameFiles(runtime, resolved)) replaceLater(context, pool, instance);
  instance.announce();
  life.adopt(instance, port, runtime.state === 'frozen');
  pool.changed(instance);
  return undefined;
}

/** Its token is fresh for half an hour at least; whoever made it cannot be relied on to keep it. */
const staleFilesMs = 15 * 60_000;

function isTokens({ path }: { readonly path: string }): boolean {
  return path === filesPath;
}

/** Whether what keeps files fresh here does so where they are mounted. */
function sameFiles(runtime: RuntimeInstance, resolved: InstanceEnvironment): boolean {
  const { files } = runtime;
  if (!files) return true;
  return resolved.files.every(({ path, source }) => {
    const mounted = files.find((one) => one.path === path);
    return !mounted || mounted.source === source;
  });
}

/** One whose files lie in the data folder of a replica that this one cannot reach. */
function replaceLater({ deps }: PoolContext, pool: ServicePool, instance: Instance): void {
  deps.log.warn(
    'the token of an instance is in the data folder of another replica: it is replaced within 15 minutes',
    { instance: instance.id },
  );
  deps.timers.after(staleFilesMs, () => {
    if (instance.over || instance.ending !== undefined) return;
    const present = instance.fingerprint;
    instance.fingerprint = 'files of another replica';
    if (present !== undefined) pool.fingerprintIs(present);
  });
}
