import type {
  RefreshCredential,
  RefreshToken,
  Token,
  TokenScope,
  Tokens,
} from '../../../src/ports/tokens.ts';
import { type Executor, query, then } from '../database.ts';
import type { Schema } from '../schema.ts';

const byHash = query<{ hash: string }, Schema['tokens']>((db, p) =>
  db.selectFrom('tokens').selectAll().where('hash', '=', p('hash')),
);
const byId = query<{ id: string }, Schema['tokens']>((db, p) =>
  db.selectFrom('tokens').selectAll().where('id', '=', p('id')),
);
const byTeam = query<{ team: string }, Schema['tokens']>((db, p) =>
  db.selectFrom('tokens').selectAll().where('team_id', '=', p('team')).orderBy('id'),
);
const byAccount = query<{ account: string }, Schema['tokens']>((db, p) =>
  db.selectFrom('tokens').selectAll().where('account_id', '=', p('account')).orderBy('id'),
);
interface PageArgs {
  owner: string;
  before: string;
  limit: number;
}
const pageOf = (column: 'team_id' | 'account_id') =>
  query<PageArgs, Schema['tokens']>((db, p) =>
    db
      .selectFrom('tokens')
      .selectAll()
      .where(column, '=', p('owner'))
      .where('id', '<', p('before'))
      .orderBy('id', 'desc')
      .limit(p('limit')),
  );
const pageByTeam = pageOf('team_id');
const pageByAccount = pageOf('account_id');
const refresh = query<{ hash: string }, Schema['refresh_tokens']>((db, p) =>
  db.selectFrom('refresh_tokens').selectAll().where('hash', '=', p('hash')),
);
const epoch = query<object, { value: number }>((db) =>
  db.selectFrom('counters').select('value').where('name', '=', 'auth'),
);

const toToken = (row: Schema['tokens']): Token => ({
  id: row.id,
  name: row.name,
  teamId: row.team_id ?? undefined,
  accountId: row.account_id ?? undefined,
  scope: row.scope as TokenScope,
  projectIds: row.project_ids ? (JSON.parse(row.project_ids) as string[]) : undefined,
  createdAt: row.created_at,
  expiresAt: row.expires_at ?? undefined,
  revokedAt: row.revoked_at ?? undefined,
  lastUsedAt: row.last_used_at ?? undefined,
});

/** After every id. */
const last = '~';

export function tokensStore(db: Executor): Tokens {
  return {
    findByHash: (hash) => then(byHash.get(db, { hash }), (row) => row && toToken(row)),
    findById: (id) => then(byId.get(db, { id }), (row) => row && toToken(row)),
    list: ({ teamId, accountId }) =>
      then(
        teamId === undefined
          ? byAccount.all(db, { account: accountId ?? '' })
          : byTeam.all(db, { team: teamId }),
        (rows) => rows.map(toToken),
      ),
    page: ({ teamId, accountId = '' }, before = last, limit) =>
      then(
        teamId === undefined
          ? pageByAccount.all(db, { owner: accountId, before, limit })
          : pageByTeam.all(db, { owner: teamId, before, limit }),
        (rows) => rows.map(toToken),
      ),
    findRefresh: (hash) =>
      then(
        refresh.get(db, { hash }),
        (row): RefreshToken | undefined =>
          row && {
            id: row.id,
            credential: JSON.parse(row.credential) as RefreshCredential,
            expiresAt: row.expires_at,
          },
      ),
    epoch: () => then(epoch.get(db, {}), (row) => row?.value ?? 0),
  };
}
