import type { ServicePool } from './service-pool.ts';

/**
 * Instances whose settings are not the present ones: those without requests end, those with requests as soon as
 * another is there to take what comes.
 */
export function replaceOutdated(pool: ServicePool): void {
  for (const instance of pool.instances) {
    if (!instance.outdated || instance.ending || instance.over || instance.coming) continue;
    const others = [...pool.instances].filter((other) => !other.outdated && other.counts);
    const there = others.some((other) => !other.coming);
    if (instance.inFlight === 0 || there) void pool.end(instance, 'its settings changed');
    else if (others.length === 0) pool.begin();
  }
}
