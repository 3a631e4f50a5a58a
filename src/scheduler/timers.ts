/** Time for what waits and decides: monotonic, and given from outside, so that tests drive it. */
export interface Timers {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** Calls once, in `ms` at the earliest. */
  after(ms: number, call: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** The machine's. They keep no process alive. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, Math.min(Math.max(ms, 0), 2 ** 31 - 1));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** What was asked of the engine came to no end in its time: it may still happen. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** Rejects with `DeadlineError` after `ms`; what comes later is dropped. */
export function withDeadline<T>(
  timers: Timers,
  ms: number,
  what: string,
  work: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = timers.after(ms, () =>
      reject(new DeadlineError(`${what} took longer than ${ms} ms`)),
    );
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
export function pause(timers: Timers, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = timers.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
