import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../ports/clock.ts';
import {
  type RuntimeDriver,
  RuntimeError,
  type RuntimeLogLine,
} from '../../ports/runtime-driver.ts';
import { RecentLines } from './recent-lines.ts';

export interface FollowerDeps {
  readonly driver: Pick<RuntimeDriver, 'logs'>;
  readonly clock: Clock;
  readonly line: (line: RuntimeLogLine) => void;
  /** Lines were dropped: for people. */
  readonly notice: (text: string) => void;
  /** Lines a second; four times as many at once. */
  readonly rate: number;
}

export interface FollowerTimes {
  /** Before a connection that was lost is made again; twice as long each time, up to `mostMs`. */
  readonly retryMs: number;
  readonly mostMs: number;
  /** How long nothing is read after too many lines came. */
  readonly pauseMs: number;
  /** From the instance's end to the end of its lines. */
  readonly drainMs: number;
}

const usual: FollowerTimes = { retryMs: 250, mostMs: 5000, pauseMs: 1000, drainMs: 3000 };

/**
 * Reads the lines of one instance until its end. Where the connection to the engine is lost it reads on from
 * where it was: no line is lost or comes twice. An instance that writes more than it may is not listened to
 * for a second: what it wrote meanwhile is not read, so it costs nothing, and a notice says so.
 */
export class LogFollower {
  readonly #deps: FollowerDeps;
  readonly #times: FollowerTimes;
  readonly #id: string;
  readonly #recent = new RecentLines();
  readonly #stop = new AbortController();
  readonly #ended = new AbortController();
  readonly #done: Promise<void>;
  #tokens: number;
  #filledAt: number;

  /** `known`: its last lines that were kept before, by another process. */
  constructor(
    deps: FollowerDeps,
    id: string,
    known: () => PromiseLike<readonly RuntimeLogLine[]>,
    times: Partial<FollowerTimes> = {},
  ) {
    this.#deps = deps;
    this.#times = { ...usual, ...times };
    this.#id = id;
    this.#tokens = deps.rate * 4;
    this.#filledAt = deps.clock.now();
    this.#done = this.#run(known);
  }

  /** The instance has ended: resolves when its last lines are read. */
  async finish(): Promise<void> {
    this.#ended.abort();
    const late = setTimeout(() => this.#stop.abort(), this.#times.drainMs);
    await this.#done;
    clearTimeout(late);
  }

  /** Reads no more. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(known: () => PromiseLike<readonly RuntimeLogLine[]>): Promise<void> {
    const lines = await Promise.resolve(known()).catch(() => []);
    for (const line of lines) this.#recent.note(line);
    let from: { since?: number } | { tail: number } = sinceOf(this.#recent);
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      const last = this.#ended.signal.aborted;
      const outcome = await this.#read(from, !last);
      if (outcome === 'gone' || (last && outcome !== 'failed')) return;
      if (outcome === 'too-many') {
        this.#deps.notice(
          `[gantry] Lines are dropped: the instance wrote more than ${this.#deps.rate} a second.`,
        );
        await this.#pause(this.#times.pauseMs);
        this.#tokens = Math.max(this.#tokens, this.#deps.rate);
        from = { tail: 0 };
        continue;
      }
      failures = outcome === 'read' ? 0 : failures + 1;
      // Its end is known a moment later than that of its lines.
      await this.#pause(Math.min(this.#times.retryMs * 2 ** failures, this.#times.mostMs));
      from = sinceOf(this.#recent);
    }
  }

  /** `read`: some lines came, then it ended; `nothing`: it ended at once. */
  async #read(
    from: { since?: number } | { tail: number },
    follow: boolean,
  ): Promise<'read' | 'nothing' | 'failed' | 'gone' | 'too-many'> {
    const { driver, line: take } = this.#deps;
    const { signal } = this.#stop;
    let outcome: 'read' | 'nothing' = 'nothing';
    try {
      for await (const line of driver.logs(this.#id, { ...from, follow, signal })) {
        if (!this.#recent.isNew(line)) continue;
        outcome = 'read';
        if (!this.#mayTake()) return 'too-many';
        take(line);
      }
      return outcome;
    } catch (error) {
      const gone = error instanceof RuntimeError && error.failure === 'no-such-instance';
      return gone ? 'gone' : 'failed';
    }
  }

  #mayTake(): boolean {
    const { rate, clock } = this.#deps;
    const now = clock.now();
    const passed = Math.max(0, now - this.#filledAt);
    this.#filledAt = now;
    this.#tokens = Math.min(rate * 4, this.#tokens + (passed * rate) / 1000);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Shorter where the instance ends meanwhile. */
  async #pause(ms: number): Promise<void> {
    const signals = [
      this.#stop.signal,
      ...(this.#ended.signal.aborted ? [] : [this.#ended.signal]),
    ];
    await delay(ms, undefined, { signal: AbortSignal.any(signals) }).catch(() => {});
  }
}

function sinceOf(recent: RecentLines): { since?: number } {
  const since = recent.resume();
  return since === undefined ? {} : { since };
}
