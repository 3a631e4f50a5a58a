import type { RuntimeEvent, RuntimeInstance } from '../../ports/runtime-driver.ts';
import type { ActivationTarget } from '../activation.ts';
import { pause, withDeadline } from '../timers.ts';
import { adoptInstance } from './adopt-instance.ts';
import { engineLimits } from './engine-limits.ts';
import { gone, removed } from './instance-life.ts';
import type { Instance } from './instance-record.ts';
import type { PoolContext } from './pool-context.ts';
import { deletedDeployment } from './refusals.ts';
import { keyOf, type ServicePool } from './service-pool.ts';

export interface ReconciledPools {
  readonly pools: ReadonlyMap<string, ServicePool>;
  poolOf(target: ActivationTarget): ServicePool;
  readonly stopped: AbortSignal;
}

/** Waits between tries to reach the engine. */
const retryMs = { first: 250, most: 5_000 } as const;
/** For the engine to have taken up the subscription to its events, before what was missed is looked for. */
const subscribedMs = 200;

/** Makes what should run (the database) and what runs (the engine's list) agree. */
export class Reconciler {
  readonly #context: PoolContext;
  readonly #held: ReconciledPools;
  #running: Promise<void> | undefined;
  #again = false;
  #polling = false;
  #live: ReadonlySet<string> = new Set();

  constructor(context: PoolContext, held: ReconciledPools) {
    this.#context = context;
    this.#held = held;
  }

  /** Resolves when it was tried once. */
  async start(): Promise<void> {
    void this.#followEvents();
    await this.run();
    void this.#everySoOften();
  }

