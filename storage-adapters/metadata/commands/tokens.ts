import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import { bumpAuthEpoch, type Command } from './command.ts';
import { emitOfTeam } from './outbox.ts';

interface NewToken {
  id: string;
  name: string;
  hash: string;
  teamId: string | null;
  accountId: string | null;
  scope: string;
  projectIds: string | null;
  createdAt: number;
  expiresAt: number | null;
}
const insertToken = query<NewToken>((db, p) =>
  db.insertInto('tokens').values({
    id: p('id'),
    name: p('name'),
    hash: p('hash'),
    team_id: p('teamId'),
    account_id: p('accountId'),
    scope: p('scope'),
    project_ids: p('projectIds'),
    created_at: p('createdAt'),
    expires_at: p('expiresAt'),
    revoked_at: null,
    last_used_at: null,
  }),
);
const revoke = query<{ id: string; now: number }>((db, p) =>
  db
    .updateTable('tokens')
    .set({ revoked_at: p('now') })
    .where('id', '=', p('id'))
    .where('revoked_at', 'is', null),
);
const find = query<{ id: string }, { team_id: string | null; name: string }>((db, p) =>
  db.selectFrom('tokens').select(['team_id', 'name']).where('id', '=', p('id')),
);
const touch = query<{ id: string; at: number }>((db, p) =>
  db
    .updateTable('tokens')
    .set({ last_used_at: p('at') })
    .where('id', '=', p('id'))
    .where((e) => e.or([e('last_used_at', 'is', null), e('last_used_at', '<', p('at'))])),
);
interface NewRefresh {
  id: string;
  hash: string;
  tokenId: string | null;
  credential: string;
  expiresAt: number;
  now: number;
}
const insertRefresh = query<NewRefresh>((db, p) =>
  db.insertInto('refresh_tokens').values({
    id: p('id'),
    hash: p('hash'),
    token_id: p('tokenId'),
    credential: p('credential'),
    expires_at: p('expiresAt'),
    created_at: p('now'),
  }),
);
const dropExpired = query<{ now: number }>((db, p) =>
  db.deleteFrom('refresh_tokens').where('expires_at', '<=', p('now')),
);
interface NewPolicy {
  id: string;
  teamId: string;
  name: string;
  issuer: string;
  audience: string | null;
  claims: string;
  projectIds: string | null;
  actions: string;
  createdAt: number;
}
const insertPolicy = query<NewPolicy>((db, p) =>
  db
    .insertInto('trust_policies')
    .values({
      id: p('id'),
      team_id: p('teamId'),
      name: p('name'),
      issuer: p('issuer'),
      audience: p('audience'),
      claims: p('claims'),
      project_ids: p('projectIds'),
      actions: p('actions'),
      created_at: p('createdAt'),
    })
    .onConflict((c) => c.columns(['team_id', 'name']).doNothing()),
);
const namedPolicy = query<{ teamId: string; name: string }, { id: string }>((db, p) =>
  db
    .selectFrom('trust_policies')
    .select('id')
    .where('team_id', '=', p('teamId'))
    .where('name', '=', p('name')),
);
const updatePolicy = query<Omit<NewPolicy, 'issuer' | 'createdAt'>>((db, p) =>
  db
    .updateTable('trust_policies')
    .set({
      name: p('name'),
      audience: p('audience'),
      claims: p('claims'),
      project_ids: p('projectIds'),
      actions: p('actions'),
    })
    .where('id', '=', p('id'))
    .where('team_id', '=', p('teamId')),
);
const deletePolicy = query<{ id: string }>((db, p) =>
  db.deleteFrom('trust_policies').where('id', '=', p('id')),
);
const jsonOrNull = (value: unknown): string | null =>
  value === undefined ? null : JSON.stringify(value);

/** Who acts, where nobody is named: whoever holds the data folder. */
const nobody = 'operator';

export const createToken: Command<'CreateToken'> = async (tx, { token, hash, actor = nobody }) => {
  await insertToken.run(tx, {
    id: token.id,
    name: token.name,
    hash,
    teamId: token.teamId ?? null,
    accountId: token.accountId ?? null,
    scope: token.scope,
    projectIds: jsonOrNull(token.projectIds),
    createdAt: token.createdAt,
    expiresAt: token.expiresAt ?? null,
  });
  if (token.teamId !== undefined) {
    const { id, name, scope, projectIds = null, expiresAt = null, createdAt: now } = token;
    await emitOfTeam(tx, {
      teamId: token.teamId,
      subject: id,
      type: 'token.created',
      data: { tokenId: id, name, scope, projectIds, expiresAt, actor },
      now,
    });
  }
  return null;
};

export const revokeToken: Command<'RevokeToken'> = async (tx, args) => {
  const { id, now, actor = nobody } = args;
  if ((await revoke.run(tx, { id, now })) === 0) return { revoked: false };
  await bumpAuthEpoch(tx);
  const token = await find.get(tx, { id });
  if (token?.team_id != null) {
    await emitOfTeam(tx, {
      teamId: token.team_id,
      subject: id,
      type: 'token.revoked',
      data: { tokenId: id, name: token.name, actor },
      now,
    });
  }
  return { revoked: true };
};

export const touchTokens: Command<'TouchTokens'> = async (tx, { uses }) => {
  for (const use of uses) await touch.run(tx, use);
  return null;
};

export const createRefreshToken: Command<'CreateRefreshToken'> = async (tx, args) => {
  await dropExpired.run(tx, { now: args.now });
  await insertRefresh.run(tx, {
    id: args.id,
    hash: args.hash,
    tokenId: args.credential.type === 'token' ? args.credential.tokenId : null,
    credential: JSON.stringify(args.credential),
    expiresAt: args.expiresAt,
    now: args.now,
  });
  return null;
};

export const createTrustPolicy: Command<'CreateTrustPolicy'> = async (tx, policy) => {
  const inserted = await insertPolicy.run(tx, {
    ...policy,
    audience: policy.audience ?? null,
    claims: JSON.stringify(policy.claims),
    projectIds: jsonOrNull(policy.projectIds),
    actions: JSON.stringify(policy.actions),
  });
  if (inserted === 0) throw twin(policy.name);
  await bumpAuthEpoch(tx);
  return null;
};

export const updateTrustPolicy: Command<'UpdateTrustPolicy'> = async (tx, policy) => {
  const { id, teamId, name } = policy;
  const named = await namedPolicy.get(tx, { teamId, name });
  if (named && named.id !== id) throw twin(name);
  const updated = await updatePolicy.run(tx, {
    ...{ id, teamId, name, audience: policy.audience ?? null },
    claims: JSON.stringify(policy.claims),
    projectIds: jsonOrNull(policy.projectIds),
    actions: JSON.stringify(policy.actions),
  });
  if (updated === 0) throw refuse('not-found', 'There is no such trust policy.');
  await bumpAuthEpoch(tx);
  return null;
};

function twin(name: string) {
  return refuse(
    'conflict',
    `The team has a trust policy named "${name}" already.`,
    'Choose another name, or delete that policy first.',
  );
}

export const deleteTrustPolicy: Command<'DeleteTrustPolicy'> = async (tx, args) => {
  const deleted = (await deletePolicy.run(tx, args)) > 0;
  if (deleted) await bumpAuthEpoch(tx);
  return { deleted };
};
