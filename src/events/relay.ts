import type { Clock } from '../ports/clock.ts';
import type { Commands, CommandWriter } from '../ports/commands.ts';
import type { Outbox } from '../ports/outbox.ts';

export interface RelayDeps {
  readonly writer: CommandWriter;
  /** False: another replica relays now. */
  readonly leads?: () => boolean;
  readonly outbox: Outbox;
  readonly clock: Clock;
  /** Events up to `position` are published; `deliveries`: some are for webhooks. */
  readonly published: (position: number, deliveries: boolean) => Promise<void> | void;
  readonly failed: (cause: unknown) => void;
  /** How long events are kept, in milliseconds, and how many at most. */
  readonly keep: { readonly forMs: number; readonly count: number };
}

export interface RelayTimes {
  /** From a commit to the run of the relay: commits that follow closely share one. */
  readonly delayMs: number;
  readonly pollMs: number;
  readonly pruneMs: number;
}

/** At 10 ms instead, eight clients that push at once get a fifth less through: each run costs the writer. */
const usualTimes: RelayTimes = { delayMs: 50, pollMs: 1000, pruneMs: 60_000 };

/** Small enough that a push never waits long behind it in the writer. */
const batch = 200;

/**
 * Moves events from the outbox to where they are read and sent from. Each batch is one transaction, so a
 * crash at any point leaves every event in one of the two, once.
 */
export class Relay {
  readonly #deps: RelayDeps;
  readonly #times: RelayTimes;
  readonly #timers: NodeJS.Timeout[];
  #due: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(deps: RelayDeps, times: Partial<RelayTimes> = {}) {
    this.#deps = deps;
    this.#times = { ...usualTimes, ...times };
    const { pollMs, pruneMs } = this.#times;
    this.#timers = [
      setInterval(() => this.wake(), pollMs).unref(),
      setInterval(() => {
        if (deps.leads?.() !== false) this.prune().catch(deps.failed);
      }, pruneMs).unref(),
    ];
  }

  /** Something was committed, or may have been. Many calls make one run. */
  wake(): void {
    if (this.#stopped || this.#due) return;
    this.#due = setTimeout(() => {
      this.#due = undefined;
      this.#start();
    }, this.#times.delayMs).unref();
  }

  /** Resolves when what is in the outbox now has been moved. Rejects where that fails. */
  async flush(): Promise<void> {
    while (this.#running) await this.#running;
    await this.#move();
  }

  /** Removes what is no longer kept, a part at a time. */
  async prune(): Promise<void> {
    const { writer, clock, keep } = this.#deps;
    for (let more = true; more && !this.#stopped; ) {
      const before = clock.now() - keep.forMs;
      ({ more } = await writer.run('PruneEvents', { before, keep: keep.count, limit: 500 }));
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#due);
    while (this.#running) await this.#running;
  }

  #start(): void {
    if (this.#stopped || this.#deps.leads?.() === false) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = this.#move()
      .catch((error: unknown) => this.#deps.failed(error))
      .finally(() => {
        this.#running = undefined;
        if (this.#again) {
          this.#again = false;
          this.#start();
        }
      });
  }

  async #move(): Promise<void> {
    const { outbox, writer, clock, published } = this.#deps;
    if (await outbox.isEmpty()) return;
    let after: Commands['RelayEvents']['args']['after'];
    do {
      const now = clock.now();
      const result = await writer.run('RelayEvents', { after, limit: batch, now });
      after = result.next;
      await published(result.position, result.deliveries > 0);
    } while (after && !this.#stopped);
  }
}
