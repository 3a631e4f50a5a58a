import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { EventType } from '../../../src/ports/outbox.ts';
import { type Executor, query } from '../database.ts';
import { removedProject } from '../removed-place.ts';
import { deletedMeanwhile } from './removed-repositories.ts';

const nextOfRepository = query<{ id: string }>((db, p) =>
  db
    .updateTable('repositories')
    .set((e) => ({ event_sequence: e('event_sequence', '+', 1) }))
    .where('id', '=', p('id'))
    .where('project_id', '!=', removedProject),
);
const nextOfTeam = query<{ id: string }>((db, p) =>
  db
    .updateTable('teams')
    .set((e) => ({ event_sequence: e('event_sequence', '+', 1) }))
    .where('id', '=', p('id')),
);

interface NewEvent {
  id: string;
  stream: string;
  type: string;
  subject: string;
  data: string;
  now: number;
}
const columns = [
  'id',
  'stream_id',
  'sequence',
  'type',
  'team_id',
  'project_id',
  'subject',
  'data',
  'created_at',
] as const;
const insertOfRepository = query<NewEvent>((db, p) =>
  db
    .insertInto('outbox')
    .columns(columns)
    .expression((e) =>
      e
        .selectFrom('repositories as r')
        .innerJoin('projects as j', 'j.id', 'r.project_id')
        .innerJoin('teams as t', 't.id', 'j.team_id')
        .where('r.id', '=', p('stream'))
        .select([
          e.val(p('id')).as('id'),
          'r.id as stream_id',
          'r.event_sequence as sequence',
          e.val(p('type')).as('type'),
          't.id as team_id',
          'j.id as project_id',
          sql<string>`t.slug || '/' || j.slug || '/' || r.name`.as('subject'),
          e.val(p('data')).as('data'),
          sql<number>`cast(${p('now')} as bigint)`.as('created_at'),
        ]),
    ),
);
const insertOfTeam = query<NewEvent>((db, p) =>
  db
    .insertInto('outbox')
    .columns(columns)
    .expression((e) =>
      e
        .selectFrom('teams as t')
        .where('t.id', '=', p('stream'))
        .select([
          e.val(p('id')).as('id'),
          't.id as stream_id',
          't.event_sequence as sequence',
          e.val(p('type')).as('type'),
          't.id as team_id',
          sql<string | null>`null`.as('project_id'),
          e.val(p('subject')).as('subject'),
          e.val(p('data')).as('data'),
          sql<number>`cast(${p('now')} as bigint)`.as('created_at'),
        ]),
    ),
);

const insertOfProject = query<NewEvent & { project: string }>((db, p) =>
  db
    .insertInto('outbox')
    .columns(columns)
    .expression((e) =>
      e
        .selectFrom('projects as j')
        .innerJoin('teams as t', 't.id', 'j.team_id')
        .where('j.id', '=', p('project'))
        .select([
          e.val(p('id')).as('id'),
          't.id as stream_id',
          't.event_sequence as sequence',
          e.val(p('type')).as('type'),
          't.id as team_id',
          'j.id as project_id',
          sql<string>`t.slug || '/' || j.slug`.as('subject'),
          e.val(p('data')).as('data'),
          e.val(p('now')).as('created_at'),
        ]),
    ),
);
const teamOf = query<{ project: string }, { team_id: string }>((db, p) =>
  db.selectFrom('projects').select('team_id').where('id', '=', p('project')),
);

/**
 * Writes an event in the transaction of its change. The sequence is the repository's own, taken while
 * its row is held: database-wide sequences would commit out of order. Rejects with `name-unknown` where the
 * repository was deleted.
 */
export async function emit(
  tx: Executor,
  event: { repositoryId: string; type: EventType; data: object; now: number },
): Promise<void> {
  if ((await nextOfRepository.run(tx, { id: event.repositoryId })) === 0) throw deletedMeanwhile();
  await insertOfRepository.run(tx, rowOf(event, event.repositoryId, ''));
}

/** Likewise, an event that concerns no repository: in its team's own sequence. */
export async function emitOfTeam(
  tx: Executor,
  event: { teamId: string; subject: string; type: EventType; data: object; now: number },
): Promise<void> {
  await nextOfTeam.run(tx, { id: event.teamId });
  await insertOfTeam.run(tx, rowOf(event, event.teamId, event.subject));
}

/** Likewise, an event of a project as a whole: in its team's sequence. */
export async function emitOfProject(
  tx: Executor,
  event: { projectId: string; type: EventType; data: object; now: number },
): Promise<void> {
  const project = event.projectId;
  const owner = await teamOf.get(tx, { project });
  if (!owner) return;
  await nextOfTeam.run(tx, { id: owner.team_id });
  await insertOfProject.run(tx, { ...rowOf(event, owner.team_id, ''), project });
}

function rowOf(
  { type, data, now }: { type: EventType; data: object; now: number },
  stream: string,
  subject: string,
): NewEvent {
  // Ordered by (stream, sequence): the id need only be unique.
  const id = `evt_${randomBytes(16).toString('hex')}`;
  return { id, stream, type, subject, data: JSON.stringify(data), now };
}
