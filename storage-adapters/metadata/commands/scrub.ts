import { refuse } from '../../../src/oci/errors.ts';
import { mostToldOfFault } from '../../../src/ports/scrub.ts';
import { type Executor, query } from '../database.ts';
import { removedProject } from '../removed-place.ts';
import { toRun } from '../stores/scrub.ts';
import type { Command } from './command.ts';
import { emit } from './outbox.ts';
import { forgetFault } from './quarantine.ts';

interface Read {
  digest: string;
  key: string;
}
const verified = query<Read & { now: number }>((db, p) =>
  db
    .updateTable('blobs')
    .set({ verified_at: p('now') })
    .where('digest', '=', p('digest'))
    .where('key', '=', p('key')),
);
const release = query<Read>((db, p) =>
  db
    .updateTable('blobs')
    .set({ quarantined_at: null })
    .where('digest', '=', p('digest'))
    .where('key', '=', p('key'))
    .where('quarantined_at', 'is not', null),
);
const mark = query<Read & { now: number }>((db, p) =>
  db
    .updateTable('blobs')
    .set({ quarantined_at: p('now') })
    .where('digest', '=', p('digest'))
    .where('key', '=', p('key'))
    .where('quarantined_at', 'is', null),
);
interface Fault extends Read {
  kind: string;
  reason: string;
  size: number;
  now: number;
}
const putFault = query<Fault>((db, p) =>
  db
    .insertInto('blob_faults')
    .values({
      ...{ digest: p('digest'), key: p('key'), kind: p('kind'), reason: p('reason') },
      ...{ size: p('size'), found_at: p('now'), seen_at: p('now') },
    })
    .onConflict((c) =>
      c.column('digest').doUpdateSet({
        ...{ key: p('key'), kind: p('kind'), reason: p('reason') },
        seen_at: p('now'),
      }),
    ),
);
/** As `blobs` has it now: a blob that is quarantined stays so, whatever a read of it says. */
const readable = query<Read, { digest: string }>((db, p) =>
  db
    .selectFrom('blobs')
    .select('digest')
    .where('digest', '=', p('digest'))
    .where('key', '=', p('key'))
    .where('quarantined_at', 'is', null),
);
const seen = query<{ digest: string; now: number }>((db, p) =>
  db
    .updateTable('blob_faults')
    .set({ seen_at: p('now') })
    .where('digest', '=', p('digest')),
);
const linking = query<{ digest: string; limit: number }, { repository_id: string }>((db, p) =>
  db
    .selectFrom('blob_links as l')
    .innerJoin('repositories as r', 'r.id', 'l.repository_id')
    .select('l.repository_id')
    .where('l.digest', '=', p('digest'))
    .where('r.project_id', '!=', removedProject)
    .orderBy('l.repository_id')
    .limit(p('limit')),
);
const holding = query<{ digest: string; limit: number }, { repository_id: string }>((db, p) =>
  db
    .selectFrom('manifests as m')
    .innerJoin('repositories as r', 'r.id', 'm.repository_id')
    .select('m.repository_id')
    .where('m.digest', '=', p('digest'))
    .where('r.project_id', '!=', removedProject)
    .orderBy('m.repository_id')
    .limit(p('limit')),
);
const takeContent = query<{ digest: string; bytes: Uint8Array }>((db, p) =>
  db
    .deleteFrom('manifest_contents')
    .where('digest', '=', p('digest'))
    .where('bytes', '=', p('bytes')),
);
const keepContent = query<{ digest: string; bytes: Uint8Array; now: number }>((db, p) =>
  db
    .insertInto('damaged_manifests')
    .values({ digest: p('digest'), bytes: p('bytes'), found_at: p('now') })
    .onConflict((c) => c.column('digest').doUpdateSet({ bytes: p('bytes'), found_at: p('now') })),
);
const putNote = query<{ name: string; value: string }>((db, p) =>
  db
    .insertInto('scrub_state')
    .values({ name: p('name'), value: p('value') })
    .onConflict((c) => c.column('name').doUpdateSet({ value: p('value') })),
);
const dropNote = query<{ name: string }>((db, p) =>
  db.deleteFrom('scrub_state').where('name', '=', p('name')),
);

