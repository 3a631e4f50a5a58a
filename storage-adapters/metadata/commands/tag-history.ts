import { sql } from 'kysely';
import { tagChangesKept } from '../../../src/ports/tags.ts';
import { type Executor, query } from '../database.ts';

interface Tag {
  repository: string;
  tag: string;
}
interface Change extends Tag {
  action: 'set' | 'deleted';
  digest: string;
  now: number;
  actor: string;
}
const insert = query<Change>((db, p) => {
  const text = (name: keyof Change) => sql<string>`cast(${p(name)} as text)`;
  return db
    .insertInto('tag_history')
    .columns(['repository_id', 'name', 'sequence', 'action', 'digest', 'at', 'actor'])
    .expression((e) =>
      e
        .selectFrom('tag_history')
        .where('repository_id', '=', p('repository'))
        .where('name', '=', p('tag'))
        .select([
          text('repository').as('repository_id'),
          text('tag').as('name'),
          sql<number>`coalesce(max(sequence), 0) + 1`.as('sequence'),
          text('action').as('action'),
          text('digest').as('digest'),
          sql<number>`cast(${p('now')} as bigint)`.as('at'),
          text('actor').as('actor'),
        ]),
    );
});
const prune = query<Tag>((db, p) =>
  db
    .deleteFrom('tag_history')
    .where('repository_id', '=', p('repository'))
    .where('name', '=', p('tag'))
    .where('sequence', '<=', (e) =>
      e
        .selectFrom('tag_history')
        .where('repository_id', '=', p('repository'))
        .where('name', '=', p('tag'))
        .select(sql<number>`max(sequence) - ${sql.lit(tagChangesKept)}`.as('oldest')),
    ),
);

/** In the transaction of the change. `again` false: the tag was not there before, so nothing can be too much. */
export async function writeHistory(tx: Executor, change: Change, again = true): Promise<void> {
  await insert.run(tx, change);
  if (again) await prune.run(tx, { repository: change.repository, tag: change.tag });
}
