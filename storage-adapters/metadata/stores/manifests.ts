import { sql } from 'kysely';
import type { Digest } from '../../../src/oci/digest.ts';
import type {
  ManifestDetails,
  ManifestRow,
  Manifests,
  Referrer,
} from '../../../src/ports/manifests.ts';
import { type Executor, query, then } from '../database.ts';
import { byPath, type RepositoryColumns, toRepository } from './repositories.ts';

interface ManifestColumns {
  digest: string;
  media_type: string;
  size: number;
}
type Resolved = RepositoryColumns & { [K in keyof ManifestColumns]: ManifestColumns[K] | null };
interface Path {
  team: string;
  project: string;
  repository: string;
  reference: string;
}

const byTag = query<Path, Resolved>((db, p) =>
  byPath(db, { team: p('team'), project: p('project'), repository: p('repository') })
    .leftJoin('tags as g', (j) =>
      j.onRef('g.repository_id', '=', 'r.id').on('g.name', '=', p('reference')),
    )
    .leftJoin('manifests as m', (j) =>
      j.onRef('m.repository_id', '=', 'r.id').onRef('m.digest', '=', 'g.digest'),
    )
    .select(['m.digest', 'm.media_type', 'm.size']),
);
const byDigest = query<Path, Resolved>((db, p) =>
  byPath(db, { team: p('team'), project: p('project'), repository: p('repository') })
    .leftJoin('manifests as m', (j) =>
      j.onRef('m.repository_id', '=', 'r.id').on('m.digest', '=', p('reference')),
    )
    .select(['m.digest', 'm.media_type', 'm.size']),
);
const many = query<{ repository: string; digests: string }, ManifestColumns>((db, p, dialect) =>
  dialect.lookUp(p('digests'), (is) =>
    db
      .selectFrom('manifests')
      .select(['digest', 'media_type', 'size'])
      .where('repository_id', '=', p('repository'))
      .where(is('digest')),
  ),
);
const content = query<{ digest: string }, { bytes: Uint8Array }>((db, p) =>
  db.selectFrom('manifest_contents').select('bytes').where('digest', '=', p('digest')),
);

interface DetailColumns extends ManifestColumns {
  image_size: number;
  platform: string | null;
  artifact_type: string | null;
  subject: string | null;
  pushed_at: number;
  pushed_by: string;
}
/** Annotations can be as large as a manifest: lists leave them out. */
const detailColumns = [
  ...(['digest', 'media_type', 'size', 'image_size', 'platform'] as const),
  ...(['artifact_type', 'subject', 'pushed_at', 'pushed_by'] as const),
] as const;
const details = query<{ repository: string; digests: string }, DetailColumns>((db, p, dialect) =>
  dialect.lookUp(p('digests'), (is) =>
    db
      .selectFrom('manifests')
      .select(detailColumns)
      .where('repository_id', '=', p('repository'))
      .where(is('digest')),
  ),
);
const newest = query<
  { repository: string; pushedAt: number; digest: string; limit: number },
  DetailColumns
>((db, p) =>
  db
    .selectFrom('manifests')
    .select(detailColumns)
    .where('repository_id', '=', p('repository'))
    .where((e) => e(e.refTuple('pushed_at', 'digest'), '<', e.tuple(p('pushedAt'), p('digest'))))
    .orderBy('pushed_at', 'desc')
    .orderBy('digest', 'desc')
    .limit(p('limit')),
);
const indexesOf = query<{ repository: string; digest: string; limit: number }, { digest: string }>(
  (db, p) =>
    db
      .selectFrom('manifest_references')
      .select('digest')
      .where('repository_id', '=', p('repository'))
      .where('child', '=', p('digest'))
      .where('kind', '=', 'manifest')
      .orderBy('digest')
      .limit(p('limit')),
);

const children = query<{ repository: string; digests: string }, { digest: string; child: string }>(
  (db, p, dialect) =>
    dialect.lookUp(p('digests'), (is) =>
      db
        .selectFrom('manifest_references')
        .select(['digest', 'child'])
        .where('repository_id', '=', p('repository'))
        .where('kind', '=', 'manifest')
        .where(is('digest')),
    ),
);

