import { sql } from 'kysely';
import type { Session, Sessions } from '../../../src/ports/sessions.ts';
import { type Executor, query, then } from '../database.ts';
import type { Schema } from '../schema.ts';
import type { ManagementSchema } from '../schema-management.ts';
import { toAccount } from './teams.ts';

type Row = ManagementSchema['sessions'];

const byHash = query<{ hash: string }, Row>((db, p) =>
  db.selectFrom('sessions').selectAll().where('hash', '=', p('hash')),
);
const byId = query<{ id: string }, Row>((db, p) =>
  db.selectFrom('sessions').selectAll().where('id', '=', p('id')),
);
const byAccount = query<{ account: string }, Row>((db, p) =>
  db
    .selectFrom('sessions')
    .selectAll()
    .where('account_id', '=', p('account'))
    .orderBy('id', 'desc'),
);
const byToken = query<{ token: string }, Row>((db, p) =>
  db.selectFrom('sessions').selectAll().where('token_id', '=', p('token')).orderBy('id', 'desc'),
);
const signIn = query<{ issuer: string; subject: string }, Schema['accounts']>((db, p) =>
  db
    .selectFrom('sign_ins as s')
    .innerJoin('accounts as a', 'a.id', 's.account_id')
    .selectAll('a')
    .where('s.issuer', '=', p('issuer'))
    .where('s.subject', '=', p('subject')),
);
const byEmail = query<
  { email: string; issuer: string },
  Schema['accounts'] & { bound: string | null }
>((db, p) =>
  db
    .selectFrom('accounts as a')
    .leftJoin('sign_ins as s', (join) =>
      join.onRef('s.account_id', '=', 'a.id').on('s.issuer', '=', p('issuer')),
    )
    .selectAll('a')
    .select('s.subject as bound')
    .where(sql`lower(a.email)`, '=', p('email')),
);

const toSession = (row: Row): Session => ({
  id: row.id,
  accountId: row.account_id ?? undefined,
  tokenId: row.token_id ?? undefined,
  address: row.address ?? undefined,
  userAgent: row.user_agent ?? undefined,
  createdAt: row.created_at,
  lastSeenAt: row.last_seen_at,
  expiresAt: row.expires_at,
});

export function sessionsStore(db: Executor): Sessions {
  return {
    findByHash: (hash) => then(byHash.get(db, { hash }), (row) => row && toSession(row)),
    findById: (id) => then(byId.get(db, { id }), (row) => row && toSession(row)),
    list: (owner) =>
      then(
        'accountId' in owner
          ? byAccount.all(db, { account: owner.accountId })
          : byToken.all(db, { token: owner.tokenId }),
        (rows) => rows.map(toSession),
      ),
    findSignIn: (issuer, subject) =>
      then(signIn.get(db, { issuer, subject }), (row) => row && toAccount(row)),
    findByEmail: (email, issuer) =>
      then(byEmail.all(db, { email: email.toLowerCase(), issuer }), (rows) =>
        rows.map((row) => ({ account: toAccount(row), bound: row.bound !== null })),
      ),
  };
}
