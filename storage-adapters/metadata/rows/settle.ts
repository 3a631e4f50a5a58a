import { randomUUIDv7 } from 'node:crypto';
import type { Digest } from '../../../src/oci/digest.ts';
import type { KeyPurpose } from '../../../src/ports/keys.ts';
import type { Row, Settlement, TableShape } from '../../../src/ports/rows.ts';
import { bumpAuthEpoch } from '../commands/command.ts';
import { lastPosition, publishEvent } from '../commands/relay-events.ts';
import { quarantineBlob } from '../commands/scrub.ts';
import { discardLater } from '../commands/uploads.ts';
import { type Executor, query } from '../database.ts';
import type { Schema } from '../schema.ts';

/**
 * What becomes of a table's rows elsewhere:
 *
 *   kept      they are facts
 *   process   of processes that ran: never
 *   store     of bytes in the blob store: only beside the same store
 *   fleeting  short-lived rights, which may have been taken back after the facts were read: not after a restore
 */
export type Treatment = 'kept' | 'process' | 'store' | 'fleeting';

/** Every table has its own: a test fails on one without. */
export const treatments: Readonly<Record<string, Treatment>> = {
  accounts: 'kept',
  audit: 'kept',
  blob_faults: 'kept',
  blob_links: 'kept',
  blobs: 'kept',
  cold_starts: 'kept',
  collection_runs: 'kept',
  counters: 'kept',
  damaged_manifests: 'kept',
  deleted_manifests: 'kept',
  deployment_services: 'kept',
  deployments: 'kept',
  discarded_keys: 'store',
  domain_claims: 'kept',
  environment_pointers: 'kept',
  environment_variables: 'kept',
  events: 'kept',
  function_hosts: 'kept',
  function_invocations: 'kept',
  function_lines: 'kept',
  function_requests: 'kept',
  function_volumes: 'kept',
  held_slugs: 'kept',
  idempotency: 'fleeting',
  issued_tokens: 'fleeting',
  keys: 'kept',
  leases: 'process',
  manifest_contents: 'kept',
  manifest_references: 'kept',
  manifests: 'kept',
  measures: 'kept',
  members: 'kept',
  metering_events: 'kept',
  outbox: 'kept',
  price_tables: 'kept',
  projects: 'kept',
  refresh_tokens: 'fleeting',
  removed_volumes: 'kept',
  repositories: 'kept',
  sandboxes: 'kept',
  scrub_runs: 'kept',
  scrub_state: 'kept',
  secrets: 'kept',
  services: 'kept',
  sessions: 'fleeting',
  sign_ins: 'kept',
  tag_history: 'kept',
  tags: 'kept',
  teams: 'kept',
  tokens: 'kept',
  transfer: 'kept',
  trust_policies: 'kept',
  uploads: 'store',
  webhook_attempts: 'kept',
  webhook_deliveries: 'kept',
  webhooks: 'kept',
};

/** The rows of a table that come along. All are read, so that the next table follows. */
export async function* settledRows(
  { name }: TableShape,
  batches: AsyncIterable<readonly Row[]>,
  { as, sameStore }: Settlement,
): AsyncGenerator<readonly Row[]> {
  const treatment = treatments[name] ?? 'kept';
  const none =
    treatment === 'process' ||
    (treatment === 'store' && !sameStore) ||
    (treatment === 'fleeting' && as === 'restored');
  for await (const batch of batches) if (!none) yield batch;
}

const signingPurposes: readonly KeyPurpose[] = ['registry-token', 'upload-url', 'issuer', 'cursor'];

/** Positions of events that may have been given since: one a millisecond, and a million at least. */
const leastGap = 1_000_000;
/** Likewise of the numbers within a stream. */
const sequenceGap = 1_000_000;

