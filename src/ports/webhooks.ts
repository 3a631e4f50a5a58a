import type { Awaitable } from './awaitable.ts';
import type { EventType } from './outbox.ts';

/** An address that is told of a team's events. */
export interface Webhook {
  readonly id: string;
  readonly teamId: string;
  /** Undefined: events of the whole team. */
  readonly projectId: string | undefined;
  readonly name: string;
  readonly url: string;
  /** Undefined: all. */
  readonly types: readonly EventType[] | undefined;
  /** What its messages are signed with, sealed. */
  readonly sealedSecret: string;
  readonly enabled: boolean;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly updatedAt: number;
}

/** `waiting`: one of the same stream goes first; `dead`: given up. */
export type DeliveryState = 'waiting' | 'pending' | 'delivered' | 'dead';

/** One event on its way to one webhook. */
export interface Delivery {
  readonly id: string;
  readonly webhookId: string;
  readonly eventId: string;
  readonly eventPosition: number;
  readonly streamId: string;
  readonly type: EventType;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** When it is sent next, while it is pending. */
  readonly nextAt: number;
  readonly lastStatus: number | undefined;
  readonly lastError: string | undefined;
  readonly createdAt: number;
  readonly doneAt: number | undefined;
}

export interface WebhookAttempt {
  readonly id: string;
  readonly deliveryId: string;
  readonly startedAt: number;
  readonly durationMs: number;
  /** Undefined: there was no answer. */
  readonly status: number | undefined;
  readonly error: string | undefined;
  /** The first bytes of the answer's body. */
  readonly response: string | undefined;
}

export interface Webhooks {
  find(id: string): Awaitable<Webhook | undefined>;
  /** By id, newest first, behind `before`. */
  list(teamId: string, before: string | undefined, limit: number): Awaitable<Webhook[]>;
  /** Pending deliveries of enabled webhooks whose time has come, but for those of `without`; longest due first. */
  due(now: number, without: readonly string[], limit: number): Awaitable<Delivery[]>;
  findDelivery(id: string): Awaitable<Delivery | undefined>;
  /** Those of the newest events first, behind `before`. */
  deliveries(
    webhookId: string,
    state: DeliveryState | undefined,
    before: { position: number; id: string } | undefined,
    limit: number,
  ): Awaitable<Delivery[]>;
  /** The oldest first; there are no more of one delivery than it may be tried. */
  attempts(deliveryId: string): Awaitable<WebhookAttempt[]>;
}
