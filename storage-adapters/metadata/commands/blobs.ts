import type { Digest } from '../../../src/oci/digest.ts';
import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import type { Command } from './command.ts';
import { linkBlobOf, uncountBytes } from './uploads.ts';

interface Stored {
  digest: string;
  key: string;
  size: number;
  quarantined_at: number | null;
}
const find = query<{ digest: string }, Stored>((db, p) =>
  db
    .selectFrom('blobs')
    .select(['digest', 'key', 'size', 'quarantined_at'])
    .where('digest', '=', p('digest')),
);
const user = query<{ repositoryId: string; digest: string }, { digest: string }>((db, p) =>
  db
    .selectFrom('manifest_references')
    .select('digest')
    .where('repository_id', '=', p('repositoryId'))
    .where('child', '=', p('digest'))
    .where('kind', '=', 'blob')
    .limit(1),
);
const unlink = query<{ repositoryId: string; digest: string }>((db, p) =>
  db
    .deleteFrom('blob_links')
    .where('repository_id', '=', p('repositoryId'))
    .where('digest', '=', p('digest')),
);
const record = query<{
  digest: string;
  compression: string;
  state: string;
  size: number | null;
  reason: string | null;
}>((db, p) =>
  db
    .updateTable('measures')
    .set({ state: p('state'), uncompressed_size: p('size'), reason: p('reason') })
    .where('digest', '=', p('digest'))
    .where('compression', '=', p('compression')),
);

export const linkBlob: Command<'LinkBlob'> = async (tx, args) => {
  const row = await find.get(tx, { digest: args.digest });
  if (!row || row.quarantined_at !== null) return undefined;
  await linkBlobOf(tx, { ...args, size: row.size });
  return { digest: row.digest as Digest, key: row.key, size: row.size };
};

export const unlinkBlob: Command<'UnlinkBlob'> = async (tx, args) => {
  const holder = await user.get(tx, args);
  if (holder) {
    throw refuse(
      'blob-in-use',
      `The manifest ${holder.digest} of this repository names this blob: without it the image could not be pulled.`,
      'Delete that manifest first.',
      { manifest: holder.digest },
    );
  }
  if ((await unlink.run(tx, args)) === 0)
    throw refuse('blob-unknown', 'The repository holds no such blob.');
  const stored = await find.get(tx, { digest: args.digest });
  await uncountBytes(tx, args.repositoryId, stored?.size ?? 0);
  return null;
};

export const recordMeasure: Command<'RecordMeasure'> = async (tx, measure) => {
  await record.run(tx, {
    digest: measure.digest,
    compression: measure.compression,
    state: measure.state,
    size: measure.uncompressedSize ?? null,
    reason: measure.reason ?? null,
  });
  return null;
};
