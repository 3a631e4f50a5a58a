import type { Config } from '../config/config.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { Metadata } from '../ports/metadata.ts';
import { EventLog } from './event-log.ts';
import { Followers } from './followers.ts';
import { Relay } from './relay.ts';
import type { Outbound } from './webhook-post.ts';
import type { Seal } from './webhook-secrets.ts';
import { WebhookSender } from './webhook-sender.ts';
import { WebhookService } from './webhook-service.ts';

export interface EventsDeps {
  readonly metadata: Pick<Metadata, 'outbox' | 'events' | 'webhooks' | 'onCommit' | 'notices'>;
  /** Who relays, sends and prunes. */
  readonly leading: { readonly leads: boolean; readonly writer: CommandWriter };
  readonly outbound: Outbound;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly newId: (prefix: 'att' | 'evt') => string;
  readonly log: Pick<Logger, 'warn'>;
  readonly metrics: Pick<Metrics, 'delivery'>;
  readonly settings: Pick<
    Config,
    | 'eventRetention'
    | 'eventLimit'
    | 'webhookTimeout'
    | 'webhookAttempts'
    | 'webhookBackoff'
    | 'webhookExpiry'
  >;
}

/** What happens between the outbox and those who hear of events. */
export interface OpenEvents {
  readonly events: EventLog;
  readonly followers: Followers;
  readonly webhooks: WebhookService;
  readonly relay: Relay;
  readonly sender: WebhookSender;
  close(): Promise<void>;
}

const followMs = 1_000;
const longestWaitMs = 6 * 3_600_000;

/** Relays and sends what a process before left behind, too. */
export function openEvents(deps: EventsDeps): OpenEvents {
  const { metadata, leading, outbound, seal, clock, newId, log, metrics, settings } = deps;
  const failed = (what: string) => (cause: unknown) =>
    log.warn(`${what} failed, will be tried again`, { cause: String(cause) });
  const events = new EventLog(metadata.events);
  const sender = new WebhookSender({
    ...{ webhooks: metadata.webhooks, events: metadata.events },
    ...{ writer: leading.writer, leads: () => leading.leads },
    ...{ outbound, seal, clock, failed: failed('webhook') },
    newId: () => newId('att'),
    policy: {
      timeoutMs: settings.webhookTimeout,
      attempts: settings.webhookAttempts,
      backoffMs: settings.webhookBackoff,
      longestMs: longestWaitMs,
      expiryMs: settings.webhookExpiry,
    },
    sent: (state) => metrics.delivery(state),
  });
  const relay = new Relay({
    ...{ writer: leading.writer, leads: () => leading.leads, outbox: metadata.outbox, clock },
    keep: { forMs: settings.eventRetention, count: settings.eventLimit },
    async published(position, deliveries) {
      metadata.notices?.tellPublished(position);
      await events.publish(position);
      if (deliveries) sender.wake();
    },
    failed: failed('relay'),
  });
  metadata.onCommit(() => relay.wake());
  relay.wake();
  const following = metadata.notices && followLeader(metadata, events, failed('events'));
  const webhooks = new WebhookService({
    ...{ outbound, seal, clock, timeoutMs: settings.webhookTimeout },
    newId: () => newId('evt'),
    wake: () => sender.wake(),
  });
  return {
    ...{ events, followers: new Followers(), webhooks, relay, sender },
    async close() {
      clearInterval(following);
      await relay.stop();
      await sender.stop();
    },
  };
}

/** What the replica that leads has published is read here, too; at the latest with the next poll. */
function followLeader(
  { notices, events }: Pick<Metadata, 'notices' | 'events'>,
  log: EventLog,
  failed: (cause: unknown) => void,
): NodeJS.Timeout {
  notices?.onPublished((position) => void log.publish(position).catch(failed));
  const poll = async () => log.publish((await events.positions()).last);
  return setInterval(() => void poll().catch(failed), followMs).unref();
}
