import type { Keys, WrappedKey } from '../../../src/ports/keys.ts';
import { type Executor, query, then } from '../database.ts';
import type { Schema } from '../schema.ts';

const byPurpose = query<{ purpose: string }, Schema['keys']>((db, p) =>
  db.selectFrom('keys').selectAll().where('purpose', '=', p('purpose')).orderBy('id', 'desc'),
);

export function keysStore(db: Executor): Keys {
  return {
    list: (purpose) =>
      then(byPurpose.all(db, { purpose }), (rows) =>
        rows.map(
          (row): WrappedKey => ({
            id: row.id,
            purpose: row.purpose as WrappedKey['purpose'],
            wrapped: row.wrapped,
            createdAt: row.created_at,
            retiredAt: row.retired_at ?? undefined,
          }),
        ),
      ),
  };
}
