import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { RateLimiter, RateState } from '../ports/rate-limiter.ts';

/** Keys that are counted at one time: the one that was asked for longest ago is forgotten for a new one. */
const mostKeys = 20_000;

/** Counts in the memory of this process, for a bounded number of keys. */
export function createMemoryRateLimiter(
  quota: number,
  windowSeconds: number,
  keys = mostKeys,
): RateLimiter {
  const limiter = new RateLimiterMemory({ points: quota, duration: windowSeconds });
  const recent = new LRUCache<string, true>({
    // A greatest count (`max`) would take room for all of them at once.
    ...{ maxSize: keys, sizeCalculation: () => 1 },
    dispose: (_value, key, reason) => {
      if (reason === 'evict') void limiter.delete(key);
    },
  });
  const stateOf = (result: RateLimiterRes): RateState => ({
    remaining: Math.max(0, result.remainingPoints),
    resetMs: Math.max(0, result.msBeforeNext),
    allowed: result.consumedPoints <= quota,
  });
  return {
    async consume(key) {
      recent.set(key, true);
      try {
        return stateOf(await limiter.consume(key));
      } catch (result) {
        if (result instanceof RateLimiterRes) return stateOf(result);
        throw result;
      }
    },
    async peek(key) {
      const result = await limiter.get(key);
      return result === null || result.msBeforeNext <= 0 ? undefined : stateOf(result);
    },
  };
}
