import type { Action, TrustPolicies, TrustPolicy } from '../../../src/ports/trust-policies.ts';
import { type Executor, query, then } from '../database.ts';
import type { Schema } from '../schema.ts';

type Row = Schema['trust_policies'];
const byIssuer = query<{ issuer: string }, Row>((db, p) =>
  db.selectFrom('trust_policies').selectAll().where('issuer', '=', p('issuer')).orderBy('id'),
);
const byIds = query<{ ids: string }, Row>((db, p, dialect) =>
  db
    .selectFrom('trust_policies')
    .selectAll()
    .where('id', 'in', (e) =>
      e.selectFrom(dialect.elements(p('ids')).as('wanted')).select('wanted.value'),
    ),
);
const byTeam = query<{ team: string }, Row>((db, p) =>
  db.selectFrom('trust_policies').selectAll().where('team_id', '=', p('team')).orderBy('name'),
);

const page = query<{ team: string; after: string; limit: number }, Row>((db, p) =>
  db
    .selectFrom('trust_policies')
    .selectAll()
    .where('team_id', '=', p('team'))
    .where('name', '>', p('after'))
    .orderBy('name')
    .limit(p('limit')),
);

const toPolicy = (row: Row): TrustPolicy => ({
  id: row.id,
  teamId: row.team_id,
  name: row.name,
  issuer: row.issuer,
  audience: row.audience ?? undefined,
  claims: JSON.parse(row.claims) as Record<string, string[]>,
  projectIds: row.project_ids ? (JSON.parse(row.project_ids) as string[]) : undefined,
  actions: JSON.parse(row.actions) as Action[],
  createdAt: row.created_at,
});

export function trustPoliciesStore(db: Executor): TrustPolicies {
  return {
    findByIssuer: (issuer) => then(byIssuer.all(db, { issuer }), (rows) => rows.map(toPolicy)),
    findByIds: (ids) =>
      then(byIds.all(db, { ids: JSON.stringify(ids) }), (rows) => rows.map(toPolicy)),
    page: (team, after = '', limit) =>
      then(page.all(db, { team, after, limit }), (rows) => rows.map(toPolicy)),
    list: (team) => then(byTeam.all(db, { team }), (rows) => rows.map(toPolicy)),
  };
}