const endDeliveries = query<{ now: number; error: string }>((db, p) =>
  db
    .updateTable('webhook_deliveries')
    .set({ state: 'dead', last_error: p('error'), done_at: p('now') })
    .where('state', 'in', ['waiting', 'pending']),
);
const endInvocations = query<{ now: number; error: string }>((db, p) =>
  db
    .updateTable('function_invocations')
    .set({ state: 'failed', error: p('error'), finished_at: p('now') })
    .where('state', 'in', ['queued', 'running']),
);
const waiting = query<object, Schema['outbox']>((db) =>
  db
    .selectFrom('outbox')
    .selectAll()
    .orderBy('created_at')
    .orderBy('stream_id')
    .orderBy('sequence'),
);
const emptyOutbox = query<object>((db) => db.deleteFrom('outbox'));
const setPosition = query<{ value: number }>((db, p) =>
  db
    .updateTable('counters')
    .set({ value: p('value') })
    .where('name', '=', 'events'),
);
const skipOfRepositories = query<{ by: number }>((db, p) =>
  db
    .updateTable('repositories')
    .set((e) => ({ event_sequence: e('event_sequence', '+', p('by')) })),
);
const skipOfTeams = query<{ by: number }>((db, p) =>
  db.updateTable('teams').set((e) => ({ event_sequence: e('event_sequence', '+', p('by')) })),
);
const blob = query<{ digest: string }, { key: string; size: number }>((db, p) =>
  db.selectFrom('blobs').select(['key', 'size']).where('digest', '=', p('digest')),
);
/** What they signed is good for minutes or hours; those that seal open what is stored, and stay. */
const dropSigningKeys = query<object>((db) =>
  db.deleteFrom('keys').where('purpose', 'in', signingPurposes),
);
const revokeTokens = query<{ now: number }>((db, p) =>
  db
    .updateTable('tokens')
    .set({ revoked_at: p('now') })
    .where('revoked_at', 'is', null),
);
const record = query<{ id: string; at: number; action: string; target: string }>((db, p) =>
  db.insertInto('audit').values({
    id: p('id'),
    at: p('at'),
    team_id: null,
    project_id: null,
    actor_id: 'operator',
    actor: 'operator (command)',
    actor_kind: 'operator',
    address: null,
    action: p('action'),
    target: p('target'),
    result: 'ok',
    reason: null,
    request_id: null,
  }),
);

/** After the rows are there, in the same transaction. */
export async function settle(tx: Executor, settlement: Settlement): Promise<void> {
  const { as, now, from, strays } = settlement;
  for (const key of strays) await discardLater(tx, key, 0);
  if (as === 'restored') await settleRestored(tx, settlement);
  for (const [digest, damage] of settlement.lost) {
    const found = await blob.get(tx, { digest });
    if (!found) continue;
    await quarantineBlob(tx, {
      ...{ digest: digest as Digest, key: found.key, size: found.size, damage, now },
      runId: undefined,
    });
  }
  await bumpAuthEpoch(tx);
  const note = (action: string, target: string) =>
    record.run(tx, {
      id: `aud_${randomUUIDv7().replaceAll('-', '')}`,
      ...{ at: now, action, target: target.slice(0, 512) },
    });
  if (settlement.revokeTokens) {
    const count = await revokeTokens.run(tx, { now });
    await note('installation.tokens-revoked', `${count} tokens`);
  }
  await note(`installation.${as}`, from);
}

/**
 * The installation may have gone on after the facts were read: what it sent and called then is not sent and
 * called again, and numbers that it gave then are not given to something else.
 */
async function settleRestored(tx: Executor, { now, takenAt }: Settlement): Promise<void> {
  const error = `Not sent since a restore at ${new Date(now).toISOString()}: it may have been sent before. Send it again by hand.`;
  await endDeliveries.run(tx, { now, error });
  const lost = `Not called since a restore at ${new Date(now).toISOString()}: it may have run before.`;
  await endInvocations.run(tx, { now, error: lost });
  let at = (await lastPosition.get(tx, {}))?.value ?? 0;
  // Published without deliveries: webhooks may have had them.
  for (const row of await waiting.all(tx, {}))
    await publishEvent.run(tx, { ...row, position: ++at });
  await emptyOutbox.run(tx, {});
  // What they signed may have been taken back since, and they themselves may have been replaced.
  await dropSigningKeys.run(tx, {});
  await setPosition.run(tx, { value: at + Math.max(leastGap, now - takenAt) });
  await skipOfRepositories.run(tx, { by: sequenceGap });
  await skipOfTeams.run(tx, { by: sequenceGap });
}
