import { sql } from 'kysely';
import type {
  RepositoryDetails,
  RepositoryListing,
  Visibility,
} from '../../../src/ports/repositories.ts';
import { type Executor, query, then } from '../database.ts';
import type { Builder, Schema } from '../schema.ts';

type Row = Omit<Schema['repositories'], 'event_sequence'> & { team_id: string };

const all = (db: Builder) =>
  db
    .selectFrom('repositories as r')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .select([
      'r.id',
      'r.project_id',
      'p.team_id',
      'r.name',
      'r.visibility',
      'r.image_count',
      'r.tag_count',
      'r.stored_bytes',
      'r.created_at',
      'r.pushed_at',
      'r.pulled_at',
    ]);

const byId = query<{ id: string }, Row>((db, p) => all(db).where('r.id', '=', p('id')));

interface ListArgs {
  project: string;
  name: string;
  pushedAt: number;
  /** A LIKE pattern. */
  like: string;
  visibility: string | null;
  limit: number;
}

/** A range of the index that has the order: nothing is sorted, and a page begins where the last one ended. */
const listed = (sort: RepositoryListing['sort'], order: RepositoryListing['order']) =>
  query<ListArgs, Row>((db, p) => {
    const beyond = order === 'asc' ? '>' : '<';
    const rows = all(db)
      .where('r.project_id', '=', p('project'))
      .where((e) => sql<boolean>`${e.ref('r.name')} like ${p('like')} escape '\\'`)
      .where((e) =>
        e.or([
          e(sql`cast(${p('visibility')} as text)`, 'is', null),
          e('r.visibility', '=', p('visibility') ?? ''),
        ]),
      );
    const page =
      sort === 'name'
        ? rows.where('r.name', beyond, p('name')).orderBy('r.name', order)
        : rows
            .where((e) =>
              e(e.refTuple('r.pushed_at', 'r.name'), beyond, e.tuple(p('pushedAt'), p('name'))),
            )
            .orderBy('r.pushed_at', order)
            .orderBy('r.name', order);
    return page.limit(p('limit'));
  });

const lists = {
  name: { asc: listed('name', 'asc'), desc: listed('name', 'desc') },
  pushed: { asc: listed('pushed', 'asc'), desc: listed('pushed', 'desc') },
};

const counted = query<{ project: string }, { repository_count: number }>((db, p) =>
  db.selectFrom('projects').select('repository_count').where('id', '=', p('project')),
);
const somePublic = query<{ project: string }, { id: string }>((db, p) =>
  db
    .selectFrom('repositories')
    .select('id')
    .where('project_id', '=', p('project'))
    .where('visibility', '=', 'public')
    .limit(1),
);

const toDetails = (row: Row): RepositoryDetails => ({
  id: row.id,
  teamId: row.team_id,
  projectId: row.project_id,
  name: row.name,
  visibility: row.visibility as Visibility,
  imageCount: row.image_count,
  tagCount: row.tag_count,
  storedBytes: row.stored_bytes,
  createdAt: row.created_at,
  pushedAt: row.pushed_at === 0 ? undefined : row.pushed_at,
  pulledAt: row.pulled_at ?? undefined,
});

/** Past every name: `~` sorts after all that names and tags may hold. */
export const pastNames = '~';

/** The place before all rows of an order. */
export function beforeAll(order: 'asc' | 'desc'): { name: string; at: number } {
  return order === 'asc' ? { name: '', at: -1 } : { name: pastNames, at: Number.MAX_SAFE_INTEGER };
}

export function repositoryLists(db: Executor) {
  return {
    details: (id: string) => then(byId.get(db, { id }), (row) => row && toDetails(row)),
    list: (project: string, listing: RepositoryListing) => {
      const { sort, order, after, namePart = '', visibility = null, limit } = listing;
      const first = beforeAll(order);
      return then(
        lists[sort][order].all(db, {
          ...{ project, visibility, limit },
          name: after?.name ?? first.name,
          pushedAt: after?.pushedAt ?? first.at,
          like: `%${namePart.replace(/[\\%_]/g, '\\$&')}%`,
        }),
        (rows) => rows.map(toDetails),
      );
    },
    count: (project: string) =>
      then(counted.get(db, { project }), (row) => row?.repository_count ?? 0),
    hasPublic: (project: string) =>
      then(somePublic.get(db, { project }), (row) => row !== undefined),
  };
}
