import type { Awaitable } from './awaitable.ts';
import type { EventType } from './outbox.ts';

/** An event that the relay has published. */
export interface EventRow {
  /** 1, 2, 3 … over all streams, in the order in which events were published. */
  readonly position: number;
  readonly id: string;
  /** The repository, or the team for what concerns none: events of a stream are in order. */
  readonly streamId: string;
  /** 1, 2, 3 … within the stream. */
  readonly sequence: number;
  readonly type: EventType;
  readonly teamId: string;
  readonly projectId: string | undefined;
  /** `team/project/repository` as it was named then, or the id of what it is about. */
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly createdAt: number;
}

export interface Events {
  /** Of the oldest that is kept, and of the last that there ever was; 0 where there is none. */
  positions(): Awaitable<{ first: number; last: number }>;
  at(position: number): Awaitable<EventRow | undefined>;
  /** In order, of all teams. */
  after(position: number, limit: number): Awaitable<EventRow[]>;
  /** Of one team: behind `position` in order, or before it backwards. */
  ofTeam(
    teamId: string,
    position: number,
    direction: 'after' | 'before',
    limit: number,
  ): Awaitable<EventRow[]>;
}
