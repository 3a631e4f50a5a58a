import type { Digest } from '../../../src/oci/digest.ts';
import type { TagChange, TagListing, TagRow, Tags } from '../../../src/ports/tags.ts';
import { type Executor, query, then } from '../database.ts';
import type { Builder, Schema } from '../schema.ts';
import { beforeAll } from './repository-lists.ts';

const list = query<{ repository: string; last: string; limit: number }, { name: string }>((db, p) =>
  db
    .selectFrom('tags')
    .select('name')
    .where('repository_id', '=', p('repository'))
    .where('name', '>', p('last'))
    .orderBy('name')
    .limit(p('limit')),
);
const ofDigest = query<
  { repository: string; digest: string; last: string; limit: number },
  { name: string }
>((db, p) =>
  db
    .selectFrom('tags')
    .select('name')
    .where('repository_id', '=', p('repository'))
    .where('digest', '=', p('digest'))
    .where('name', '>', p('last'))
    .orderBy('name')
    .limit(p('limit')),
);

type Own = Omit<Schema['tags'], 'repository_id'>;
type Image = Pick<Schema['manifests'], 'media_type' | 'size' | 'image_size' | 'platform'>;
type Row = Own & Image;

const all = (db: Builder) =>
  db
    .selectFrom('tags as g')
    .innerJoin('manifests as m', (j) =>
      j.onRef('m.repository_id', '=', 'g.repository_id').onRef('m.digest', '=', 'g.digest'),
    )
    .select([
      'g.name',
      'g.digest',
      'g.created_at',
      'g.updated_at',
      'g.updated_by',
      'm.media_type',
      'm.size',
      'm.image_size',
      'm.platform',
    ]);

const byName = query<{ repository: string; name: string }, Row>((db, p) =>
  all(db).where('g.repository_id', '=', p('repository')).where('g.name', '=', p('name')),
);

interface PageArgs {
  repository: string;
  name: string;
  updatedAt: number;
  limit: number;
}

/**
 * A range of the index that has the order: nothing is sorted, and a page begins where the last one ended. Without
 * what the tags point at: Postgres, which plans for any limit, would join all tags to find one page.
 */
const paged = (sort: TagListing['sort'], order: TagListing['order']) =>
  query<PageArgs, Own>((db, p) => {
    const beyond = order === 'asc' ? '>' : '<';
    const rows = db
      .selectFrom('tags as g')
      .select(['g.name', 'g.digest', 'g.created_at', 'g.updated_at', 'g.updated_by'])
      .where('g.repository_id', '=', p('repository'));
    const page =
      sort === 'name'
        ? rows.where('g.name', beyond, p('name')).orderBy('g.name', order)
        : rows
            .where((e) =>
              e(e.refTuple('g.updated_at', 'g.name'), beyond, e.tuple(p('updatedAt'), p('name'))),
            )
            .orderBy('g.updated_at', order)
            .orderBy('g.name', order);
    return page.limit(p('limit'));
  });

const pages = {
  name: { asc: paged('name', 'asc'), desc: paged('name', 'desc') },
  date: { asc: paged('date', 'asc'), desc: paged('date', 'desc') },
};

const images = query<{ repository: string; digests: string }, Image & { digest: string }>(
  (db, p, dialect) =>
    dialect.lookUp(p('digests'), (is) =>
      db
        .selectFrom('manifests')
        .select(['digest', 'media_type', 'size', 'image_size', 'platform'])
        .where('repository_id', '=', p('repository'))
        .where(is('digest')),
    ),
);

async function withImages(db: Executor, repository: string, rows: readonly Own[]): Promise<Row[]> {
  if (rows.length === 0) return [];
  const digests = JSON.stringify([...new Set(rows.map((row) => row.digest))]);
  const found = await images.all(db, { repository, digests });
  const byDigest = new Map(found.map((image) => [image.digest, image]));
  return rows.flatMap((row) => {
    // Deleted meanwhile, and its tags with it.
    const image = byDigest.get(row.digest);
    return image ? [{ ...image, ...row }] : [];
  });
}

const toTag = (row: Row): TagRow => ({
  name: row.name,
  digest: row.digest as Digest,
  mediaType: row.media_type,
  size: row.size,
  imageSize: row.image_size,
  platform: row.platform ?? undefined,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  updatedBy: row.updated_by,
});

const history = query<
  { repository: string; name: string; before: number; limit: number },
  Omit<Schema['tag_history'], 'repository_id' | 'name'>
>((db, p) =>
  db
    .selectFrom('tag_history')
    .select(['sequence', 'action', 'digest', 'at', 'actor'])
    .where('repository_id', '=', p('repository'))
    .where('name', '=', p('name'))
    .where('sequence', '<', p('before'))
    .orderBy('sequence', 'desc')
    .limit(p('limit')),
);

export function tagsStore(db: Executor): Tags {
  return {
    list: (repository, last, limit) =>
      then(list.all(db, { repository, last: last ?? '', limit }), (rows) =>
        rows.map((row) => row.name),
      ),
    async page(repository, { sort, order, after, limit }) {
      const first = beforeAll(order);
      const rows = await pages[sort][order].all(db, {
        ...{ repository, limit },
        name: after?.name ?? first.name,
        updatedAt: after?.updatedAt ?? first.at,
      });
      return (await withImages(db, repository, rows)).map(toTag);
    },
    find: (repository, name) =>
      then(byName.get(db, { repository, name }), (row) => row && toTag(row)),
    history: (repository, name, before, limit) =>
      then(
        history.all(db, { repository, name, limit, before: before ?? Number.MAX_SAFE_INTEGER }),
        (rows) => rows as TagChange[],
      ),
    namesOf: (repository, digest, last, limit) =>
      then(ofDigest.all(db, { repository, digest, last: last ?? '', limit }), (rows) =>
        rows.map((row) => row.name),
      ),
  };
}
