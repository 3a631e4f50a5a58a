import { mayAct, mayActInTeam } from '../../auth/authorizer.ts';
import type { EventRow } from '../../ports/events.ts';
import type { Identity } from '../../ports/identity.ts';
import type { EventType } from '../../ports/outbox.ts';

/** What of the events a reader asks for; undefined: all. */
export interface EventFilter {
  readonly teamId: string | undefined;
  readonly projectId: string | undefined;
  readonly types: ReadonlySet<EventType> | undefined;
}

/**
 * Whether `identity` may know of an event: who may pull in its project, and for what concerns no project
 * (tokens), who manages the team. That a repository is public makes its events no one else's.
 */
export function maySee(identity: Identity, event: EventRow): boolean {
  const { teamId, projectId } = event;
  if (projectId === undefined) return mayActInTeam(identity, teamId, 'manage');
  return mayAct(identity, { teamId, projectId, visibility: 'private' }, 'pull');
}

export function wants({ teamId, projectId, types }: EventFilter, event: EventRow): boolean {
  return (
    (teamId === undefined || teamId === event.teamId) &&
    (projectId === undefined || projectId === event.projectId) &&
    (types === undefined || types.has(event.type))
  );
}
