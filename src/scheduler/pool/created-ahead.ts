import type { Instance } from './instance-record.ts';
import type { PoolContext } from './pool-context.ts';
import type { ServicePool } from './service-pool.ts';
import type { CreatedContainer } from './start-instance.ts';

export interface AheadContainer {
  readonly instance: Instance;
  readonly created: CreatedContainer;
  /** Monotonic milliseconds. */
  readonly at: number;
}

/**
 * The one container of a service that is created and not started, so that the next start skips that. Of the
 * fingerprint it was made with only; it holds no memory, and is kept for a while.
 */
export class CreatedAhead {
  readonly #context: PoolContext;
  readonly #pool: ServicePool;
  #kept: AheadContainer | undefined;
  #making: Instance | undefined;

  constructor(context: PoolContext, pool: ServicePool) {
    this.#context = context;
    this.#pool = pool;
  }

  instances(): Instance[] {
    const instance = this.#kept?.instance ?? this.#making;
    return instance ? [instance] : [];
  }

  /** Makes one where there is none and it may be. */
  replenish(): void {
    const { engine, memory, mayCreateAhead, deps } = this.#context;
    const pool = this.#pool;
    if (this.#kept || this.#making || pool.paused || pool.closed || pool.retired) return;
    if (deps.settings.createdAheadMs <= 0 || engine.downSince !== undefined) return;
    if (pool.failures.remaining !== undefined || !mayCreateAhead()) return;
    // One that could not be started would only be in the way.
    if (memory.used + pool.limits.memory > memory.limit) return;
    const instance = pool.newInstance();
    instance.ahead = true;
    this.#making = instance;
    instance.announce();
    instance.work = this.#make(instance);
  }

  async #make(instance: Instance): Promise<void> {
    const { life, deps } = this.#context;
    try {
      const created = await life.starter.create(instance);
      life.keep(instance, created);
      if (!instance.ending) this.#kept = { instance, created, at: deps.timers.now() };
    } catch (error) {
      deps.log.debug('no container was created ahead', { error: String(error) });
      void this.#pool.end(instance, 'it could not be created');
    } finally {
      if (this.#making === instance) this.#making = undefined;
    }
  }

  /** One that an earlier process left. False: there is another one already. */
  adopt(instance: Instance, created: CreatedContainer): boolean {
    if (this.#kept || this.#making) return false;
    instance.ahead = true;
    this.#context.life.keep(instance, created);
    this.#kept = { instance, created, at: this.#context.deps.timers.now() };
    return true;
  }

  take(): AheadContainer | undefined {
    const kept = this.#kept;
    this.#kept = undefined;
    return kept;
  }

  giveBack(container: AheadContainer): void {
    this.#kept = container;
  }

  /** Ends one that is too old; a service that a pointer names gets another. */
  age(now: number): void {
    const kept = this.#kept;
    if (!kept || now - kept.at < this.#context.deps.settings.createdAheadMs) return;
    void this.clear('it was created too long ago');
    if (this.#pool.live) this.replenish();
  }

  fingerprintIs(fingerprint: string): void {
    if (!this.#kept || this.#kept.created.fingerprint === fingerprint) return;
    void this.clear('its settings changed');
    this.replenish();
  }

  /** The engine does not have it any more. */
  lost(instanceId: string): void {
    if (this.#kept?.instance.id === instanceId) void this.clear('its container is gone');
  }

  async clear(reason: string): Promise<void> {
    const instance = this.#kept?.instance ?? this.#making;
    this.#kept = undefined;
    if (instance) await this.#pool.end(instance, reason);
  }
}
