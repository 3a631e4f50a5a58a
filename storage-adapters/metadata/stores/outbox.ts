import type { EventType, Outbox, OutboxRow } from '../../../src/ports/outbox.ts';
import { type Executor, query, then } from '../database.ts';
import type { Schema } from '../schema.ts';

const list = query<{ repository: string; after: number; limit: number }, Schema['outbox']>(
  (db, p) =>
    db
      .selectFrom('outbox')
      .selectAll()
      .where('stream_id', '=', p('repository'))
      .where('sequence', '>', p('after'))
      .orderBy('sequence')
      .limit(p('limit')),
);

const any = query<object, { sequence: number }>((db) =>
  db.selectFrom('outbox').select('sequence').limit(1),
);

export function outboxStore(db: Executor): Outbox {
  return {
    isEmpty: () => then(any.get(db, {}), (row) => row === undefined),
    listByRepository: (repository, after, limit) =>
      then(list.all(db, { repository, after, limit }), (rows) =>
        rows.map(
          (row): OutboxRow => ({
            id: row.id,
            repositoryId: row.stream_id,
            sequence: row.sequence,
            type: row.type as EventType,
            data: JSON.parse(row.data) as Record<string, unknown>,
            createdAt: row.created_at,
          }),
        ),
      ),
  };
}
