import type { AuditRow, AuditRows } from '../../../src/ports/audit.ts';
import { type Executor, query, then } from '../database.ts';
import type { ManagementSchema } from '../schema-management.ts';

type Row = ManagementSchema['audit'];

interface Range {
  at: number;
  id: string;
  since: number;
  limit: number;
}
const ofAll = query<Range, Row>((db, p) =>
  db
    .selectFrom('audit')
    .selectAll()
    .where('at', '<=', p('at'))
    .where('at', '>=', p('since'))
    .where((e) => e.or([e('at', '<', p('at')), e('id', '<', p('id'))]))
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .limit(p('limit')),
);
const ofTeam = query<Range & { team: string }, Row>((db, p) =>
  db
    .selectFrom('audit')
    .selectAll()
    .where('team_id', '=', p('team'))
    .where('at', '<=', p('at'))
    .where('at', '>=', p('since'))
    .where((e) => e.or([e('at', '<', p('at')), e('id', '<', p('id'))]))
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .limit(p('limit')),
);

const toRow = (row: Row): AuditRow => ({
  id: row.id,
  at: row.at,
  teamId: row.team_id ?? undefined,
  projectId: row.project_id ?? undefined,
  actorId: row.actor_id,
  actor: row.actor,
  actorKind: row.actor_kind,
  address: row.address ?? undefined,
  action: row.action,
  target: row.target ?? undefined,
  result: row.result,
  reason: row.reason ?? undefined,
  requestId: row.request_id ?? undefined,
});

/** After every row. */
const end = { at: Number.MAX_SAFE_INTEGER, id: '' };

export function auditStore(db: Executor): AuditRows {
  return {
    list(team, before = end, since, limit) {
      const range = { ...before, since, limit };
      const rows = team === undefined ? ofAll.all(db, range) : ofTeam.all(db, { ...range, team });
      return then(rows, (found) => found.map(toRow));
    },
  };
}
