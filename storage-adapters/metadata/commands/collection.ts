import type { CollectionRecord } from '../../../src/ports/collection-plan.ts';
import { blobLeaseMs } from '../../../src/ports/commands-collection.ts';
import { query } from '../database.ts';
import type { Command } from './command.ts';
import { discardLater, renewLink, uncountBytes } from './uploads.ts';

interface Link {
  repository: string;
  digest: string;
}
const unlink = query<Link & { now: number }>((db, p) =>
  db
    .deleteFrom('blob_links')
    .where('repository_id', '=', p('repository'))
    .where('digest', '=', p('digest'))
    .where('leased_until', '<', p('now'))
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom('manifest_references as r')
            .select('r.child')
            .where('r.repository_id', '=', p('repository'))
            .where('r.child', '=', p('digest'))
            .where('r.kind', '=', 'blob'),
        ),
      ),
    ),
);
const find = query<{ digest: string }, { key: string; size: number }>((db, p) =>
  db.selectFrom('blobs').select(['key', 'size']).where('digest', '=', p('digest')),
);
const remove = query<{ digest: string }>((db, p) =>
  db
    .deleteFrom('blobs')
    .where('digest', '=', p('digest'))
    .where((e) =>
      e.not(
        e.exists(
          e.selectFrom('blob_links as l').select('l.digest').where('l.digest', '=', p('digest')),
        ),
      ),
    ),
);
const removeMeasures = query<{ digest: string }>((db, p) =>
  db.deleteFrom('measures').where('digest', '=', p('digest')),
);
const removeFault = query<{ digest: string }>((db, p) =>
  db.deleteFrom('blob_faults').where('digest', '=', p('digest')),
);
const insertRun = query<CollectionRecord>((db, p) =>
  db.insertInto('collection_runs').values({
    ...{ id: p('id'), started_at: p('startedAt'), ended_at: p('endedAt') },
    ...{ links: p('links'), blobs: p('blobs'), bytes: p('bytes') },
  }),
);
const runsKept = 100;
const pruneRuns = query<object>((db) =>
  db.deleteFrom('collection_runs').where('id', 'in', (e) =>
    e
      .selectFrom('collection_runs')
      .select('id')
      .orderBy('started_at', 'desc')
      .orderBy('id', 'desc')
      // SQLite has no offset without a limit.
      .limit(1_000)
      .offset(runsKept),
  ),
);

export const recordCollection: Command<'RecordCollection'> = async (tx, run) => {
  await insertRun.run(tx, run);
  await pruneRuns.run(tx, {});
  return null;
};

export const renewLease: Command<'RenewLease'> = async (tx, args) => {
  const { repositoryId, digest, now, leaseMs = blobLeaseMs } = args;
  return { renewed: await renewLink(tx, { repositoryId, digest, until: now + leaseMs }) };
};

export const collectLinks: Command<'CollectLinks'> = async (tx, { links, now }) => {
  let count = 0;
  let bytes = 0;
  for (const { repositoryId: repository, digest } of links) {
    if ((await unlink.run(tx, { repository, digest, now })) === 0) continue;
    const size = (await find.get(tx, { digest }))?.size ?? 0;
    await uncountBytes(tx, repository, size);
    count += 1;
    bytes += size;
  }
  return { count, bytes };
};

export const collectBlobs: Command<'CollectBlobs'> = async (tx, { digests, now, delayMs }) => {
  let count = 0;
  let bytes = 0;
  for (const digest of digests) {
    const row = await find.get(tx, { digest });
    if (!row || (await remove.run(tx, { digest })) === 0) continue;
    await removeMeasures.run(tx, { digest });
    await removeFault.run(tx, { digest });
    await discardLater(tx, row.key, now + delayMs);
    count += 1;
    bytes += row.size;
  }
  return { count, bytes };
};
