import type { DomainClaim, DomainClaims, DomainState } from '../../../src/ports/domains.ts';
import type { FunctionEnvironment } from '../../../src/ports/functions.ts';
import { type Executor, query, then } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';

export type ClaimRow = FunctionSchema['domain_claims'];

export const findClaim = query<{ project: string; host: string }, ClaimRow>((db, p) =>
  db
    .selectFrom('domain_claims')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('host', '=', p('host')),
);
const ofProject = query<{ project: string }, ClaimRow>((db, p) =>
  db.selectFrom('domain_claims').selectAll().where('project_id', '=', p('project')).orderBy('host'),
);
const pending = query<{ before: number; limit: number }, ClaimRow>((db, p) =>
  db
    .selectFrom('domain_claims')
    .selectAll()
    .where('state', '=', 'pending')
    .where((e) => e.or([e('checked_at', 'is', null), e('checked_at', '<', p('before'))]))
    .orderBy((e) => e.fn.coalesce('checked_at', e.val(0)))
    .orderBy('host')
    .orderBy('project_id')
    .limit(p('limit')),
);

export const toClaim = (row: ClaimRow): DomainClaim => ({
  ...{ host: row.host, projectId: row.project_id, name: row.name, token: row.token },
  environment: row.environment as FunctionEnvironment,
  service: row.service ?? undefined,
  state: row.state as DomainState,
  message: row.message ?? undefined,
  createdAt: row.created_at,
  checkedAt: row.checked_at ?? undefined,
});

export function domainsStore(db: Executor): DomainClaims {
  return {
    find: (project, host) =>
      then(findClaim.get(db, { project, host }), (row) => row && toClaim(row)),
    list: (project) => then(ofProject.all(db, { project }), (rows) => rows.map(toClaim)),
    pending: (before, limit) =>
      then(pending.all(db, { before, limit }), (rows) => rows.map(toClaim)),
  };
}