interface Counts {
  blobs: number;
  bytes: number;
  quarantined: number;
  repaired: number;
  unreadable: number;
  manifests: number;
}
const count = query<Counts & { id: string }>((db, p) =>
  db
    .updateTable('scrub_runs')
    .set((e) => ({
      blobs: e('blobs', '+', p('blobs')),
      bytes: e('bytes', '+', p('bytes')),
      quarantined: e('quarantined', '+', p('quarantined')),
      repaired: e('repaired', '+', p('repaired')),
      unreadable: e('unreadable', '+', p('unreadable')),
      manifests: e('manifests', '+', p('manifests')),
    }))
    .where('id', '=', p('id')),
);
const running = query<object, { id: string }>((db) =>
  db.selectFrom('scrub_runs').select('id').where('state', '=', 'running').limit(1),
);
interface Total {
  blobs: number;
  bytes: number | null;
}
const totalOfAll = query<object, Total>((db) =>
  db
    .selectFrom('blobs')
    .select((e) => [e.fn.countAll<number>().as('blobs'), e.fn.sum<number>('size').as('bytes')]),
);
const totalOf = query<{ repository: string }, Total>((db, p) =>
  db
    .selectFrom('blob_links as l')
    .innerJoin('blobs as b', 'b.digest', 'l.digest')
    .select((e) => [e.fn.countAll<number>().as('blobs'), e.fn.sum<number>('b.size').as('bytes')])
    .where('l.repository_id', '=', p('repository')),
);
const insertRun = query<{
  id: string;
  repositoryId: string | null;
  repository: string | null;
  actor: string;
  now: number;
  totalBlobs: number;
  totalBytes: number;
}>((db, p) =>
  db.insertInto('scrub_runs').values({
    ...{ id: p('id'), repository_id: p('repositoryId'), repository: p('repository') },
    ...{ actor: p('actor'), state: 'running', started_at: p('now'), ended_at: null },
    ...{ total_blobs: p('totalBlobs'), total_bytes: p('totalBytes') },
    ...{ blobs: 0, bytes: 0, quarantined: 0, repaired: 0, unreadable: 0, manifests: 0 },
  }),
);
const endRun = query<{ id: string; state: string; now: number }>((db, p) =>
  db
    .updateTable('scrub_runs')
    .set({ state: p('state'), ended_at: p('now') })
    .where('id', '=', p('id'))
    .where('state', '=', 'running'),
);
/** The newest runs that ended. */
const runsKept = 50;
const pruneRuns = query<object>((db) =>
  db.deleteFrom('scrub_runs').where('id', 'in', (e) =>
    e
      .selectFrom('scrub_runs')
      .select('id')
      .where('state', '!=', 'running')
      .orderBy('started_at', 'desc')
      .orderBy('id', 'desc')
      // SQLite has no offset without a limit.
      .limit(1_000)
      .offset(runsKept),
  ),
);

export const recordVerified: Command<'RecordVerified'> = async (tx, { blobs, now, runId }) => {
  const sums = { blobs: 0, bytes: 0, repaired: 0 };
  for (const { digest, key, faulty, size } of blobs) {
    sums.blobs += 1;
    sums.bytes += size;
    if ((await verified.run(tx, { digest, key, now })) === 0 || !faulty) continue;
    sums.repaired += await release.run(tx, { digest, key });
    await forgetFault(tx, digest);
  }
  await add(tx, runId, sums);
  return { repaired: sums.repaired };
};