  /** Calls while one is under way make one more. Never rejects. */
  run(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#runs().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #runs(): Promise<void> {
    const { engine, deps } = this.#context;
    do {
      this.#again = false;
      try {
        await this.#agree();
        engine.answered();
        await this.syncLive();
        await this.#checkPools();
      } catch (error) {
        if (this.#stopped) return;
        deps.log.warn('what runs could not be compared with what should run', {
          error: String(error),
        });
      }
    } while (this.#again && !this.#stopped);
  }

  /** Least numbers follow the pointers. */
  async syncLive(): Promise<void> {
    const live = await this.#context.deps.deployed.live();
    const keys = new Set(live.map(keyOf));
    this.#live = keys;
    for (const pool of [...this.#held.pools.values()]) {
      if ((pool.live || pool.adopted) && !keys.has(pool.key)) pool.retire();
      pool.adopted = false;
    }
    for (const target of live) {
      // One that keeps none running and has none needs no pool.
      const keeps = (target.service.settings.minInstances ?? 0) > 0;
      if (keeps || this.#held.pools.has(keyOf(target))) this.#held.poolOf(target).becomeLive();
    }
  }

  /** Whether a pointer names its deployment, as far as was last read. */
  isLive(key: string): boolean {
    return this.#live.has(key);
  }

  async checkFingerprint(pool: ServicePool): Promise<void> {
    try {
      pool.fingerprintIs(await this.#context.deps.environment.fingerprint(pool.target));
    } catch (error) {
      // What runs goes on; what starts next says what is missing.
      this.#context.deps.log.warn('the settings of a service cannot be resolved', {
        service: pool.key,
        error: String(error),
      });
    }
  }

  /** Asks again and again; what it finds then is reconciled, and requests go on. */
  untilItAnswers(): void {
    if (this.#polling) return;
    this.#polling = true;
    void this.#poll().finally(() => {
      this.#polling = false;
    });
  }

  async #poll(): Promise<void> {
    const { timers } = this.#context.deps;
    let wait: number = retryMs.first;
    while (!this.#stopped && this.#context.engine.downSince !== undefined) {
      await pause(timers, wait, this.#held.stopped);
      wait = Math.min(wait * 2, retryMs.most);
      if (!this.#stopped) await this.run();
    }
  }

  get #stopped(): boolean {
    return this.#held.stopped.aborted;
  }

  async #everySoOften(): Promise<void> {
    const { timers, settings } = this.#context.deps;
    while (!this.#stopped) {
      await pause(timers, settings.reconcileMs, this.#held.stopped);
      if (!this.#stopped) await this.run();
    }
  }

  async #followEvents(): Promise<void> {
    const { driver, timers, log } = this.#context.deps;
    const { stopped } = this.#held;
    let wait: number = retryMs.first;
    while (!this.#stopped) {
      const began = timers.now();
      // What happened while nobody listened is in the list.
      const missed = timers.after(subscribedMs, () => void this.run());
      try {
        for await (const event of driver.events(stopped)) this.#take(event);
      } catch (error) {
        log.debug('the events of the engine broke off', { error: String(error) });
      }
      missed.cancel();
      if (this.#stopped) return;
      wait = timers.now() - began > retryMs.most ? retryMs.first : Math.min(wait * 2, retryMs.most);
      await pause(timers, wait, stopped);
    }
  }

  #take(event: RuntimeEvent): void {
    const held = this.#context.index.get(event.instanceId);
    if (!held) return;
    const { pool, instance } = held;
    const { life } = this.#context;
    switch (event.type) {
      case 'started':
      case 'out-of-memory':
        // Of one of its processes; where that was the first, `ended` follows.
        return;
      case 'disk-full':
        life.died(instance, pool, event.exit, 'it wrote more than its diskSize allows');
        return;
      case 'volume-full':
        life.died(
          instance,
          pool,
          event.exit,
          'a volume that it mounts holds more than its maxBytes',
        );
        return;
      case 'ended':
        life.died(instance, pool, event.exit);
        return;
      case 'removed':
        if (instance.ahead) pool.ahead.lost(instance.id);
        else life.died(instance, pool, event.exit, removed);
    }
  }

  async #agree(): Promise<void> {
    const { deps, engine, life } = this.#context;
    // Those that the engine had before it was asked: what was made since is not in its answer.
    const before = new Map<string, { pool: ServicePool; instance: Instance }>();
    for (const pool of this.#held.pools.values()) {
      for (const instance of pool.containers()) before.set(instance.id, { pool, instance });
    }
    const listing = withDeadline(deps.timers, engineLimits.list, 'list', deps.driver.list());
    const list = await listing.catch((error: unknown) => {
      engine.failed(error);
      throw error;
    });
    const found = new Set<string>();
    const unknown: RuntimeInstance[] = [];
    for (const runtime of list) {
      if (runtime.labels.installation !== deps.installation) continue;
      if (runtime.labels.kind !== 'function') continue;
      found.add(runtime.instanceId);
      const held = this.#context.index.get(runtime.instanceId);
      if (!held) unknown.push(runtime);
      else if (runtime.state === 'ended') life.died(held.instance, held.pool, runtime.exit);
    }
    for (const [id, { pool, instance }] of before) {
      if (found.has(id)) continue;
      if (instance.ahead) pool.ahead.lost(id);
      else life.died(instance, pool, undefined, gone);
    }
    // Newest first: where there are too many, the oldest go.
    unknown.sort((a, b) => b.labels.createdAt - a.labels.createdAt);
    for (const runtime of unknown) {
      if (this.#stopped) return;
      await adoptInstance(this.#context, this.#held, runtime);
    }
  }

  async #checkPools(): Promise<void> {
    for (const pool of [...this.#held.pools.values()]) {
      if (this.#stopped) return;
      if (pool.instances.size === 0 && pool.ahead.instances().length === 0) continue;
      const { deploymentId, service } = pool.target;
      const target = await this.#context.deps.deployed.find(deploymentId, service.name);
      // While it is deployed it is not ready yet.
      if (target) pool.confirmed = true;
      else if (pool.confirmed && !pool.paused && !pool.closed) {
        void pool.close(deletedDeployment(deploymentId));
        continue;
      }
      await this.checkFingerprint(pool);
    }
  }
}
