const KiB = 1024;
const MiB = 1024 * KiB;
const minute = 60_000;
const hour = 60 * minute;

/** What functions, invocations and sandboxes may have, as docs/identity.md and docs/sandboxes.md list it. */
export const functionLimits = {
  /** Bytes of all names and values of an instance's environment. */
  environment: 64 * KiB,
  invoke: {
    /** Bytes of the payload of a call that waits for its answer. */
    payload: 32 * MiB,
    /** Bytes of one that does not: it is kept in the database. */
    asyncPayload: 256 * KiB,
    /** Bytes that are kept of its answer. */
    asyncResult: 256 * KiB,
    /** Calls of one project that wait or run. */
    asyncWaiting: 1000,
    /** Calls of the whole installation that run at once. */
    asyncParallel: 16,
    attempts: 3,
    /** Before the second attempt, doubled before the third. */
    retryMs: 10_000,
    /** How long what came of a call can be read. */
    keptMs: 24 * hour,
  },
  sandbox: {
    perProject: 10,
    timeMs: 5 * minute,
    longestMs: 24 * hour,
    ports: 5,
    /** Bytes of a tar that is written into one. */
    files: 1024 * MiB,
    /** Commands in one at once. */
    commands: 20,
    /** How long one that ended is still listed. */
    keptMs: 24 * hour,
  },
} as const;
