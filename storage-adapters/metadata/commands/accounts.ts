import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import type { Schema } from '../schema.ts';
import { bumpAuthEpoch, type Command } from './command.ts';
import { keepAnOwner } from './members.ts';

interface NewAccount {
  id: string;
  name: string;
  email: string | null;
  operator: number;
}
const insert = query<NewAccount & { createdAt: number }>((db, p) =>
  db
    .insertInto('accounts')
    .values({
      id: p('id'),
      name: p('name'),
      email: p('email'),
      operator: p('operator'),
      created_at: p('createdAt'),
    })
    .onConflict((c) => c.column('name').doNothing()),
);
const find = query<{ id: string }, Schema['accounts']>((db, p) =>
  db.selectFrom('accounts').selectAll().where('id', '=', p('id')),
);
const named = query<{ name: string }, { id: string }>((db, p) =>
  db.selectFrom('accounts').select('id').where('name', '=', p('name')),
);
const update = query<NewAccount>((db, p) =>
  db
    .updateTable('accounts')
    .set({ name: p('name'), email: p('email'), operator: p('operator') })
    .where('id', '=', p('id')),
);
const ownedTeams = query<{ id: string }, { team_id: string }>((db, p) =>
  db
    .selectFrom('members')
    .select('team_id')
    .where('account_id', '=', p('id'))
    .where('role', '=', 'owner'),
);

/** Everything that names the account, then the account. */
const removals = [
  query<{ id: string }>((db, p) =>
    db
      .deleteFrom('sessions')
      .where((e) =>
        e.or([
          e('account_id', '=', p('id')),
          e(
            'token_id',
            'in',
            e.selectFrom('tokens').select('tokens.id').where('account_id', '=', p('id')),
          ),
        ]),
      ),
  ),
  query<{ id: string }>((db, p) => db.deleteFrom('sign_ins').where('account_id', '=', p('id'))),
  query<{ id: string }>((db, p) =>
    db
      .deleteFrom('refresh_tokens')
      .where('token_id', 'in', (e) =>
        e.selectFrom('tokens').select('tokens.id').where('account_id', '=', p('id')),
      ),
  ),
  query<{ id: string }>((db, p) => db.deleteFrom('tokens').where('account_id', '=', p('id'))),
  query<{ id: string }>((db, p) => db.deleteFrom('members').where('account_id', '=', p('id'))),
  query<{ id: string }>((db, p) => db.deleteFrom('accounts').where('id', '=', p('id'))),
];

export const createAccount: Command<'CreateAccount'> = async (tx, account) => {
  const { id, name, email, operator, createdAt } = account;
  const row = { id, name, email: email ?? null, operator: operator ? 1 : 0, createdAt };
  if ((await insert.run(tx, row)) === 0) throw taken(name);
  return null;
};

export const updateAccount: Command<'UpdateAccount'> = async (tx, args) => {
  const account = await find.get(tx, { id: args.accountId });
  if (!account) throw refuse('not-found', 'There is no such account.');
  const { name = account.name, email = account.email } = args;
  if (name !== account.name && (await named.get(tx, { name }))) throw taken(name);
  const operator = args.operator === undefined ? account.operator : args.operator ? 1 : 0;
  await update.run(tx, { id: account.id, name, email, operator });
  await bumpAuthEpoch(tx);
  return null;
};

export const deleteAccount: Command<'DeleteAccount'> = async (tx, { accountId: id }) => {
  if (!(await find.get(tx, { id }))) throw refuse('not-found', 'There is no such account.');
  for (const { team_id } of await ownedTeams.all(tx, { id })) {
    await keepAnOwner(tx, { teamId: team_id, accountId: id });
  }
  for (const removal of removals) await removal.run(tx, { id });
  await bumpAuthEpoch(tx);
  return null;
};

function taken(name: string) {
  return refuse('conflict', `The account name "${name}" is taken.`, 'Choose another name.');
}
