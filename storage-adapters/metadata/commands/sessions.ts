import { refuse } from '../../../src/oci/errors.ts';
import type { Session } from '../../../src/ports/sessions.ts';
import { query } from '../database.ts';
import type { ManagementSchema } from '../schema-management.ts';
import type { Command } from './command.ts';

type SignInRow = ManagementSchema['sign_ins'];
interface NewSession extends Omit<Session, 'accountId' | 'tokenId' | 'address' | 'userAgent'> {
  hash: string;
  accountId: string | null;
  tokenId: string | null;
  address: string | null;
  userAgent: string | null;
}
const insertSession = query<NewSession>((db, p) =>
  db.insertInto('sessions').values({
    id: p('id'),
    hash: p('hash'),
    account_id: p('accountId'),
    token_id: p('tokenId'),
    address: p('address'),
    user_agent: p('userAgent'),
    created_at: p('createdAt'),
    last_seen_at: p('lastSeenAt'),
    expires_at: p('expiresAt'),
  }),
);
const dropEnded = query<{ now: number; idleBefore: number }>((db, p) =>
  db
    .deleteFrom('sessions')
    .where((e) =>
      e.or([e('expires_at', '<=', p('now')), e('last_seen_at', '<=', p('idleBefore'))]),
    ),
);
const deleteSession = query<{ id: string }>((db, p) =>
  db.deleteFrom('sessions').where('id', '=', p('id')),
);
const touch = query<{ id: string; at: number }>((db, p) =>
  db
    .updateTable('sessions')
    .set({ last_seen_at: p('at') })
    .where('id', '=', p('id'))
    .where('last_seen_at', '<', p('at')),
);
const find = query<{ issuer: string; subject: string }, SignInRow>((db, p) =>
  db
    .selectFrom('sign_ins')
    .selectAll()
    .where('issuer', '=', p('issuer'))
    .where('subject', '=', p('subject')),
);
const findOfAccount = query<{ issuer: string; accountId: string }, SignInRow>((db, p) =>
  db
    .selectFrom('sign_ins')
    .selectAll()
    .where('account_id', '=', p('accountId'))
    .where('issuer', '=', p('issuer')),
);
interface NewSignIn {
  issuer: string;
  subject: string;
  accountId: string;
  now: number;
}
const insertSignIn = query<NewSignIn>((db, p) =>
  db.insertInto('sign_ins').values({
    issuer: p('issuer'),
    subject: p('subject'),
    account_id: p('accountId'),
    created_at: p('now'),
    last_at: p('now'),
  }),
);
const touchSignIn = query<{ issuer: string; subject: string; now: number }>((db, p) =>
  db
    .updateTable('sign_ins')
    .set({ last_at: p('now') })
    .where('issuer', '=', p('issuer'))
    .where('subject', '=', p('subject')),
);
const insertAccount = query<{
  id: string;
  name: string;
  email: string | null;
  createdAt: number;
}>((db, p) =>
  db
    .insertInto('accounts')
    .values({
      id: p('id'),
      name: p('name'),
      email: p('email'),
      operator: 0,
      created_at: p('createdAt'),
    })
    .onConflict((c) => c.column('name').doNothing()),
);

export const createSession: Command<'CreateSession'> = async (
  tx,
  { session, hash, idleBefore },
) => {
  await dropEnded.run(tx, { now: session.createdAt, idleBefore });
  await insertSession.run(tx, {
    ...session,
    hash,
    accountId: session.accountId ?? null,
    tokenId: session.tokenId ?? null,
    address: session.address ?? null,
    userAgent: session.userAgent ?? null,
  });
  return null;
};

export const endSession: Command<'EndSession'> = async (tx, args) => ({
  ended: (await deleteSession.run(tx, args)) > 0,
});

export const touchSession: Command<'TouchSession'> = async (tx, args) => {
  await touch.run(tx, args);
  return null;
};

export const bindSignIn: Command<'BindSignIn'> = async (tx, args) => {
  const bound = await find.get(tx, args);
  if (bound?.account_id === args.accountId) {
    await touchSignIn.run(tx, args);
    return null;
  }
  if (bound || (await findOfAccount.get(tx, args))) {
    throw refuse(
      'conflict',
      'The account signs in as somebody else at that provider.',
      'Ask an operator of this installation.',
    );
  }
  await insertSignIn.run(tx, args);
  return null;
};

const mostTries = 1000;

export const createSignedInAccount: Command<'CreateSignedInAccount'> = async (tx, args) => {
  const { issuer, subject, account } = args;
  const bound = await find.get(tx, { issuer, subject });
  if (bound) return { accountId: bound.account_id };
  const { id, name, email, createdAt } = account;
  for (let tries = 1; tries <= mostTries; tries++) {
    const free = tries === 1 ? name : `${name.slice(0, 90)} ${tries}`;
    const row = { id, name: free, email: email ?? null, createdAt };
    if ((await insertAccount.run(tx, row)) === 0) continue;
    await insertSignIn.run(tx, { issuer, subject, accountId: id, now: createdAt });
    return { accountId: id };
  }
  throw refuse(
    'conflict',
    `The account name "${name}" is taken.`,
    'Ask an operator for an account.',
  );
};
