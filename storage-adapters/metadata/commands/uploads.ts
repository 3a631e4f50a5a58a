import { sql } from 'kysely';
import { refuse } from '../../../src/oci/errors.ts';
import type { CountLimits } from '../../../src/ports/commands.ts';
import { blobLeaseMs } from '../../../src/ports/commands-collection.ts';
import { type Executor, query } from '../database.ts';
import { removedProject } from '../removed-place.ts';
import type { Command } from './command.ts';
import { replaceQuarantined } from './quarantine.ts';
import { deletedMeanwhile, requireLive } from './removed-repositories.ts';
import { checkStorage } from './usage.ts';

/** Claimed by the one who writes; without a holder nobody claims anything. */
const heldBy = (holder: string | null) =>
  sql<boolean>`(cast(${holder} as text) is null or claimed_by = cast(${holder} as text))`;

const insertUpload = query<{
  id: string;
  repositoryId: string;
  subject: string;
  algorithm: string;
  now: number;
  expiresAt: number;
}>((db, p) =>
  db.insertInto('uploads').values({
    id: p('id'),
    repository_id: p('repositoryId'),
    subject: p('subject'),
    algorithm: p('algorithm'),
    bytes_taken: 0,
    digest_so_far: null,
    store_state: '',
    created_at: p('now'),
    expires_at: p('expiresAt'),
  }),
);
const advance = query<{
  id: string;
  from: number;
  to: number;
  digestSoFar: string | null;
  storeState: string;
  expiresAt: number;
  holder: string | null;
  keepClaim: number;
}>((db, p) =>
  db
    .updateTable('uploads')
    .set((e) => ({
      bytes_taken: p('to'),
      digest_so_far: p('digestSoFar'),
      store_state: p('storeState'),
      expires_at: p('expiresAt'),
      claimed_until: e('claimed_until', '*', p('keepClaim')),
    }))
    .where('id', '=', p('id'))
    .where('bytes_taken', '=', p('from'))
    .where(heldBy(p('holder'))),
);
interface ClaimedRow {
  store_state: string;
  claimed_by: string | null;
  claimed_until: number;
  remaining: number;
}
const find = query<{ id: string }, ClaimedRow>((db, p, { now }) =>
  db
    .selectFrom('uploads')
    .select(['store_state', 'claimed_by', 'claimed_until'])
    .select((e) => e('claimed_until', '-', now).as('remaining'))
    .where('id', '=', p('id')),
);
const claim = query<{ id: string; holder: string; ttlMs: number }>((db, p, { now }) =>
  db
    .updateTable('uploads')
    .set((e) => ({ claimed_by: p('holder'), claimed_until: e(now, '+', p('ttlMs')) }))
    .where('id', '=', p('id')),
);
const unclaim = query<{ id: string; holder: string }>((db, p) =>
  db
    .updateTable('uploads')
    .set({ claimed_until: 0 })
    .where('id', '=', p('id'))
    .where('claimed_by', '=', p('holder')),
);
const removeHeld = query<{ id: string; holder: string | null }>((db, p) =>
  db
    .deleteFrom('uploads')
    .where('id', '=', p('id'))
    .where(heldBy(p('holder'))),
);
const remove = query<{ id: string }>((db, p) => db.deleteFrom('uploads').where('id', '=', p('id')));
const insertBlob = query<{ digest: string; key: string; size: number; now: number }>((db, p) =>
  db
    .insertInto('blobs')
    .values({
      ...{ digest: p('digest'), key: p('key'), size: p('size') },
      // It was hashed as it came.
      ...{ created_at: p('now'), verified_at: p('now') },
    })
    .onConflict((c) => c.column('digest').doNothing()),
);
const linkBlobQuery = query<{ repositoryId: string; digest: string; now: number; until: number }>(
  (db, p) =>
    db
      .insertInto('blob_links')
      .values({
        repository_id: p('repositoryId'),
        digest: p('digest'),
        linked_at: p('now'),
        leased_until: p('until'),
      })
      .onConflict((c) => c.columns(['repository_id', 'digest']).doNothing()),
);
const renewQuery = query<{ repositoryId: string; digest: string; until: number }>((db, p) =>
  db
    .updateTable('blob_links')
    .set({ leased_until: p('until') })
    .where('repository_id', '=', p('repositoryId'))
    .where('digest', '=', p('digest'))
    .where('leased_until', '<', p('until')),
);
const countBytes = query<{ repositoryId: string; bytes: number }>((db, p) =>
  db
    .updateTable('repositories')
    .set((e) => ({ stored_bytes: e('stored_bytes', '+', p('bytes')) }))
    .where('id', '=', p('repositoryId'))
    .where('project_id', '!=', removedProject),
);

const countInProject = query<{ repositoryId: string; bytes: number }>((db, p) =>
  db
    .updateTable('projects')
    .set((e) => ({ stored_bytes: e('stored_bytes', '+', p('bytes')) }))
    .where('id', '=', (e) =>
      e.selectFrom('repositories').select('project_id').where('id', '=', p('repositoryId')),
    ),
);

/**
 * Links a stored blob of `size` bytes into a repository, and counts it where it is new there. Rejects with
 * `quota` where the team then stores more than it may.
 */
