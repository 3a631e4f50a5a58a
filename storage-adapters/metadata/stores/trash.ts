import { sql } from 'kysely';
import type { Digest } from '../../../src/oci/digest.ts';
import type { DeletedManifest, TrashStore } from '../../../src/ports/trash.ts';
import { type Executor, query, then } from '../database.ts';
import { notThere } from '../deleted-rows.ts';
import type { Schema } from '../schema.ts';

type Row = Omit<
  Schema['deleted_manifests'],
  'repository_id' | 'annotations' | 'parts' | 'bytes' | 'sequence'
>;

const page = query<
  { repository: string; now: number; deletedAt: number; digest: string; limit: number },
  Row
>((db, p) =>
  db
    .selectFrom('deleted_manifests')
    .select(['digest', 'media_type', 'size', 'image_size', 'platform', 'artifact_type', 'subject'])
    .select(['pushed_at', 'pushed_by', 'tags', 'deleted_at', 'deleted_by', 'expires_at'])
    .where('repository_id', '=', p('repository'))
    .where('expires_at', '>', p('now'))
    .where(notThere)
    .where((e) => e(e.refTuple('deleted_at', 'digest'), '<', e.tuple(p('deletedAt'), p('digest'))))
    .orderBy('deleted_at', 'desc')
    .orderBy('digest', 'desc')
    .limit(p('limit')),
);
const due = query<{ now: number }, { one: number }>((db, p) =>
  db
    .selectFrom('deleted_manifests')
    .select(sql<number>`1`.as('one'))
    .where('expires_at', '<=', p('now'))
    .limit(1),
);

const toDeleted = (row: Row): DeletedManifest => ({
  digest: row.digest as Digest,
  mediaType: row.media_type,
  size: row.size,
  imageSize: row.image_size,
  platform: row.platform ?? undefined,
  artifactType: row.artifact_type ?? undefined,
  subject: (row.subject as Digest | null) ?? undefined,
  pushedAt: row.pushed_at,
  pushedBy: row.pushed_by,
  tags: JSON.parse(row.tags) as string[],
  deletedAt: row.deleted_at,
  deletedBy: row.deleted_by,
  expiresAt: row.expires_at,
});

export function trashStore(db: Executor): TrashStore {
  return {
    page: (repository, now, after, limit) =>
      then(
        page.all(db, {
          ...{ repository, now, limit },
          deletedAt: after?.deletedAt ?? Number.MAX_SAFE_INTEGER,
          digest: after?.digest ?? '',
        }),
        (rows) => rows.map(toDeleted),
      ),
    isDue: (now) => then(due.get(db, { now }), (row) => row !== undefined),
  };
}
