import { LRUCache } from 'lru-cache';
import type {
  ActivationRequest,
  ActivationTarget,
  Activator,
  InstanceLease,
} from '../activation.ts';
import type { InstanceView } from '../instance.ts';
import { pause, withDeadline } from '../timers.ts';
import type { QueueTotal } from './activation-queue.ts';
import { MovingAverage } from './average.ts';
import { EngineHealth } from './engine-health.ts';
import { type EnsureResult, ensureReady } from './ensure.ts';
import { InstanceLife } from './instance-life.ts';
import type { Instance } from './instance-record.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { PoolContext } from './pool-context.ts';
import type { PoolDeps } from './pool-deps.ts';
import { Reconciler } from './reconciler.ts';
import * as refusals from './refusals.ts';
import { keyOf, ServicePool } from './service-pool.ts';
import { Starter } from './start-instance.ts';

/**
 * The owner of one engine: its instances, and the requests that wait for them. One process has it; others reach
 * it through this interface.
 */
export interface FunctionPool extends Activator {
  /** Follows the engine, takes over what an earlier process left, and begins to scale. */
  start(): Promise<void>;
  /** Of a project, or all. */
  instances(projectId?: string): InstanceView[];
  /** At deploy: one instance is started and probed; it stays for as long as its idle times say. */
  ensure(target: ActivationTarget, options?: { signal?: AbortSignal }): Promise<EnsureResult>;
  /** Pointers have moved, or services were paused or resumed: least numbers follow. */
  pointersMoved(): Promise<void>;
  /** No pointer names it any more: what runs ends as soon as it is idle. Its own host still starts it. */
  retire(deploymentId: string): void;
  /** It takes no requests any more. Resolves when nothing is left of it. */
  remove(deploymentId: string): Promise<void>;
  /** Of a service, in all its deployments. Resolves when its instances have ended. */
  pause(projectId: string, service: string): Promise<void>;
  resume(projectId: string, service: string): void;
  /** Variables, secrets or volumes of a project changed: instances that were made of others are replaced. */
  environmentChanged(projectId: string): Promise<void>;
  /** What the engine runs and what should run are made to agree. */
  reconcile(): Promise<void>;
  /**
   * No more requests; those in flight finish. `keep`: instances go on for the next process to take over,
   * else they end.
   */
  drain(options: { readonly keep: boolean; readonly withinMs: number }): Promise<void>;
}

export function createFunctionPool(deps: PoolDeps): FunctionPool {
  return new EnginePool(deps);
}

class EnginePool implements FunctionPool {
  readonly #deps: PoolDeps;
  readonly #context: PoolContext;
  readonly #pools = new Map<string, ServicePool>();
  readonly #paused = new Set<string>();
  readonly #gone = new LRUCache<string, true>({ max: 10_000 });
  readonly #starved = new Set<ServicePool>();
  readonly #startMs = new MovingAverage();
  readonly #reconciler: Reconciler;
  readonly #stop = new AbortController();
  #closing = false;
  /** What an earlier process left is taken over by now, as far as the engine could be asked. */
  #found: Promise<void> | undefined;

