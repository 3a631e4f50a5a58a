import { refuse } from '../../../src/oci/errors.ts';
import { type Executor, query } from '../database.ts';
import { bumpAuthEpoch, type Command } from './command.ts';

interface Place {
  teamId: string;
  accountId: string;
}
const find = query<Place, { role: string }>((db, p) =>
  db
    .selectFrom('members')
    .select('role')
    .where('team_id', '=', p('teamId'))
    .where('account_id', '=', p('accountId')),
);
const otherOwner = query<Place, { account_id: string }>((db, p) =>
  db
    .selectFrom('members')
    .select('account_id')
    .where('team_id', '=', p('teamId'))
    .where('account_id', '!=', p('accountId'))
    .where('role', '=', 'owner')
    .limit(1),
);
const slugOf = query<{ teamId: string }, { slug: string }>((db, p) =>
  db.selectFrom('teams').select('slug').where('id', '=', p('teamId')),
);
const put = query<Place & { role: string }>((db, p) =>
  db
    .insertInto('members')
    .values({ team_id: p('teamId'), account_id: p('accountId'), role: p('role') })
    .onConflict((c) => c.columns(['team_id', 'account_id']).doUpdateSet({ role: p('role') })),
);
const remove = query<Place>((db, p) =>
  db
    .deleteFrom('members')
    .where('team_id', '=', p('teamId'))
    .where('account_id', '=', p('accountId')),
);

/** Rejects with `conflict` where the team has no owner but this one. */
export async function keepAnOwner(tx: Executor, place: Place): Promise<void> {
  if (await otherOwner.get(tx, place)) return;
  const team = await slugOf.get(tx, { teamId: place.teamId });
  throw refuse(
    'conflict',
    `That account is the last owner of the team ${team?.slug ?? place.teamId}.`,
    'Make another member an owner first.',
  );
}

export const putMember: Command<'PutMember'> = async (tx, args) => {
  const { teamId, accountId, role, asOwner = true } = args;
  const before = await find.get(tx, { teamId, accountId });
  const touchesOwner = role === 'owner' || before?.role === 'owner';
  if (touchesOwner && before?.role !== role) {
    if (!asOwner) throw ownersOnly();
    if (before?.role === 'owner') await keepAnOwner(tx, { teamId, accountId });
  }
  await put.run(tx, { teamId, accountId, role });
  await bumpAuthEpoch(tx);
  return null;
};

export const removeMember: Command<'RemoveMember'> = async (tx, args) => {
  const { teamId, accountId, asOwner = true } = args;
  const before = await find.get(tx, { teamId, accountId });
  if (!before) throw refuse('not-found', 'That account is not a member of the team.');
  if (before.role === 'owner') {
    if (!asOwner) throw ownersOnly();
    await keepAnOwner(tx, { teamId, accountId });
  }
  await remove.run(tx, { teamId, accountId });
  await bumpAuthEpoch(tx);
  return null;
};

function ownersOnly() {
  return refuse(
    'denied',
    'Only an owner of the team makes, changes or removes its owners.',
    'Ask an owner of the team, or an operator of this installation.',
  );
}
