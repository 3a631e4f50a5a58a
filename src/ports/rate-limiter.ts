/** How a key stands in the present window. */
export interface RateState {
  /** Of the quota; 0 where it is used up. */
  readonly remaining: number;
  /** Until the window ends, in milliseconds. */
  readonly resetMs: number;
  /** False: past the quota. */
  readonly allowed: boolean;
}

/**
 * Counts by key in windows of fixed length. In memory for one process; replicas would share one that asks
 * the database. Rejects with nothing of its own: a limiter that cannot count lets pass.
 */
export interface RateLimiter {
  /** Counts one. */
  consume(key: string): Promise<RateState>;
  /** Undefined: nothing was counted in this window. */
  peek(key: string): Promise<RateState | undefined>;
}

export type RateLimiters = (quota: number, windowSeconds: number) => RateLimiter;
