import type { Logger } from '../observability/logger.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metadata } from '../ports/metadata.ts';
import { EventLog } from './event-log.ts';
import { Followers } from './followers.ts';
import { Relay } from './relay.ts';

export interface EventsDeps {
  readonly metadata: Pick<Metadata, 'writer' | 'outbox' | 'events' | 'onCommit'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  readonly keep: { readonly forMs: number; readonly count: number };
}

/** What happens between the outbox and those who hear of events. */
export interface OpenEvents {
  readonly events: EventLog;
  readonly followers: Followers;
  readonly relay: Relay;
  close(): Promise<void>;
}

/** Relays what a process before left in the outbox, too. */
export function openEvents({ metadata, clock, log, keep }: EventsDeps): OpenEvents {
  const events = new EventLog(metadata.events);
  const followers = new Followers();
  const relay = new Relay({
    ...{ writer: metadata.writer, outbox: metadata.outbox, clock, keep },
    published: (position) => events.publish(position),
    failed: (cause) => log.warn('relay failed, will be tried again', { cause: String(cause) }),
  });
  metadata.onCommit(() => relay.wake());
  relay.wake();
  return { events, followers, relay, close: () => relay.stop() };
}
