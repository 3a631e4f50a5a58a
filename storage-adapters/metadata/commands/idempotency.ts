import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import type { ManagementSchema } from '../schema-management.ts';
import type { Command } from './command.ts';

/** How long an answer is kept. */
const keptMs = 24 * 3_600_000;
/** A request that has not ended by then died with its process. */
const longestMs = 120_000;

const find = query<{ key: string }, ManagementSchema['idempotency']>((db, p) =>
  db.selectFrom('idempotency').selectAll().where('key', '=', p('key')),
);
const insert = query<{ key: string; requestHash: string; now: number }>((db, p) =>
  db.insertInto('idempotency').values({
    key: p('key'),
    request_hash: p('requestHash'),
    status: null,
    sealed_answer: null,
    created_at: p('now'),
  }),
);
const finish = query<{ key: string; status: number; sealed: string }>((db, p) =>
  db
    .updateTable('idempotency')
    .set({ status: p('status'), sealed_answer: p('sealed') })
    .where('key', '=', p('key')),
);
const remove = query<{ key: string }>((db, p) =>
  db.deleteFrom('idempotency').where('key', '=', p('key')),
);
const dropOld = query<{ before: number }>((db, p) =>
  db.deleteFrom('idempotency').where('created_at', '<', p('before')),
);

export const beginIdempotent: Command<'BeginIdempotent'> = async (tx, args) => {
  await dropOld.run(tx, { before: args.now - keptMs });
  const row = await find.get(tx, { key: args.key });
  if (row && row.request_hash !== args.requestHash) {
    throw refuse(
      'conflict',
      'The Idempotency-Key was used for another request.',
      'Use a new key for each thing that is to be made.',
    );
  }
  if (row?.status != null) {
    return { answer: { status: row.status, sealed: row.sealed_answer ?? '' } };
  }
  if (row && args.now - row.created_at < longestMs) {
    throw refuse(
      'conflict',
      'The first request with this Idempotency-Key is still under way.',
      'Send it again in a moment.',
    );
  }
  if (row) await remove.run(tx, { key: args.key });
  await insert.run(tx, args);
  return { answer: undefined };
};

export const endIdempotent: Command<'EndIdempotent'> = async (tx, { key, answer }) => {
  if (answer) await finish.run(tx, { key, ...answer });
  else await remove.run(tx, { key });
  return null;
};