/** Read apart from what names them: Postgres would join all manifests of the repository. */
async function childImages(db: Executor, repository: string, digests: readonly Digest[]) {
  const named = await children.all(db, { repository, digests: JSON.stringify(digests) });
  if (named.length === 0) return [];
  const wanted = JSON.stringify([...new Set(named.map(({ child }) => child))]);
  const rows = await details.all(db, { repository, digests: wanted });
  const images = new Map(rows.map((row) => [row.digest, row]));
  return named.flatMap(({ digest, child }) => {
    const image = images.get(child);
    if (!image || image.platform === null) return [];
    return [
      {
        parent: digest as Digest,
        digest: child as Digest,
        platform: image.platform,
        imageSize: image.image_size,
      },
    ];
  });
}

interface ReferrerColumns extends ManifestColumns {
  artifact_type: string | null;
  annotations: string | null;
}
interface ReferrerArgs {
  repository: string;
  subject: string;
  last: string;
  limit: number;
  artifactType?: string;
}
/** With its other end below, a range of the index by subject: of an equality SQLite would read all manifests. */
const afterReferrer = (subject: string, last: string) =>
  sql<boolean>`(subject, digest) > (${subject}, ${last})`;

const referrers = query<ReferrerArgs, ReferrerColumns>((db, p) =>
  db
    .selectFrom('manifests')
    .select(['digest', 'media_type', 'size', 'artifact_type', 'annotations'])
    .where('repository_id', '=', p('repository'))
    .where(afterReferrer(p('subject'), p('last')))
    .where('subject', '<=', p('subject'))
    .orderBy('subject')
    .orderBy('digest')
    .limit(p('limit')),
);
const referrersOfType = query<Required<ReferrerArgs>, ReferrerColumns>((db, p) =>
  db
    .selectFrom('manifests')
    .select(['digest', 'media_type', 'size', 'artifact_type', 'annotations'])
    .where('repository_id', '=', p('repository'))
    .where(afterReferrer(p('subject'), p('last')))
    .where('subject', '<=', p('subject'))
    .where('artifact_type', '=', p('artifactType'))
    .orderBy('subject')
    .orderBy('digest')
    .limit(p('limit')),
);

const toRow = (row: ManifestColumns): ManifestRow => ({
  digest: row.digest as Digest,
  mediaType: row.media_type,
  size: row.size,
});
const toDetails = (row: DetailColumns): ManifestDetails => ({
  ...toRow(row),
  imageSize: row.image_size,
  platform: row.platform ?? undefined,
  artifactType: row.artifact_type ?? undefined,
  subject: (row.subject as Digest | null) ?? undefined,
  pushedAt: row.pushed_at,
  pushedBy: row.pushed_by,
});
const toReferrer = (row: ReferrerColumns): Referrer => ({
  ...toRow(row),
  artifactType: row.artifact_type ?? undefined,
  annotations: row.annotations
    ? (JSON.parse(row.annotations) as Record<string, string>)
    : undefined,
});
const toBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export function manifestsStore(db: Executor): Manifests {
  return {
    resolve: (path, reference) =>
      then(
        // Tags never hold a colon and digests always do.
        (reference.includes(':') ? byDigest : byTag).get(db, {
          team: path.team,
          project: path.project,
          repository: path.repository,
          reference,
        }),
        (row) =>
          row && {
            repository: toRepository(row),
            manifest: row.digest === null ? undefined : toRow(row as ManifestColumns),
          },
      ),
    find: (repository, digest) =>
      then(
        many.get(db, { repository, digests: JSON.stringify([digest]) }),
        (row) => row && toRow(row),
      ),
    content: (digest) => then(content.get(db, { digest }), (row) => row && toBuffer(row.bytes)),
    findMany: (repository, digests) =>
      then(many.all(db, { repository, digests: JSON.stringify(digests) }), (rows) =>
        rows.map(toRow),
      ),
    details: (repository, digests) =>
      then(details.all(db, { repository, digests: JSON.stringify(digests) }), (rows) =>
        rows.map(toDetails),
      ),
    newest: (repository, after, limit) =>
      then(
        newest.all(db, {
          ...{ repository, limit },
          pushedAt: after?.pushedAt ?? Number.MAX_SAFE_INTEGER,
          digest: after?.digest ?? '',
        }),
        (rows) => rows.map(toDetails),
      ),
    indexesOf: (repository, digest, limit) =>
      then(indexesOf.all(db, { repository, digest, limit }), (rows) =>
        rows.map((row) => row.digest as Digest),
      ),
    childImages: (repository, digests) => childImages(db, repository, digests),
    referrers: (repository, subject, { artifactType, last = '', limit }) =>
      then(
        artifactType === undefined
          ? referrers.all(db, { repository, subject, last, limit })
          : referrersOfType.all(db, { repository, subject, last, limit, artifactType }),
        (rows) => rows.map(toReferrer),
      ),
  };
}
