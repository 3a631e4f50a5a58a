import type { ActivationRequest, InstanceLease } from '../activation.ts';
import type { RoleCredentials } from '../contracts/contract.ts';
import { ActivationQueue } from './activation-queue.ts';
import { MovingAverage } from './average.ts';
import type { Instance } from './instance-record.ts';
import { makeLease } from './lease.ts';
import type { PoolContext } from './pool-context.ts';
import * as refusals from './refusals.ts';
import { ServiceCredentials } from './role-credentials.ts';
import type { ServicePool } from './service-pool.ts';

/** Requests of one service of one deployment: placed on an instance, or waiting for one. */
export class ServiceRequests {
  readonly queue: ActivationQueue;
  readonly #context: PoolContext;
  readonly #pool: ServicePool;
  readonly #credentials: ServiceCredentials;
  readonly #requestMs = new MovingAverage();
  #inFlight = 0;

  constructor(context: PoolContext, pool: ServicePool) {
    const { deps, queueTotal } = context;
    this.#context = context;
    this.#pool = pool;
    this.queue = new ActivationQueue(deps.settings.queueLimit, queueTotal, () => this.#changed());
    this.#credentials = new ServiceCredentials(deps, pool.target);
  }

  /** In flight and waiting. */
  get demand(): number {
    return this.#inFlight + this.queue.size;
  }

  acquire(request: ActivationRequest): Promise<InstanceLease> {
    const pool = this.#pool;
    if (pool.closed) return Promise.reject(pool.closed);
    if (pool.paused) return Promise.reject(refusals.pausedService(pool.target.service.name));
    const now = this.#context.deps.timers.now();
    if (this.queue.size === 0) {
      const instance = pool.choose();
      if (instance) return this.#place(instance, request, now);
    }
    const refusal = this.#refusal(now);
    if (refusal) return Promise.reject(refusal);
    const lease = this.queue.wait(request, now);
    pool.wake();
    return lease;
  }

  /** Gives places to those who wait, first come first served. */
  dispatch(): void {
    while (this.queue.size > 0) {
      const instance = this.#pool.choose();
      if (!instance) break;
      const { request, since, resolve } = this.queue.take()!;
      resolve(this.#place(instance, request, since));
    }
  }

  /** Of the service's role. */
  credentials(): RoleCredentials | Promise<RoleCredentials> {
    return this.#credentials.get();
  }

  /** When it is worth another try, in milliseconds: instances are up, or the queue has moved on. */
  retryMs(): number {
    const pool = this.#pool;
    if (!pool.full) return pool.usualStartMs;
    const slots = pool.size * pool.limits.concurrency;
    return ((this.#requestMs.value ?? 1_000) * this.queue.size) / slots;
  }

  /** Why a request that has to wait would wait in vain. */
  #refusal(now: number): Error | undefined {
    const { deps, engine } = this.#context;
    const pool = this.#pool;
    if (this.queue.full) {
      return refusals.queueFull({
        limit: this.queue.size,
        atMax: pool.full,
        retryMs: this.retryMs(),
      });
    }
    if (pool.size > 0) return undefined;
    const { remaining, reason, count } = pool.failures;
    if (remaining !== undefined) return refusals.inBackoff(reason, count, remaining);
    const { downSince } = engine;
    if (downSince !== undefined && now - downSince >= deps.settings.engineWaitMs) {
      return refusals.engineAway(engine.reason);
    }
    return undefined;
  }

  #place(instance: Instance, request: ActivationRequest, since: number): Promise<InstanceLease> {
    const { deps } = this.#context;
    instance.begin();
    this.#inFlight++;
    this.#changed();
    const placedAt = deps.timers.now();
    const release = (outcome: { readonly broken?: boolean }) => {
      const now = deps.timers.now();
      this.#inFlight--;
      this.#requestMs.add(now - placedAt);
      this.#changed();
      this.#pool.released(instance, now, outcome.broken === true);
    };
    const { limits } = this.#pool;
    const lease = (credentials: RoleCredentials) => {
      // Nobody would release it.
      if (request.signal.aborted) {
        release({});
        throw request.signal.reason;
      }
      return makeLease({ deps, instance, limits, credentials, since, placedAt, release });
    };
    const credentials = this.#credentials.get();
    if (!(credentials instanceof Promise)) return settle(() => lease(credentials));
    return credentials.then(
      (made) => {
        // It may have ended while they were made.
        if (instance.dispatcher) return lease(made);
        release({});
        return this.acquire(request);
      },
      (error: unknown) => {
        release({});
        throw error;
      },
    );
  }

  #changed(): void {
    this.#pool.demandIs(this.demand);
  }
}

async function settle<T>(work: () => T): Promise<T> {
  return work();
}
