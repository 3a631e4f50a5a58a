import { query } from '../database.ts';
import { bumpAuthEpoch, type Command } from './command.ts';

/** Expired tokens stay in their list for so long, for who looks for what a job did. */
const keptMs = 24 * 3_600_000;

interface NewIssued {
  id: string;
  hash: string;
  teamId: string;
  name: string;
  credential: string;
  projectIds: string | null;
  actions: string | null;
  createdAt: number;
  expiresAt: number;
}
const insertIssued = query<NewIssued>((db, p) =>
  db.insertInto('issued_tokens').values({
    id: p('id'),
    hash: p('hash'),
    team_id: p('teamId'),
    name: p('name'),
    credential: p('credential'),
    project_ids: p('projectIds'),
    actions: p('actions'),
    created_at: p('createdAt'),
    expires_at: p('expiresAt'),
    revoked_at: null,
  }),
);
const dropExpired = query<{ before: number }>((db, p) =>
  db.deleteFrom('issued_tokens').where('expires_at', '<', p('before')),
);
const revoke = query<{ id: string; now: number }>((db, p) =>
  db
    .updateTable('issued_tokens')
    .set({ revoked_at: p('now') })
    .where('id', '=', p('id'))
    .where('revoked_at', 'is', null),
);
const dropRefresh = query<{ hash: string }>((db, p) =>
  db.deleteFrom('refresh_tokens').where('hash', '=', p('hash')),
);

const jsonOrNull = (value: unknown): string | null =>
  value === undefined ? null : JSON.stringify(value);

export const createIssuedToken: Command<'CreateIssuedToken'> = async (tx, { token, hash }) => {
  await dropExpired.run(tx, { before: token.createdAt - keptMs });
  await insertIssued.run(tx, {
    id: token.id,
    hash,
    teamId: token.teamId,
    name: token.name,
    credential: JSON.stringify(token.credential),
    projectIds: jsonOrNull(token.projectIds),
    actions: jsonOrNull(token.actions),
    createdAt: token.createdAt,
    expiresAt: token.expiresAt,
  });
  return null;
};

export const revokeIssuedToken: Command<'RevokeIssuedToken'> = async (tx, args) => {
  const revoked = (await revoke.run(tx, args)) > 0;
  if (revoked) await bumpAuthEpoch(tx);
  return { revoked };
};

export const dropRefreshToken: Command<'DropRefreshToken'> = async (tx, args) => ({
  dropped: (await dropRefresh.run(tx, args)) > 0,
});
