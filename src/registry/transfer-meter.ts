import type { Plans } from '../config/plans.ts';
import { refuse } from '../oci/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import { monthOf, type Usage } from '../ports/usage.ts';

export interface TransferDeps {
  readonly usage: Pick<Usage, 'pulled'>;
  readonly writer: CommandWriter;
  readonly plans: Plans;
  readonly clock: Clock;
  readonly everyMs: number;
}

interface Moved {
  pulled: number;
  pushed: number;
}

/**
 * Counts the bytes that are moved, and writes them down now and then: no request waits for it. A team past
 * its plan's transfer is refused from the next writing on, or at once where it pulled before in that month.
 */
export class TransferMeter {
  readonly #deps: TransferDeps;
  readonly #timer: NodeJS.Timeout;
  /** By project, since they were last written. */
  #moved = new Map<string, Moved>();
  /** Teams that pulled this month and have a limit. */
  #teams = new Map<string, { bytes: number; limit: number }>();

  constructor(deps: TransferDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.flush().catch(() => {}), deps.everyMs);
    this.#timer.unref();
  }

  /** Throws `quota` where the team's transfer of this month is used up. */
  pulled({ teamId, projectId }: { teamId: string; projectId: string }, bytes: number): void {
    const team = this.#teams.get(teamId);
    if (team) {
      if (team.bytes >= team.limit) throw this.#usedUp(team.limit);
      team.bytes += bytes;
    }
    this.#of(projectId).pulled += bytes;
  }

  pushed(projectId: string, bytes: number): void {
    this.#of(projectId).pushed += bytes;
  }

  /** Undefined: no limit, or nothing was pulled this month. */
  ofTeam(teamId: string): { readonly bytes: number; readonly limit: number } | undefined {
    return this.#teams.get(teamId);
  }

  /** Reads what was pulled this month. */
  async refresh(): Promise<void> {
    const { usage, plans, clock } = this.#deps;
    if (Object.values(plans).every(({ transfer }) => transfer === undefined)) return;
    const teams = new Map<string, { bytes: number; limit: number }>();
    for (const { teamId, plan, bytes } of await usage.pulled(monthOf(clock.now()))) {
      const limit = plans[plan].transfer;
      if (limit !== undefined) teams.set(teamId, { bytes, limit });
    }
    this.#teams = teams;
  }

  async flush(): Promise<void> {
    const moved = this.#moved;
    if (moved.size > 0) {
      this.#moved = new Map();
      const entries = [...moved].map(([projectId, bytes]) => ({ projectId, ...bytes }));
      const month = monthOf(this.#deps.clock.now());
      try {
        await this.#deps.writer.run('AddTransfer', { month, entries });
      } catch (error) {
        for (const [projectId, { pulled, pushed }] of moved) {
          const kept = this.#of(projectId);
          kept.pulled += pulled;
          kept.pushed += pushed;
        }
        throw error;
      }
    }
    await this.refresh();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  #of(projectId: string): Moved {
    let moved = this.#moved.get(projectId);
    if (!moved) {
      moved = { pulled: 0, pushed: 0 };
      this.#moved.set(projectId, moved);
    }
    return moved;
  }

  /** Says no number of its own: whoever pulls what is public may hear it. */
  #usedUp(limit: number) {
    const now = new Date(this.#deps.clock.now());
    const next = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1));
    return refuse(
      'quota',
      `The team's transfer of this month is used up: its plan allows ${limit} bytes.`,
      `Wait until ${next.toISOString().slice(0, 10)} (UTC), or ask an operator for another plan.`,
      { limit },
    );
  }
}
