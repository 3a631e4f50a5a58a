import { sql } from 'kysely';
import type { Digest } from '../../../src/oci/digest.ts';
import type { LayerCompression } from '../../../src/oci/media-types.ts';
import type { BlobRow, Blobs, Measure, PendingMeasure } from '../../../src/ports/blobs.ts';
import { type Executor, query, then } from '../database.ts';
import type { Schema } from '../schema.ts';
import { byPath, type RepositoryColumns, toRepository } from './repositories.ts';

type BlobColumns = Pick<Schema['blobs'], 'digest' | 'key' | 'size'>;
type Resolved = RepositoryColumns & { [K in keyof BlobColumns]: BlobColumns[K] | null } & {
  leased_until: number | null;
  quarantined_at: number | null;
};

const resolve = query<
  { team: string; project: string; repository: string; digest: string },
  Resolved
>((db, p) =>
  byPath(db, { team: p('team'), project: p('project'), repository: p('repository') })
    .leftJoin('blob_links as l', (j) =>
      j.onRef('l.repository_id', '=', 'r.id').on('l.digest', '=', p('digest')),
    )
    .leftJoin('blobs as b', 'b.digest', 'l.digest')
    .select(['b.digest', 'b.key', 'b.size', 'b.quarantined_at', 'l.leased_until']),
);
const many = query<{ repository: string; digests: string }, BlobColumns>((db, p, dialect) =>
  dialect.lookUp(p('digests'), (is) =>
    db
      .selectFrom('blob_links as l')
      .innerJoin('blobs as b', 'b.digest', 'l.digest')
      .select(['b.digest', 'b.key', 'b.size'])
      .where('l.repository_id', '=', p('repository'))
      .where('b.quarantined_at', 'is', null)
      .where(is('l.digest')),
  ),
);
/** Links looked through for one that the caller may read: others' repositories may hold it by the hundred thousand. */
const mostLinks = 1_000;

const readable = query<{ digest: string; team: string; projects: string | null }, BlobColumns>(
  (db, p, dialect) =>
    db
      .selectFrom((e) =>
        e
          .selectFrom('blob_links')
          .select(['digest', 'repository_id'])
          .where('digest', '=', p('digest'))
          .limit(e.lit(mostLinks))
          .as('l'),
      )
      .innerJoin('blobs as b', 'b.digest', 'l.digest')
      .innerJoin('repositories as r', 'r.id', 'l.repository_id')
      .innerJoin('projects as p', 'p.id', 'r.project_id')
      .select(['b.digest', 'b.key', 'b.size'])
      .where('b.quarantined_at', 'is', null)
      .where((e) =>
        e.or([
          e('r.visibility', '=', 'public'),
          e.and([
            e('p.team_id', '=', p('team')),
            e.or([
              e(sql`cast(${p('projects')} as text)`, 'is', null),
              e(
                'p.id',
                'in',
                e
                  .selectFrom(dialect.elements(p('projects') as string).as('allowed'))
                  .select('allowed.value'),
              ),
            ]),
          ]),
        ]),
      )
      .limit(1),
);
const measures = query<{ digests: string }, Schema['measures']>((db, p, dialect) =>
  db
    .selectFrom('measures')
    .selectAll()
    .where(dialect.among('digest', p('digests')))
    .orderBy('digest')
    .orderBy('compression'),
);
const pending = query<{ limit: number }, { digest: string; compression: string; key: string }>(
  (db, p) =>
    db
      .selectFrom('measures as m')
      .innerJoin('blobs as b', 'b.digest', 'm.digest')
      .select(['m.digest', 'm.compression', 'b.key'])
      .where('m.state', '=', 'pending')
      .where('b.quarantined_at', 'is', null)
      .limit(p('limit')),
);
const discarded = query<
  { now: number; limit: number },
  { key: string; store_state: string | null }
>((db, p, { now }) =>
  db
    .selectFrom('discarded_keys')
    .select(['key', 'store_state'])
    .where('due_at', '<=', p('now'))
    // What was a blob (it has no upload's state) may be in the facts that a backup read before.
    .where((e) =>
      e.or([
        e('store_state', 'is not', null),
        e.not(
          e.exists(
            e
              .selectFrom('leases')
              .select('leases.name')
              .where('leases.name', '>=', 'backup:')
              .where('leases.name', '<', 'backup;')
              .where('leases.expires_at', '>', now),
          ),
        ),
      ]),
    )
    .limit(p('limit')),
);

const toBlob = (row: BlobColumns): BlobRow => ({
  digest: row.digest as Digest,
  key: row.key,
  size: row.size,
});
const toMeasure = (row: Schema['measures']): Measure => ({
  digest: row.digest as Digest,
  compression: row.compression as LayerCompression,
  state: row.state as Measure['state'],
  uncompressedSize: row.uncompressed_size ?? undefined,
  reason: row.reason ?? undefined,
});

export function blobsStore(db: Executor): Blobs {
  return {
    resolve: (path, digest) =>
      then(
        resolve.get(db, {
          team: path.team,
          project: path.project,
          repository: path.repository,
          digest,
        }),
        (row) =>
          row && {
            repository: toRepository(row),
            blob:
              row.digest === null || row.quarantined_at !== null
                ? undefined
                : toBlob(row as BlobColumns),
            quarantinedAt: row.quarantined_at ?? undefined,
            leasedUntil: row.leased_until ?? 0,
          },
      ),
    find: (repository, digest) =>
      then(
        many.get(db, { repository, digests: JSON.stringify([digest]) }),
        (row) => row && toBlob(row),
      ),
    findMany: (repository, digests) =>
      then(many.all(db, { repository, digests: JSON.stringify(digests) }), (rows) =>
        rows.map(toBlob),
      ),
    findReadable: (digest, scope) =>
      then(
        readable.get(db, {
          digest,
          team: scope?.teamId ?? '',
          projects: scope?.projectIds ? JSON.stringify(scope.projectIds) : null,
        }),
        (row) => row && toBlob(row),
      ),
    measures: (digests) =>
      then(measures.all(db, { digests: JSON.stringify(digests) }), (rows) => rows.map(toMeasure)),
    pendingMeasures: (limit) =>
      then(pending.all(db, { limit }), (rows) =>
        rows.map(
          (row): PendingMeasure => ({
            digest: row.digest as Digest,
            compression: row.compression as LayerCompression,
            key: row.key,
          }),
        ),
      ),
    discardedKeys: (limit, now = Number.MAX_SAFE_INTEGER) =>
      then(discarded.all(db, { limit, now }), (rows) =>
        rows.map((row) => ({ key: row.key, state: row.store_state ?? undefined })),
      ),
  };
}
