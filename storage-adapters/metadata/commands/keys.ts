import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import type { Schema } from '../schema.ts';
import { bumpAuthEpoch, type Command } from './command.ts';

const insertKey = query<{ id: string; purpose: string; wrapped: string; createdAt: number }>(
  (db, p) =>
    db.insertInto('keys').values({
      id: p('id'),
      purpose: p('purpose'),
      wrapped: p('wrapped'),
      created_at: p('createdAt'),
      retired_at: null,
    }),
);

const newest = query<{ purpose: string }, Schema['keys']>((db, p) =>
  db
    .selectFrom('keys')
    .selectAll()
    .where('purpose', '=', p('purpose'))
    .orderBy('id', 'desc')
    .limit(1),
);
const retire = query<{ purpose: string; at: number }>((db, p) =>
  db
    .updateTable('keys')
    .set({ retired_at: p('at') })
    .where('purpose', '=', p('purpose'))
    .where((e) => e.or([e('retired_at', 'is', null), e('retired_at', '>', p('at'))])),
);
const dropRetired = query<{ purpose: string; now: number }>((db, p) =>
  db.deleteFrom('keys').where('purpose', '=', p('purpose')).where('retired_at', '<=', p('now')),
);

export const createKey: Command<'CreateKey'> = async (tx, key) => {
  await insertKey.run(tx, key);
  return null;
};

export const rotateKey: Command<'RotateKey'> = async (tx, { key, replaces, retireAt, now }) => {
  const { purpose } = key;
  if ((await newest.get(tx, { purpose }))?.id !== replaces) {
    throw refuse(
      'conflict',
      'The keys were rotated just now.',
      'Look at them: npx gantry admin key list',
    );
  }
  await dropRetired.run(tx, { purpose, now });
  if (retireAt !== undefined) await retire.run(tx, { purpose, at: retireAt });
  await insertKey.run(tx, key);
  // What the old keys signed is cached, too.
  await bumpAuthEpoch(tx);
  return null;
};
