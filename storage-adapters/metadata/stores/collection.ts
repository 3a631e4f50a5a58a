import { sql } from 'kysely';
import type { Digest } from '../../../src/oci/digest.ts';
import type { Collection } from '../../../src/ports/collection.ts';
import { type Executor, query, then } from '../database.ts';

interface LinkRow {
  repository_id: string;
  digest: string;
  leased_until: number;
  size: number;
  named: number;
}
const links = query<{ repository: string; digest: string; limit: number }, LinkRow>(
  (db, p) =>
    db
      .selectFrom('blob_links as l')
      .innerJoin('blobs as b', 'b.digest', 'l.digest')
      .select(['l.repository_id', 'l.digest', 'l.leased_until', 'b.size'])
      .select((e) =>
        e
          .selectFrom('manifest_references as r')
          .select(e.lit(1).as('one'))
          .whereRef('r.repository_id', '=', 'l.repository_id')
          .whereRef('r.child', '=', 'l.digest')
          .where('r.kind', '=', 'blob')
          .limit(1)
          .as('named'),
      )
      .where(sql<boolean>`(l.repository_id, l.digest) > (${p('repository')}, ${p('digest')})`)
      .orderBy('l.repository_id')
      .orderBy('l.digest')
      .limit(p('limit')) as never,
);
const blobs = query<
  { digest: string; limit: number },
  { digest: string; size: number; links: number }
>(
  (db, p) =>
    db
      .selectFrom('blobs as b')
      .select(['b.digest', 'b.size'])
      .select((e) =>
        e
          .selectFrom('blob_links as l')
          .select((x) => x.fn.countAll<number>().as('count'))
          .whereRef('l.digest', '=', 'b.digest')
          .as('links'),
      )
      .where('b.digest', '>', p('digest'))
      .orderBy('b.digest')
      .limit(p('limit')) as never,
);
const unreferenced = query<object, { blobs: number; bytes: number | null; keys: number | null }>(
  (db) =>
    db
      .selectFrom('blobs as b')
      .select((e) => [
        e.fn.countAll<number>().as('blobs'),
        e.fn.sum<number>('b.size').as('bytes'),
        e
          .selectFrom('discarded_keys')
          .select((x) => x.fn.countAll<number>().as('count'))
          .as('keys'),
      ])
      .where((e) =>
        e.not(
          e.exists(
            e
              .selectFrom('blob_links as l')
              .select('l.digest')
              .whereRef('l.digest', '=', 'b.digest'),
          ),
        ),
      ),
);

export function collectionStore(db: Executor): Collection {
  return {
    links: (after, now, limit) =>
      then(
        links.all(db, {
          repository: after?.repositoryId ?? '',
          digest: after?.digest ?? '',
          limit,
        }),
        (rows) =>
          rows.map((row) => ({
            repositoryId: row.repository_id,
            digest: row.digest as Digest,
            size: row.size,
            collectable: row.named === null && row.leased_until < now,
          })),
      ),
    blobs: (after, limit) =>
      then(blobs.all(db, { digest: after ?? '', limit }), (rows) =>
        rows.map((row) => ({ ...row, digest: row.digest as Digest })),
      ),
    unreferenced: () =>
      then(unreferenced.get(db, {}), (found) => ({
        blobs: found?.blobs ?? 0,
        bytes: found?.bytes ?? 0,
        keys: found?.keys ?? 0,
      })),
  };
}
