import type { Logger } from '../observability/logger.ts';
import type { Audit, AuditRecord, AuditRow } from '../ports/audit.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import { RefusalLimit } from './refusal-limit.ts';

export interface AuditLogDeps {
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly log: Pick<Logger, 'warn'>;
  /** Records that were lost: the database did not take them as fast as they came. */
  readonly dropped: (count: number) => void;
  readonly retentionMs: number;
}

export interface AuditTimes {
  /** From a record to the write that takes it and what follows it. */
  readonly flushMs: number;
  /** After a write that failed. */
  readonly retryMs: number;
  /** From one note of what was left out to the next. */
  readonly noteMs: number;
  readonly pruneMs: number;
}

const usualTimes: AuditTimes = {
  flushMs: 250,
  retryMs: 5000,
  noteMs: 60_000,
  pruneMs: 600_000,
};

const batch = 200;
/** Some 5 MB. */
const mostWaiting = 10_000;

/** Refusals of one caller or address: 30 at once, then 10 a minute. Of all: 500 at once, then 1 a second. */
const bySource = { burst: 30, everyMs: 6000 };
const overAll = { burst: 500, everyMs: 1000 };

/**
 * Keeps who did what. Records wait in memory for a moment and are written in batches, so no request waits
 * for them; a process that is killed takes the last quarter of a second along. Refusals are let in at a
 * limited rate, since anyone can cause them.
 */
export class AuditLog implements Audit {
  readonly #deps: AuditLogDeps;
  readonly #times: AuditTimes;
  readonly #refusals = new RefusalLimit(bySource, overAll);
  readonly #pruning: NodeJS.Timeout;
  #waiting: AuditRow[] = [];
  #due: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #left = { refusals: 0, dropped: 0 };
  #notedAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(deps: AuditLogDeps, times: Partial<AuditTimes> = {}) {
    this.#deps = deps;
    this.#times = { ...usualTimes, ...times };
    this.#pruning = setInterval(() => {
      this.prune().catch((cause: unknown) => this.#warn(cause));
    }, this.#times.pruneMs).unref();
  }

  record(record: AuditRecord): void {
    const now = this.#deps.clock.now();
    const { identity, result, address } = record;
    const source = identity.kind === 'anonymous' ? `at ${address}` : identity.id;
    if (result !== 'ok' && !this.#refusals.take(source, now)) this.#left.refusals += 1;
    else this.#take(toRow(record, this.#deps.newId(), now));
    this.#schedule(this.#times.flushMs);
  }

  /** Resolves when what was recorded until now is written. Rejects where it cannot be. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  /** Removes what is older than it is to be kept, a part at a time. */
  async prune(): Promise<void> {
    const { writer, clock, retentionMs } = this.#deps;
    for (let more = true; more && !this.#closed; ) {
      const before = clock.now() - retentionMs;
      ({ more } = await writer.run('PruneAudit', { before, limit: 500 }));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#pruning);
    clearTimeout(this.#due);
    this.#notedAt = Number.NEGATIVE_INFINITY;
    await this.flush().catch((cause: unknown) => this.#warn(cause));
  }

  #take(row: AuditRow): void {
    if (this.#waiting.length < mostWaiting) this.#waiting.push(row);
    else {
      this.#left.dropped += 1;
      this.#deps.dropped(1);
    }
  }

  #schedule(ms: number): void {
    if (this.#closed) return;
    this.#due ??= setTimeout(() => {
      this.#due = undefined;
      this.flush().catch((cause: unknown) => {
        this.#warn(cause);
        this.#schedule(this.#times.retryMs);
      });
    }, ms).unref();
  }

  async #write(): Promise<void> {
    this.#note();
    while (this.#waiting.length > 0) {
      const rows = this.#waiting.slice(0, batch);
      await this.#deps.writer.run('AppendAudit', { rows });
      this.#waiting = this.#waiting.slice(rows.length);
    }
  }

  /** What is not in the log is said in the log. */
  #note(): void {
    const { clock, newId } = this.#deps;
    const now = clock.now();
    if (now - this.#notedAt < this.#times.noteMs) return;
    const { refusals, dropped } = this.#left;
    this.#left = { refusals: 0, dropped: 0 };
    const note = (action: string, reason: string) => {
      this.#notedAt = now;
      const identity = { id: 'gantry', actor: 'gantry', kind: 'anonymous' } as const;
      const record = { identity, address: undefined, action, result: 'too-many-requests', reason };
      this.#waiting.push(toRow(record, newId(), now));
    };
    if (refusals > 0)
      note('audit.limited', `${refusals} refusals are not in the log: too many came.`);
    if (dropped > 0) {
      note('audit.dropped', `${dropped} records are not in the log: the database took none.`);
      this.#warn(`${dropped} audit records were lost`);
    }
  }

  #warn(cause: unknown): void {
    this.#deps.log.warn('audit log', { cause: String(cause), waiting: this.#waiting.length });
  }
}

function toRow(record: AuditRecord, id: string, at: number): AuditRow {
  const { identity } = record;
  const cut = (text: string | undefined, length: number) => text?.slice(0, length);
  return {
    ...{ id, at, teamId: record.teamId, projectId: record.projectId },
    actorId: cut(identity.id, 200)!,
    actor: cut(identity.actor, 200)!,
    actorKind: identity.kind,
    address: cut(record.address, 64),
    action: cut(record.action, 100)!,
    target: cut(record.target, 512),
    result: record.result,
    reason: cut(record.reason, 500),
    requestId: record.requestId,
  };
}
