import type { Awaitable } from './awaitable.ts';
import type { Identity } from './identity.ts';

/** What somebody did, or was refused. */
export interface AuditRecord {
  readonly identity: Pick<Identity, 'id' | 'actor'> & {
    /** `operator`: whoever holds the data folder. */
    readonly kind: Identity['kind'] | 'operator';
  };
  readonly address: string | undefined;
  /** Such as `token.create`. */
  readonly action: string;
  /** What it was done to: a name or an id. */
  readonly target?: string | undefined;
  readonly teamId?: string | undefined;
  readonly projectId?: string | undefined;
  /** `ok`, or the kind of the refusal. */
  readonly result: string;
  readonly reason?: string | undefined;
  readonly requestId?: string | undefined;
}

/** Takes records without waiting; they are written in batches. */
export interface Audit {
  record(record: AuditRecord): void;
}

/** A record as it is kept. */
export interface AuditRow {
  readonly id: string;
  /** UTC milliseconds. */
  readonly at: number;
  readonly teamId: string | undefined;
  readonly projectId: string | undefined;
  readonly actorId: string;
  readonly actor: string;
  readonly actorKind: string;
  readonly address: string | undefined;
  readonly action: string;
  readonly target: string | undefined;
  readonly result: string;
  readonly reason: string | undefined;
  readonly requestId: string | undefined;
}

/** A place in the log, between two rows. */
export interface AuditPlace {
  readonly at: number;
  readonly id: string;
}

export interface AuditRows {
  /**
   * From the newest back, behind `before`, not older than `since`; of one team, or of the whole
   * installation.
   */
  list(
    teamId: string | undefined,
    before: AuditPlace | undefined,
    since: number,
    limit: number,
  ): Awaitable<AuditRow[]>;
}
