import type { Identity } from '../../ports/identity.ts';

/** What somebody did, or was refused. */
export interface AuditRecord {
  readonly identity: Pick<Identity, 'id' | 'actor' | 'kind'>;
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