export const quarantineBlob: Command<'QuarantineBlob'> = async (tx, args) => {
  const { digest, key, damage, size, now, runId } = args;
  const found = { blobs: 1, bytes: size, quarantined: 1 };
  const present = (await verified.run(tx, { digest, key, now })) > 0;
  const isNew = present && (await mark.run(tx, { digest, key, now })) > 0;
  await add(tx, runId, present ? found : { blobs: 1, bytes: size });
  if (!isNew) {
    if (present) await seen.run(tx, { digest, now });
    return { state: present ? 'known' : 'gone', repositories: 0 };
  }
  await putFault.run(tx, { digest, key, kind: 'quarantined', reason: damage, size, now });
  const rows = await linking.all(tx, { digest, limit: mostToldOfFault });
  const data = { digest, size, damage };
  for (const { repository_id: repositoryId } of rows) {
    await emit(tx, { repositoryId, type: 'blob.quarantined', data, now });
  }
  return { state: 'new', repositories: rows.length };
};

export const recordUnreadable: Command<'RecordUnreadable'> = async (tx, args) => {
  const { digest, key, reason, size, now, runId } = args;
  await add(tx, runId, { unreadable: 1 });
  if (await readable.get(tx, { digest, key }))
    await putFault.run(tx, { digest, key, kind: 'unreadable', reason, size, now });
  else await seen.run(tx, { digest, now });
  return null;
};

export const quarantineManifest: Command<'QuarantineManifest'> = async (tx, args) => {
  const { digest, bytes, now } = args;
  if ((await takeContent.run(tx, { digest, bytes })) === 0)
    return { quarantined: false, repositories: 0 };
  await keepContent.run(tx, { digest, bytes, now });
  const rows = await holding.all(tx, { digest, limit: mostToldOfFault });
  for (const { repository_id: repositoryId } of rows) {
    await emit(tx, { repositoryId, type: 'manifest.quarantined', data: { digest }, now });
  }
  return { quarantined: true, repositories: rows.length };
};

export const noteScrub: Command<'NoteScrub'> = async (tx, { notes, manifests = 0, runId }) => {
  for (const { name, value } of notes) {
    if (value === undefined) await dropNote.run(tx, { name });
    else await putNote.run(tx, { name, value });
  }
  if (manifests > 0) await add(tx, runId, { manifests });
  return null;
};

export const startScrub: Command<'StartScrub'> = async (tx, args) => {
  const { id, repositoryId, repository, actor, now } = args;
  const other = await running.get(tx, {});
  if (other) {
    throw refuse(
      'conflict',
      'A scrub is under way.',
      'See how far it is (npx gantry admin scrub status), wait for it, or cancel it.',
      { run: other.id },
    );
  }
  const total = repositoryId
    ? await totalOf.get(tx, { repository: repositoryId })
    : await totalOfAll.get(tx, {});
  const row = {
    ...{ id, actor, repository_id: repositoryId ?? null, repository: repository ?? null },
    ...{ state: 'running', started_at: now, ended_at: null },
    ...{ total_blobs: total?.blobs ?? 0, total_bytes: Number(total?.bytes ?? 0) },
    ...{ blobs: 0, bytes: 0, quarantined: 0, repaired: 0, unreadable: 0, manifests: 0 },
  };
  await insertRun.run(tx, {
    ...{ id, actor, now, repositoryId: row.repository_id, repository: row.repository },
    ...{ totalBlobs: row.total_blobs, totalBytes: row.total_bytes },
  });
  await pruneRuns.run(tx, {});
  return toRun(row);
};

export const endScrub: Command<'EndScrub'> = async (tx, args) => ({
  ended: (await endRun.run(tx, args)) > 0,
});

async function add(tx: Executor, id: string | undefined, counts: Partial<Counts>): Promise<void> {
  if (id === undefined) return;
  const none = { blobs: 0, bytes: 0, quarantined: 0, repaired: 0, unreadable: 0, manifests: 0 };
  await count.run(tx, { id, ...none, ...counts });
}
