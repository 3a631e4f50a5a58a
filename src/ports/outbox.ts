import type { Awaitable } from './awaitable.ts';

export type EventType =
  | 'image.pushed'
  | 'tag.moved'
  | 'tag.deleted'
  | 'manifest.deleted'
  | 'manifest.quarantined'
  | 'blob.quarantined'
  | 'repository.created'
  | 'repository.deleted'
  | 'token.created'
  | 'token.revoked'
  | 'deployment.ready'
  | 'deployment.failed'
  | 'environment.moved';

/** What happened, written in the transaction of the change itself. */
export interface OutboxRow {
  readonly id: string;
  readonly repositoryId: string;
  /** 1, 2, 3 … within the repository, without gaps. */
  readonly sequence: number;
  readonly type: EventType;
  readonly data: Readonly<Record<string, unknown>>;
  readonly createdAt: number;
}

export const allEventTypes: readonly EventType[] = [
  'image.pushed',
  'tag.moved',
  'tag.deleted',
  'manifest.deleted',
  'manifest.quarantined',
  'blob.quarantined',
  'repository.created',
  'repository.deleted',
  'token.created',
  'token.revoked',
  'deployment.ready',
  'deployment.failed',
  'environment.moved',
];

export interface Outbox {
  /** Whether the relay has taken all. */
  isEmpty(): Awaitable<boolean>;
  listByRepository(repositoryId: string, after: number, limit: number): Awaitable<OutboxRow[]>;
}
