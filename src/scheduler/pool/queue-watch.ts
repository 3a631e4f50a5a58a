import { pause } from '../timers.ts';
import type { PoolContext } from './pool-context.ts';
import * as refusals from './refusals.ts';
import type { ServicePool } from './service-pool.ts';

const everyMs = 500;
/** Requests that wait for longer than a start takes as a rule: the engine is asked whether it answers at all. */
const slowMs = 2_500;

/** Looks after those who wait: for longer than they may, or for an engine that is away. Runs while any does. */
export class QueueWatch {
  readonly #context: PoolContext;
  readonly #pool: ServicePool;
  #running = false;

  constructor(context: PoolContext, pool: ServicePool) {
    this.#context = context;
    this.#pool = pool;
  }

  begin(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#watch().finally(() => {
      this.#running = false;
    });
  }

  async #watch(): Promise<void> {
    const { deps, engine } = this.#context;
    const { timers, settings } = deps;
    const { requests, limits } = this.#pool;
    const { queue } = requests;
    while (queue.size > 0) {
      await pause(timers, everyMs);
      const now = timers.now();
      const late = refusals.queueTimeout(limits.queueMs, requests.retryMs());
      queue.refuse(late, now - limits.queueMs);
      if (queue.first && now - queue.first.since >= slowMs) void engine.look();
      const { downSince } = engine;
      // It counts from when they came: they found it so.
      if (downSince !== undefined && now - downSince >= settings.engineWaitMs - slowMs) {
        // Those that came later wait as long.
        queue.refuse(refusals.engineAway(engine.reason), now - settings.engineWaitMs);
      }
      if (queue.size > 0) this.#pool.wake();
    }
  }
}