export async function linkBlobOf(
  tx: Executor,
  link: {
    repositoryId: string;
    digest: string;
    size: number;
    now: number;
    limits?: CountLimits | undefined;
    leaseMs?: number | undefined;
  },
): Promise<void> {
  const { repositoryId, digest, size, now, limits, leaseMs = blobLeaseMs } = link;
  const until = now + leaseMs;
  if ((await linkBlobQuery.run(tx, { repositoryId, digest, now, until })) === 0) {
    await requireLive(tx, repositoryId);
    await renewLink(tx, { repositoryId, digest, until });
    return;
  }
  if (!(await addBytes(tx, repositoryId, size))) throw deletedMeanwhile();
  await checkStorage(tx, repositoryId, limits);
}

/** False: there is no such link, or it is kept for as long already. */
export async function renewLink(
  tx: Executor,
  link: { repositoryId: string; digest: string; until: number },
): Promise<boolean> {
  return (await renewQuery.run(tx, link)) > 0;
}

/** Takes the bytes of a blob that was unlinked off the repository's. */
export async function uncountBytes(tx: Executor, repositoryId: string, size: number) {
  await addBytes(tx, repositoryId, -size);
}

/** False: the repository was deleted, and counts nothing any more. */
async function addBytes(tx: Executor, repositoryId: string, bytes: number): Promise<boolean> {
  if ((await countBytes.run(tx, { repositoryId, bytes })) === 0) return false;
  await countInProject.run(tx, { repositoryId, bytes });
  return true;
}

const discardQuery = query<{ key: string; state: string | null; due: number }>((db, p) =>
  db
    .insertInto('discarded_keys')
    .values({ key: p('key'), store_state: p('state'), due_at: p('due') })
    .onConflict((c) => c.column('key').doNothing()),
);
const forget = query<{ keys: string }>((db, p, dialect) =>
  db
    .deleteFrom('discarded_keys')
    .where('key', 'in', (e) =>
      e.selectFrom(dialect.elements(p('keys')).as('gone')).select('gone.value'),
    ),
);

export const startUpload: Command<'StartUpload'> = async (tx, args) => {
  await requireLive(tx, args.repositoryId);
  await insertUpload.run(tx, args);
  return null;
};

export const advanceUpload: Command<'AdvanceUpload'> = async (tx, args) => {
  const { digestSoFar = null, holder = null, release = false } = args;
  const keepClaim = release ? 0 : 1;
  const changed = await advance.run(tx, { ...args, digestSoFar, holder, keepClaim });
  if (changed === 0) throw conflict();
  return null;
};

export const finishUpload: Command<'FinishUpload'> = async (tx, args) => {
  // The session is what proves that this request, and no other, ends the upload.
  const { holder = null } = args;
  if ((await removeHeld.run(tx, { id: args.id, holder })) === 0) throw conflict();
  const { digest, size, now, repositoryId, limits, leaseMs } = args;
  const blob = { digest, key: args.id, size, now };
  const kept = (await insertBlob.run(tx, blob)) > 0 || (await replaceQuarantined(tx, blob));
  if (!kept) await discard(tx, args.id, undefined);
  await linkBlobOf(tx, { repositoryId, digest, size, now, limits, leaseMs });
  return { kept };
};

export const cancelUpload: Command<'CancelUpload'> = async (tx, args) => {
  const row = await find.get(tx, { id: args.id });
  if (!row) return { cancelled: false };
  if (row.remaining > 0 && row.claimed_by !== args.holder) throw conflict();
  await remove.run(tx, { id: args.id });
  await discard(tx, args.id, args.storeState ?? row.store_state);
  return { cancelled: true };
};

export const claimUpload: Command<'ClaimUpload'> = async (tx, { id, holder, ttlMs }) => {
  const row = await find.get(tx, { id });
  if (!row) throw refuse('upload-unknown', 'The upload was ended meanwhile.');
  const another = row.claimed_by !== null && row.claimed_by !== holder;
  if (another && row.remaining > 0) throw conflict();
  if (another && row.claimed_until > 0) {
    await remove.run(tx, { id });
    await discard(tx, id, row.store_state);
    return { state: 'ended' };
  }
  await claim.run(tx, { id, holder, ttlMs });
  return { state: row.claimed_by === null ? 'untouched' : 'claimed' };
};

export const unclaimUpload: Command<'UnclaimUpload'> = async (tx, args) => {
  await unclaim.run(tx, args);
  return null;
};

export const forgetKeys: Command<'ForgetKeys'> = async (tx, { keys }) => {
  await forget.run(tx, { keys: JSON.stringify(keys) });
  return null;
};

async function discard(tx: Executor, key: string, state: string | undefined): Promise<void> {
  await discardQuery.run(tx, { key, state: state ?? null, due: 0 });
}

/** The bytes under the key go once `due` (UTC milliseconds) is past. */
export async function discardLater(tx: Executor, key: string, due: number): Promise<void> {
  await discardQuery.run(tx, { key, state: null, due });
}

function conflict() {
  return refuse(
    'upload-conflict',
    'Another request changed this upload at the same time.',
    'Ask for its status (GET on the upload URL) and go on from there.',
  );
}
