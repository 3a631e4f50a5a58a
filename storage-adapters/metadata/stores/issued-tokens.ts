import type { IssuedToken, IssuedTokens } from '../../../src/ports/issued-tokens.ts';
import type { Action } from '../../../src/ports/trust-policies.ts';
import { type Executor, query, then } from '../database.ts';
import type { ManagementSchema } from '../schema-management.ts';

type Row = ManagementSchema['issued_tokens'];

const byHash = query<{ hash: string }, Row>((db, p) =>
  db.selectFrom('issued_tokens').selectAll().where('hash', '=', p('hash')),
);
const byId = query<{ id: string }, Row>((db, p) =>
  db.selectFrom('issued_tokens').selectAll().where('id', '=', p('id')),
);
const byTeam = query<{ team: string; before: string; limit: number }, Row>((db, p) =>
  db
    .selectFrom('issued_tokens')
    .selectAll()
    .where('team_id', '=', p('team'))
    .where('id', '<', p('before'))
    .orderBy('id', 'desc')
    .limit(p('limit')),
);

const toIssued = (row: Row): IssuedToken => ({
  id: row.id,
  teamId: row.team_id,
  name: row.name,
  credential: JSON.parse(row.credential) as IssuedToken['credential'],
  projectIds: row.project_ids ? (JSON.parse(row.project_ids) as string[]) : undefined,
  actions: row.actions ? (JSON.parse(row.actions) as Action[]) : undefined,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at ?? undefined,
});

/** After every id. */
const last = '~';

export function issuedTokensStore(db: Executor): IssuedTokens {
  return {
    findByHash: (hash) => then(byHash.get(db, { hash }), (row) => row && toIssued(row)),
    findById: (id) => then(byId.get(db, { id }), (row) => row && toIssued(row)),
    list: (team, before = last, limit) =>
      then(byTeam.all(db, { team, before, limit }), (rows) => rows.map(toIssued)),
  };
}
