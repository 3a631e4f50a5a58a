import { sql } from 'kysely';
import type {
  RepositoryDetails,
  RepositoryListing,
  Visibility,
} from '../../../src/ports/repositories.ts';
import { type Executor, query, then } from '../database.ts';
import { removedProject } from '../removed-place.ts';
import type { Builder, Schema } from '../schema.ts';

type Row = Omit<Schema['repositories'], 'event_sequence'> & { team_id: string };

const columns = [
  ...(['r.id', 'r.project_id', 'p.team_id', 'r.name', 'r.visibility', 'r.image_count'] as const),
  ...(['r.tag_count', 'r.stored_bytes', 'r.created_at', 'r.pushed_at', 'r.pulled_at'] as const),
] as const;
const all = (db: Builder) =>
  db
    .selectFrom('repositories as r')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .select(columns);

const byId = query<{ id: string }, Row>((db, p) =>
  all(db).where('r.id', '=', p('id')).where('r.project_id', '!=', removedProject),
);

interface ListArgs {
  project: string;
  name: string;
  pushedAt: number;
  visibility: string;
  limit: number;
}
type Sort = RepositoryListing['sort'];
type Order = RepositoryListing['order'];

/** A range of the index that has the order: nothing is sorted, and a page begins where the last one ended. */
function ranged(db: Builder, p: Parameters<Parameters<typeof query<ListArgs>>[0]>[1], by: By) {
  const { sort, order, visible } = by;
  const beyond = order === 'asc' ? '>' : '<';
  const all = db.selectFrom('repositories as r').where('r.project_id', '=', p('project'));
  const rows = visible ? all.where('r.visibility', '=', p('visibility')) : all;
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
}
interface By {
  readonly sort: Sort;
  readonly order: Order;
  /** Only those of one visibility: an index of its own, for a condition that may be none has none. */
  readonly visible: boolean;
}

const listed = (by: By) =>
  query<ListArgs, Row>((db, p) =>
    ranged(db, p, by).innerJoin('projects as p', 'p.id', 'r.project_id').select(columns),
  );
/** Of a range of the index, the names that have the part in them. */
const found = (by: By) =>
  query<ListArgs & { like: string }, Place>((db, p) =>
    db
      .selectFrom(ranged(db, p, by).select(['r.name', 'r.pushed_at']).as('some'))
      .select(['some.name', 'some.pushed_at'])
      .where((e) => sql<boolean>`${e.ref('some.name')} like ${p('like')} escape '\\'`)
      .orderBy(by.sort === 'name' ? 'some.name' : 'some.pushed_at', by.order)
      .orderBy('some.name', by.order),
  );
/** Where that range ends; none: it was the last. */
const ended = (by: By) =>
  query<ListArgs & { skipped: number }, Place>((db, p) =>
    ranged(db, p, by).select(['r.name', 'r.pushed_at']).offset(p('skipped')),
  );

type Place = Pick<Row, 'name' | 'pushed_at'>;

const ofEach = <T>(make: (by: By) => T) => {
  const orders = (sort: Sort, visible: boolean) => ({
    asc: make({ sort, order: 'asc', visible }),
    desc: make({ sort, order: 'desc', visible }),
  });
  const sorts = (visible: boolean) => ({
    name: orders('name', visible),
    pushed: orders('pushed', visible),
  });
  return { all: sorts(false), visible: sorts(true) };
};
const lists = ofEach(listed);
const partsOf = ofEach(found);
const endsOf = ofEach(ended);
const named = query<{ project: string; names: string }, Row>((db, p, dialect) =>
  dialect.lookUp(p('names'), (is) =>
    all(db).where('r.project_id', '=', p('project')).where(is('r.name')),
  ),
);

/** Names looked at in one read. */
const searched = 2_000;

/** Looks through the names, range by range: no read is long, and others are let through between two. */
async function withPart(db: Executor, args: ListArgs, by: By, part: string): Promise<Row[]> {
  const [visible, { sort, order }] = [by.visible ? 'visible' : 'all', by] as const;
  const like = `%${part.replace(/[\\%_]/g, '\\$&')}%`;
  const found: Place[] = [];
  for (let at = args; ; ) {
    const range = { ...at, limit: searched };
    for (const row of await partsOf[visible][sort][order].all(db, { ...range, like })) {
      if (found.length < args.limit) found.push(row);
    }
    if (found.length === args.limit) break;
    const end = { ...at, limit: 1, skipped: searched - 1 };
    const last = await endsOf[visible][sort][order].get(db, end);
    if (!last) break;
    at = { ...at, name: last.name, pushedAt: last.pushed_at };
    await new Promise((resolve) => setImmediate(resolve));
  }
  const names = JSON.stringify(found.map(({ name }) => name));
  const rows = await named.all(db, { project: args.project, names });
  const byName = new Map(rows.map((row) => [row.name, row]));
  // One may be gone since it was found.
  return found.flatMap(({ name }) => byName.get(name) ?? []);
}

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
      const { sort, order, after, namePart, visibility, limit } = listing;
      const first = beforeAll(order);
      const visible = visibility !== undefined;
      const args = {
        ...{ project, limit, visibility: visibility ?? '' },
        name: after?.name ?? first.name,
        pushedAt: after?.pushedAt ?? first.at,
      };
      const rows = namePart
        ? withPart(db, args, { sort, order, visible }, namePart)
        : lists[visible ? 'visible' : 'all'][sort][order].all(db, args);
      return then(rows, (found) => found.map(toDetails));
    },
    count: (project: string) =>
      then(counted.get(db, { project }), (row) => row?.repository_count ?? 0),
    hasPublic: (project: string) =>
      then(somePublic.get(db, { project }), (row) => row !== undefined),
  };
}
