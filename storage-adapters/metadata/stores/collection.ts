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
  { digest: string; limit: number; enough: number },
  { digest: string; size: number; links: number }
>(
  (db, p) =>
    db
      .selectFrom('blobs as b')
      .select(['b.digest', 'b.size'])
      .select((e) =>
        e
          .selectFrom(
            e
              .selectFrom('blob_links as l')
              .select('l.digest')
              .whereRef('l.digest', '=', 'b.digest')
              // A base image's layer may be in every repository.
              .limit(p('enough'))
              .as('some'),
          )
          .select((x) => x.fn.countAll<number>().as('count'))
          .as('links'),
      )
      .where('b.digest', '>', p('digest'))
      .orderBy('b.digest')
      .limit(p('limit')) as never,
);
const keys = query<object, { keys: number }>((db) =>
  db.selectFrom('discarded_keys').select((e) => e.fn.countAll<number>().as('keys')),
);

/** Blobs of one read. */
const page = 1_000;

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
    blobs: (after, limit, enough) =>
      then(blobs.all(db, { digest: after ?? '', limit, enough }), (rows) =>
        rows.map((row) => ({ ...row, digest: row.digest as Digest })),
      ),
    async unreferenced() {
      let [seen, count, bytes, digest] = [0, 0, 0, ''];
      for (;;) {
        const rows = await blobs.all(db, { digest, limit: page, enough: 1 });
        for (const { links, size } of rows) {
          if (links > 0) continue;
          count += 1;
          bytes += size;
        }
        seen += rows.length;
        if (rows.length < page) break;
        digest = rows.at(-1)!.digest;
        // Reads of an embedded database do not wait, so others must be let through.
        await new Promise((resolve) => setImmediate(resolve));
      }
      return { blobs: count, bytes, keys: (await keys.get(db, {}))?.keys ?? 0, seen };
    },
  };
}
