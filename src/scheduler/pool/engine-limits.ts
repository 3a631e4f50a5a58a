/**
 * How long the engine may take for each thing, in milliseconds. One that takes longer hangs: requests are told so
 * instead of waiting with it, and what it does in the end is found by the reconciler.
 */
export const engineLimits = {
  ping: 3_000,
  create: 60_000,
  start: 60_000,
  probe: 5_000,
  /** Requests wait for a thaw. */
  freeze: 10_000,
  /** Beside the grace. */
  stop: 45_000,
  remove: 60_000,
  list: 30_000,
  logs: 2_000,
  lastLines: 2_000,
} as const;
