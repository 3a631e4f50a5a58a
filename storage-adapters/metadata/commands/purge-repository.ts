import { sql } from 'kysely';
import type { PurgePlace } from '../../../src/ports/commands-repositories.ts';
import { type Executor, type Query, query } from '../database.ts';
import { removedProject } from '../removed-place.ts';
import type { Command } from './command.ts';

interface Target {
  repository: string;
}
interface Range extends Target {
  after: string;
  last: string;
}
type Next = Query<Target & { after: string; limit: number }, { at: string }>;

/** Rows of a table in the order of its key within the repository: the next of them, and a range to remove. */
interface Part {
  /** What one costs, in rows: more go with it. */
  readonly weight: number;
  readonly next: Next;
  readonly removals: readonly Query<Range, unknown>[];
}
type Table = 'tags' | 'tag_history' | 'deleted_manifests' | 'manifests' | 'blob_links';
type Keyed = Table | 'manifest_references';

const nextOf = (table: Table, column: 'name' | 'digest'): Next =>
  query((db, p) =>
    db
      .selectFrom(table)
      .select(sql<string>`${sql.ref(column)}`.as('at'))
      .where('repository_id', '=', p('repository'))
      .where(sql<boolean>`${sql.ref(column)} > ${p('after')}`)
      .orderBy(sql.ref(column))
      .limit(p('limit')),
  );
const removalOf = (table: Keyed, column: 'name' | 'digest') =>
  query<Range>((db, p) =>
    db
      .deleteFrom(table)
      .where('repository_id', '=', p('repository'))
      .where(sql<boolean>`${sql.ref(column)} > ${p('after')}`)
      .where(sql<boolean>`${sql.ref(column)} <= ${p('last')}`),
  );
const simple = (table: Table, column: 'name' | 'digest'): Part => ({
  weight: 1,
  next: nextOf(table, column),
  removals: [removalOf(table, column)],
});
/** The bytes of manifests that no other repository holds. */
const removeContents = query<Range>((db, p) =>
  db.deleteFrom('manifest_contents').where('digest', 'in', (e) =>
    e
      .selectFrom('manifests as own')
      .select('own.digest')
      .where('own.repository_id', '=', p('repository'))
      .where('own.digest', '>', p('after'))
      .where('own.digest', '<=', p('last'))
      .where((x) =>
        x.not(
          x.exists(
            x
              .selectFrom('manifests as other')
              .select('other.digest')
              .whereRef('other.digest', '=', 'own.digest')
              .where('other.repository_id', '!=', p('repository')),
          ),
        ),
      ),
  ),
);

/** In this order: links go last, so that a collection never finds one without the manifests that name its blob. */
const parts: readonly Part[] = [
  simple('tags', 'name'),
  simple('tag_history', 'name'),
  simple('deleted_manifests', 'digest'),
  {
    weight: 5,
    next: nextOf('manifests', 'digest'),
    removals: [
      removeContents,
      removalOf('manifest_references', 'digest'),
      removalOf('manifests', 'digest'),
    ],
  },
  simple('blob_links', 'digest'),
];

const discardUploads = query<Target>((db, p) =>
  db
    .insertInto('discarded_keys')
    .columns(['key', 'store_state'])
    .expression((e) =>
      e
        .selectFrom('uploads')
        .select(['id', 'store_state'])
        .where('repository_id', '=', p('repository')),
    ),
);
const removeUploads = query<Target>((db, p) =>
  db.deleteFrom('uploads').where('repository_id', '=', p('repository')),
);
const remove = query<Target>((db, p) =>
  db.deleteFrom('repositories').where('id', '=', p('repository')),
);
const waiting = query<object, { id: string }>((db) =>
  db
    .selectFrom('repositories')
    .select('id')
    .where('project_id', '=', removedProject)
    .orderBy('name')
    .limit(sql.lit(1)),
);
const isWaiting = query<Target, { id: string }>((db, p) =>
  db
    .selectFrom('repositories')
    .select('id')
    .where('id', '=', p('repository'))
    .where('project_id', '=', removedProject),
);

/** Ends the open uploads of a repository; how many keys wait to be removed for it. */
export async function endUploads(tx: Executor, repository: string): Promise<number> {
  const discarded = await discardUploads.run(tx, { repository });
  await removeUploads.run(tx, { repository });
  return discarded;
}

/**
 * Removes up to `limit` rows that came with images or tags, from `place` on, and the repository with the last of
 * them. Undefined: it is gone.
 */
export async function purge(
  tx: Executor,
  place: PurgePlace,
  limit: number,
): Promise<PurgePlace | undefined> {
  const { repositoryId: repository } = place;
  let { part, after } = place;
  for (let room = limit; part < parts.length; part++, after = '') {
    const { weight, next, removals } = parts[part]!;
    const most = Math.ceil(room / weight);
    const rows = await next.all(tx, { repository, after, limit: most });
    const last = rows.at(-1)?.at;
    if (last === undefined) continue;
    for (const removal of removals) await removal.run(tx, { repository, after, last });
    if (rows.length === most) return { repositoryId: repository, part, after: last };
    room -= rows.length * weight;
  }
  // A replica of before, which does not know of such repositories, may have written to it since.
  for (const [at, { next }] of parts.entries()) {
    if (await next.get(tx, { repository, after: '', limit: 1 }))
      return { repositoryId: repository, part: at, after: '' };
  }
  await endUploads(tx, repository);
  await remove.run(tx, { repository });
  return undefined;
}

export const purgeRepository: Command<'PurgeRepository'> = async (tx, { place, limit }) => {
  const known = place && (await isWaiting.get(tx, { repository: place.repositoryId }));
  const id = known?.id ?? (await waiting.get(tx, {}))?.id;
  if (id === undefined) return { next: undefined, left: false };
  const from = known && place ? place : { repositoryId: id, part: 0, after: '' };
  const next = await purge(tx, from, limit);
  return { next, left: next !== undefined || (await waiting.get(tx, {})) !== undefined };
};
