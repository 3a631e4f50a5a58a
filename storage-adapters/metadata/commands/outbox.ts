import { randomBytes } from 'node:crypto';
import type { EventType } from '../../../src/ports/outbox.ts';
import { type Executor, query } from '../database.ts';

const next = query<{ repository: string }>((db, p) =>
  db
    .updateTable('repositories')
    .set((e) => ({ event_sequence: e('event_sequence', '+', 1) }))
    .where('id', '=', p('repository')),
);
const insert = query<{
  id: string;
  repository: string;
  type: string;
  data: string;
  now: number;
}>((db, p) =>
  db
    .insertInto('outbox')
    .columns(['id', 'repository_id', 'sequence', 'type', 'data', 'created_at'])
    .expression((e) =>
      e
        .selectFrom('repositories')
        .where('id', '=', p('repository'))
        .select([
          e.val(p('id')).as('id'),
          'repositories.id as repository_id',
          'event_sequence as sequence',
          e.val(p('type')).as('type'),
          e.val(p('data')).as('data'),
          e.val(p('now')).as('created_at'),
        ]),
    ),
);

/**
 * Writes an event in the transaction of its change. The sequence is the repository's own, taken while
 * its row is held: database-wide sequences would commit out of order.
 */
export async function emit(
  tx: Executor,
  event: { repositoryId: string; type: EventType; data: object; now: number },
): Promise<void> {
  await next.run(tx, { repository: event.repositoryId });
  await insert.run(tx, {
    // Ordered by (repository, sequence): the id need only be unique.
    id: `evt_${randomBytes(16).toString('hex')}`,
    repository: event.repositoryId,
    type: event.type,
    data: JSON.stringify(event.data),
    now: event.now,
  });
}
