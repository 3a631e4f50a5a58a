import type { Instance } from './instance-record.ts';

/**
 * Where a request goes: the least loaded of the first `spread` that take requests; where those are full, another
 * one with room. Undefined: it has to wait.
 */
export function chooseInstance(
  instances: Iterable<Instance>,
  concurrency: number,
  spread: number,
): Instance | undefined {
  let seen = 0;
  let best: Instance | undefined;
  let other: Instance | undefined;
  for (const instance of instances) {
    if (!instance.serves) continue;
    const surplus = instance.outdated || seen++ >= Math.max(1, spread);
    if (instance.inFlight >= concurrency) continue;
    if (surplus) other ??= instance;
    else if (!best || instance.inFlight < best.inFlight) best = instance;
  }
  return best ?? other;
}

export interface InstanceCount {
  /** Towards the most that there may be. */
  size: number;
  coming: number;
  ready: number;
}

export function countInstances(instances: Iterable<Instance>): InstanceCount {
  const count = { size: 0, coming: 0, ready: 0 };
  for (const { counts, coming, serves } of instances) {
    if (counts) count.size++;
    if (coming) count.coming++;
    if (serves) count.ready++;
  }
  return count;
}