  constructor(deps: PoolDeps) {
    this.#deps = deps;
    const engine = new EngineHealth(
      deps.timers,
      (down) => this.#engineChanged(down),
      deps.driver.ping && (() => deps.driver.ping!()),
    );
    const queueTotal: QueueTotal = { waiting: 0, limit: deps.settings.queueTotal };
    this.#context = {
      deps,
      life: new InstanceLife(deps, new Starter(deps), engine),
      engine,
      memory: new MemoryBudget(deps.settings.memory),
      queueTotal,
      told: { observer: deps.observer, utc: () => deps.clock.now() },
      makeRoom: (pool) => this.#makeRoom(pool),
      roomCame: () => this.#roomCame(),
      mayCreateAhead: () => this.#countAhead() < deps.settings.createdAheadCount,
      usualStartMs: () => this.#startMs.value ?? 1_000,
      started: (ms) => this.#startMs.add(ms),
      index: new Map(),
      isGone: (instanceId) => {
        this.#context.index.delete(instanceId);
        this.#gone.set(instanceId, true);
      },
      wasHere: (instanceId) => this.#gone.has(instanceId),
      empty: (pool) => this.#pools.delete(pool.key),
    };
    this.#reconciler = new Reconciler(this.#context, {
      pools: this.#pools,
      poolOf: (target) => this.#poolOf(target),
      stopped: this.#stop.signal,
    });
  }

  async start(): Promise<void> {
    this.#scale();
    const finding = this.#reconciler.start();
    const late = new AbortController();
    const { timers, settings } = this.#deps;
    this.#found = Promise.race([
      finding,
      pause(timers, settings.engineWaitMs, late.signal),
    ]).finally(() => {
      this.#found = undefined;
      late.abort();
    });
    await finding;
  }

  acquire(target: ActivationTarget, request: ActivationRequest): Promise<InstanceLease> {
    if (this.#closing) return Promise.reject(refusals.shuttingDown());
    // Else it would start an instance beside one that runs and is not known yet.
    if (this.#found) return this.#found.then(() => this.acquire(target, request));
    return this.#poolOf(target).requests.acquire(request);
  }

  instances(projectId?: string): InstanceView[] {
    const views: InstanceView[] = [];
    for (const pool of this.#pools.values()) {
      if (projectId === undefined || pool.target.projectId === projectId)
        views.push(...pool.views());
    }
    return views;
  }

  ensure(target: ActivationTarget, options: { signal?: AbortSignal } = {}): Promise<EnsureResult> {
    if (this.#closing) return Promise.resolve({ ready: false, error: refusals.shuttingDown() });
    return ensureReady(this.#context, this.#poolOf(target), options.signal);
  }

  pointersMoved(): Promise<void> {
    return this.#reconciler.syncLive();
  }

  retire(deploymentId: string): void {
    for (const pool of this.#of(deploymentId)) pool.retire();
  }

  async remove(deploymentId: string): Promise<void> {
    const gone = refusals.deletedDeployment(deploymentId);
    await Promise.all(this.#of(deploymentId).map((pool) => pool.close(gone)));
  }

  async pause(projectId: string, service: string): Promise<void> {
    this.#paused.add(`${projectId}/${service}`);
    const pools = this.#ofService(projectId, service);
    await Promise.all(pools.map((pool) => pool.pause()));
  }

  resume(projectId: string, service: string): void {
    this.#paused.delete(`${projectId}/${service}`);
    for (const pool of this.#ofService(projectId, service)) pool.resume();
  }

  async environmentChanged(projectId: string): Promise<void> {
    const pools = [...this.#pools.values()].filter((pool) => pool.target.projectId === projectId);
    await Promise.all(pools.map((pool) => this.#reconciler.checkFingerprint(pool)));
  }

  reconcile(): Promise<void> {
    return this.#reconciler.run();
  }

  async drain(options: { readonly keep: boolean; readonly withinMs: number }): Promise<void> {
    this.#closing = true;
    this.#stop.abort();
    const { timers } = this.#deps;
    const pools = [...this.#pools.values()];
    for (const pool of pools) pool.requests.queue.refuse(refusals.shuttingDown());
    const work = options.keep ? this.#settled() : this.#endAll(pools);
    await withDeadline(timers, options.withinMs, 'drain', work).catch(() => {});
    for (const pool of pools) pool.disconnect();
  }

  async #endAll(pools: readonly ServicePool[]): Promise<void> {
    await Promise.all(pools.map((pool) => pool.close(refusals.shuttingDown())));
  }

  /** Requests finish, and starts that nobody waits for any more are given up. */
  async #settled(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.giveUpStarts()));
    const busy = () => [...this.#pools.values()].some((pool) => pool.requests.demand > 0);
    while (busy()) await pause(this.#deps.timers, 50);
  }

  #poolOf(target: ActivationTarget): ServicePool {
    const key = keyOf(target);
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = new ServicePool(this.#context, target);
      pool.live = this.#reconciler.isLive(key);
      pool.paused = this.#paused.has(`${target.projectId}/${target.service.name}`);
      this.#pools.set(key, pool);
    }
    return pool;
  }

  #of(deploymentId: string): ServicePool[] {
    return [...this.#pools.values()].filter((pool) => pool.target.deploymentId === deploymentId);
  }

  #ofService(projectId: string, service: string): ServicePool[] {
    return [...this.#pools.values()].filter(
      ({ target }) => target.projectId === projectId && target.service.name === service,
    );
  }

  #scale(): void {
    const { timers, settings } = this.#deps;
    timers.after(settings.scale.tickMs, () => {
      if (this.#stop.signal.aborted) return;
      const now = timers.now();
      for (const pool of [...this.#pools.values()]) pool.tick(now);
      this.#scale();
    });
  }

  #engineChanged(down: boolean): void {
    const { log } = this.#deps;
    if (down) {
      log.error('the container engine does not answer', { reason: this.#context.engine.reason });
      this.#reconciler.untilItAnswers();
    } else {
      log.info('the container engine answers again');
      for (const pool of [...this.#pools.values()]) pool.wake();
    }
  }

  /** The one without requests for the longest time, of a service that has more than its least number. */
  #makeRoom(for_: ServicePool): boolean {
    this.#starved.add(for_);
    let oldest: { pool: ServicePool; instance: Instance } | undefined;
    for (const pool of this.#pools.values()) {
      const mayEnd = pool !== for_ && pool.size > pool.min;
      for (const instance of pool.instances) {
        if (instance.ending && instance.state !== 'draining') return true;
        if (!mayEnd || instance.changing) continue;
        if (instance.state !== 'idle' && instance.state !== 'frozen') continue;
        if (!oldest || instance.activeAt < oldest.instance.activeAt) oldest = { pool, instance };
      }
    }
    if (!oldest) return false;
    void oldest.pool.end(oldest.instance, 'its memory is needed by others');
    return true;
  }

  #roomCame(): void {
    const starved = [...this.#starved];
    this.#starved.clear();
    for (const pool of starved) pool.wake();
  }

  #countAhead(): number {
    let count = 0;
    for (const pool of this.#pools.values()) count += pool.ahead.instances().length;
    return count;
  }
}
