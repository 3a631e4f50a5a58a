import type { Digest, DigestAlgorithm } from '../../../src/oci/digest.ts';
import type { UploadRow, Uploads } from '../../../src/ports/uploads.ts';
import { type Executor, query, then } from '../database.ts';
import type { Schema } from '../schema.ts';

const find = query<{ id: string }, Schema['uploads']>((db, p) =>
  db.selectFrom('uploads').selectAll().where('id', '=', p('id')),
);
const expired = query<{ now: number; limit: number }, Schema['uploads']>((db, p) =>
  db
    .selectFrom('uploads')
    .selectAll()
    .where('expires_at', '<=', p('now'))
    .orderBy('expires_at')
    .limit(p('limit')),
);

const toUpload = (row: Schema['uploads']): UploadRow => ({
  id: row.id,
  repositoryId: row.repository_id,
  subject: row.subject,
  algorithm: row.algorithm as DigestAlgorithm,
  offset: row.bytes_taken,
  digestSoFar: (row.digest_so_far ?? undefined) as Digest | undefined,
  storeState: row.store_state,
  expiresAt: row.expires_at,
});

export function uploadsStore(db: Executor): Uploads {
  return {
    find: (id) => then(find.get(db, { id }), (row) => row && toUpload(row)),
    expired: (now, limit) => then(expired.all(db, { now, limit }), (rows) => rows.map(toUpload)),
  };
}
