import type { AuditRow } from './audit.ts';
import type { Webhook, WebhookAttempt } from './webhooks.ts';

/** A place in the outbox: the last row of a stream that was looked at. */
export interface OutboxPlace {
  readonly streamId: string;
  readonly sequence: number;
}

/** Writes of the relay, of webhooks and of the audit log. */
export interface EventCommands {
  /**
   * Moves at most `limit` rows of the outbox, those behind `after`, into the events, where each has the next
   * position, with a delivery for each webhook that wants it. `next`: where to go on, undefined at the end
   * of the outbox. `position`: of the last event that there is.
   */
  RelayEvents: {
    args: { after: OutboxPlace | undefined; limit: number; now: number };
    result: {
      moved: number;
      deliveries: number;
      next: OutboxPlace | undefined;
      position: number;
    };
  };
  /**
   * Removes at most `limit` of each: events that are older than `before` or of which `keep` newer ones are
   * there; deliveries that ended before `before`, with their attempts; what belongs to webhooks, teams and
   * projects that are gone. `more`: there is more to remove.
   */
  PruneEvents: {
    args: { before: number; keep: number; limit: number };
    result: { more: boolean };
  };

  /** Rejects with `conflict` for a name that the team has, with `quota` where it has `most` already. */
  CreateWebhook: { args: { webhook: Webhook; most: number }; result: null };
  /** All but its secret. Rejects with `not-found` and `conflict`. */
  UpdateWebhook: { args: Webhook; result: null };
  SetWebhookSecret: { args: { id: string; sealedSecret: string; now: number }; result: null };
  /** Its deliveries are not sent any more, and removed later. */
  DeleteWebhook: { args: { id: string }; result: { deleted: boolean } };
  /**
   * What came of sending a delivery. `delivered` and `dead` end it, and let the next of its stream begin;
   * `pending`: again at `nextAt`. Does nothing where it has ended, or is gone.
   */
  RecordAttempt: {
    args: {
      attempt: WebhookAttempt | undefined;
      deliveryId: string;
      state: 'pending' | 'delivered' | 'dead';
      nextAt: number;
      error: string | undefined;
      now: number;
    };
    result: null;
  };
  /** Sends what a delivery sent once more, as a delivery of its own; rejects with `not-found`. */
  Redeliver: { args: { id: string; deliveryId: string; now: number }; result: null };

  AppendAudit: { args: { rows: readonly AuditRow[] }; result: null };
  /** Removes at most `limit` rows from before that time. */
  PruneAudit: { args: { before: number; limit: number }; result: { more: boolean } };
}
