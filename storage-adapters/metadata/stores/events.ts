import type { EventRow, Events } from '../../../src/ports/events.ts';
import type { EventType } from '../../../src/ports/outbox.ts';
import { type Executor, query, then } from '../database.ts';
import type { ManagementSchema } from '../schema-management.ts';

type Row = ManagementSchema['events'];

const first = query<object, { position: number }>((db) =>
  db.selectFrom('events').select('position').orderBy('position').limit(1),
);
const last = query<object, { value: number }>((db) =>
  db.selectFrom('counters').select('value').where('name', '=', 'events'),
);
const at = query<{ position: number }, Row>((db, p) =>
  db.selectFrom('events').selectAll().where('position', '=', p('position')),
);
const after = query<{ position: number; limit: number }, Row>((db, p) =>
  db
    .selectFrom('events')
    .selectAll()
    .where('position', '>', p('position'))
    .orderBy('position')
    .limit(p('limit')),
);
interface OfTeam {
  team: string;
  position: number;
  limit: number;
}
const teamAfter = query<OfTeam, Row>((db, p) =>
  db
    .selectFrom('events')
    .selectAll()
    .where('team_id', '=', p('team'))
    .where('position', '>', p('position'))
    .orderBy('position')
    .limit(p('limit')),
);
const teamBefore = query<OfTeam, Row>((db, p) =>
  db
    .selectFrom('events')
    .selectAll()
    .where('team_id', '=', p('team'))
    .where('position', '<', p('position'))
    .orderBy('position', 'desc')
    .limit(p('limit')),
);

const toEvent = (row: Row): EventRow => ({
  position: row.position,
  id: row.id,
  streamId: row.stream_id,
  sequence: row.sequence,
  type: row.type as EventType,
  teamId: row.team_id,
  projectId: row.project_id ?? undefined,
  subject: row.subject,
  data: JSON.parse(row.data) as Record<string, unknown>,
  createdAt: row.created_at,
});

export function eventsStore(db: Executor): Events {
  return {
    positions: () =>
      then(first.get(db, {}), (oldest) =>
        then(last.get(db, {}), (counter) => ({
          first: oldest?.position ?? 0,
          last: counter?.value ?? 0,
        })),
      ) as ReturnType<Events['positions']>,
    at: (position) => then(at.get(db, { position }), (row) => row && toEvent(row)),
    after: (position, limit) =>
      then(after.all(db, { position, limit }), (rows) => rows.map(toEvent)),
    ofTeam: (team, position, direction, limit) =>
      then(
        (direction === 'after' ? teamAfter : teamBefore).all(db, { team, position, limit }),
        (rows) => rows.map(toEvent),
      ),
  };
}
