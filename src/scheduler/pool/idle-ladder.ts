import { nextRung } from '../decide-scale.ts';
import type { Instance } from './instance-record.ts';
import type { PoolContext } from './pool-context.ts';
import type { ServicePool } from './service-pool.ts';

/** How long requests that had resolved the name just before a deploy may still come. */
const retiredIdleMs = 10_000;

/** Takes instances without requests from running to frozen to ended. One timer an instance, looked at when it is due. */
export class IdleLadder {
  readonly #context: PoolContext;
  readonly #pool: ServicePool;

  constructor(context: PoolContext, pool: ServicePool) {
    this.#context = context;
    this.#pool = pool;
  }

  arm(instance: Instance): void {
    const { deps, life } = this.#context;
    if (instance.changing || instance.ending || instance.ahead) return;
    const frozen = instance.state === 'frozen';
    if (!frozen && instance.state !== 'idle') return;
    const pool = this.#pool;
    const { freezeAfterMs, idleMs } = pool.limits.ladder;
    const rung = nextRung(
      {
        frozen,
        idleForMs: deps.timers.now() - instance.activeAt,
        mayEnd: pool.size > pool.min,
      },
      {
        freezeAfterMs: life.freezes ? freezeAfterMs : 0,
        idleMs: pool.retired ? Math.min(idleMs, retiredIdleMs) : idleMs,
      },
    );
    if (rung.do === 'freeze') life.freeze(instance, pool);
    else if (rung.do === 'end') void pool.end(instance, 'idle');
    else if (rung.do === 'wait') this.#lookIn(instance, rung.ms);
  }

  #lookIn(instance: Instance, within: number): void {
    const { timers } = this.#context.deps;
    // Fractions of time may be too small to move it: the next look would be now, again and again.
    const ms = Math.max(1, Math.ceil(within));
    const at = timers.now() + ms;
    // An earlier look sees how long is left, and comes back here.
    if (instance.timer && instance.timerAt <= at) return;
    instance.timer?.cancel();
    instance.timerAt = at;
    instance.timer = timers.after(ms, () => {
      instance.timer = undefined;
      this.arm(instance);
    });
  }
}
