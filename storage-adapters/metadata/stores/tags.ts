import type { Tags } from '../../../src/ports/tags.ts';
import { type Executor, query, then } from '../database.ts';

const list = query<{ repository: string; last: string; limit: number }, { name: string }>((db, p) =>
  db
    .selectFrom('tags')
    .select('name')
    .where('repository_id', '=', p('repository'))
    .where('name', '>', p('last'))
    .orderBy('name')
    .limit(p('limit')),
);

export function tagsStore(db: Executor): Tags {
  return {
    list: (repository, last, limit) =>
      then(list.all(db, { repository, last: last ?? '', limit }), (rows) =>
        rows.map((row) => row.name),
      ),
  };
}
