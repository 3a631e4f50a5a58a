import type { ActivationRequest, InstanceLease } from '../activation.ts';

export interface Waiter {
  readonly request: ActivationRequest;
  /** Monotonic milliseconds. */
  readonly since: number;
  resolve(lease: InstanceLease | Promise<InstanceLease>): void;
  reject(error: unknown): void;
}

/** How many wait over all services. */
export interface QueueTotal {
  waiting: number;
  readonly limit: number;
}

/** Requests of one service that wait for a place, first come first served. One that is given up leaves at once. */
export class ActivationQueue {
  // A set keeps the order in which it was filled, and lets any of its members go at once.
  readonly #waiters = new Set<Waiter>();
  readonly #limit: number;
  readonly #total: QueueTotal;
  readonly #changed: () => void;

  constructor(limit: number, total: QueueTotal, changed: () => void) {
    this.#limit = limit;
    this.#total = total;
    this.#changed = changed;
  }

  get size(): number {
    return this.#waiters.size;
  }

  get full(): boolean {
    return this.#waiters.size >= this.#limit || this.#total.waiting >= this.#total.limit;
  }

  get first(): Waiter | undefined {
    return this.#waiters.values().next().value;
  }

  /** Rejects with the signal's reason where that is aborted while it waits. */
  wait(request: ActivationRequest, now: number): Promise<InstanceLease> {
    return new Promise((resolve, reject) => {
      const { signal } = request;
      if (signal.aborted) return reject(signal.reason);
      const leave = () => {
        this.#remove(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        request,
        since: now,
        resolve: (lease) => {
          signal.removeEventListener('abort', leave);
          resolve(lease);
        },
        reject: (error) => {
          signal.removeEventListener('abort', leave);
          reject(error);
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiters.add(waiter);
      this.#total.waiting++;
      this.#changed();
    });
  }

  take(): Waiter | undefined {
    const waiter = this.first;
    if (waiter) this.#remove(waiter);
    return waiter;
  }

  /** Those that have waited since before `since` (all, where it is absent) are told why they get no place. */
  refuse(error: unknown, since = Number.POSITIVE_INFINITY): number {
    let refused = 0;
    for (let waiter = this.first; waiter && waiter.since <= since; waiter = this.first) {
      this.#remove(waiter);
      waiter.reject(error);
      refused++;
    }
    return refused;
  }

  #remove(waiter: Waiter): void {
    if (!this.#waiters.delete(waiter)) return;
    this.#total.waiting--;
    this.#changed();
  }
}
