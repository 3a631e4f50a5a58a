import type { Clock } from '../../ports/clock.ts';
import type { CommandWriter } from '../../ports/commands.ts';
import type { Deployments } from '../../ports/functions.ts';
import type { Timer, Timers } from '../timers.ts';

export interface PrunerDeps {
  readonly deployments: Pick<Deployments, 'prunable'>;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly settings: PruneSettings;
  /** Deployments that have an instance, in whatever state. */
  readonly running: () => ReadonlySet<string>;
  /** Nothing leads to it any more. */
  readonly removed: (deploymentId: string) => void;
  readonly failed: (cause: unknown) => void;
}

export interface PruneSettings {
  /** The newest of each service in each environment stay, so many that are ready and so many others; 0: all stay. */
  readonly keep: number;
  /** Milliseconds for which every deployment stays. */
  readonly keepForMs: number;
}

const everyMs = 3_600_000;
const firstAfterMs = 60_000;
/** Of one read, and of one write: pushes never wait long behind it. */
const page = 500;
const batch = 50;

/**
 * Lets go of deployments that nobody can want back: run by the process that runs functions, which alone knows what has
 * instances.
 */
export class Pruner {
  readonly #deps: PrunerDeps;
  #timer: Timer | undefined;
  #running: Promise<number> | undefined;
  #closed = false;

  constructor(deps: PrunerDeps) {
    this.#deps = deps;
  }

  start(): void {
    if (this.#deps.settings.keep > 0) this.#arm(firstAfterMs);
  }

  /** How many went. One run at a time: who asks during one gets that. */
  run(): Promise<number> {
    this.#running ??= this.#prune().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running?.catch(() => {});
  }

  #arm(ms: number): void {
    if (this.#closed) return;
    this.#timer = this.#deps.timers.after(ms, () => {
      this.run()
        .catch(this.#deps.failed)
        .finally(() => this.#arm(everyMs));
    });
  }

  async #prune(): Promise<number> {
    const { deployments, writer, clock, settings, running, removed } = this.#deps;
    if (settings.keep === 0) return 0;
    const rule = { keep: settings.keep, before: clock.now() - settings.keepForMs };
    let gone = 0;
    while (!this.#closed) {
      const rows = await deployments.prunable(rule, page);
      const live = running();
      const ids = rows.map(({ id }) => id).filter((id) => !live.has(id));
      let taken = 0;
      for (let at = 0; at < ids.length && !this.#closed; at += batch) {
        const some = ids.slice(at, at + batch);
        for (const id of (await writer.run('PruneDeployments', { ids: some })).removed) {
          taken++;
          removed(id);
        }
      }
      gone += taken;
      if (rows.length < page || taken === 0) break;
    }
    return gone;
  }
}
