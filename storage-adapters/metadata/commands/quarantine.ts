import { replacedBytesKeptMs } from '../../../src/ports/scrub.ts';
import { type Executor, query } from '../database.ts';

const oldKey = query<{ digest: string }, { key: string }>((db, p) =>
  db
    .selectFrom('blobs')
    .select('key')
    .where('digest', '=', p('digest'))
    .where('quarantined_at', 'is not', null),
);
const replace = query<{ digest: string; key: string; size: number; now: number }>((db, p) =>
  db
    .updateTable('blobs')
    .set({ key: p('key'), size: p('size'), verified_at: p('now'), quarantined_at: null })
    .where('digest', '=', p('digest')),
);
const keepAside = query<{ key: string; due: number }>((db, p) =>
  db
    .insertInto('discarded_keys')
    .values({ key: p('key'), store_state: null, due_at: p('due') })
    .onConflict((c) => c.column('key').doNothing()),
);
const dropFault = query<{ digest: string }>((db, p) =>
  db.deleteFrom('blob_faults').where('digest', '=', p('digest')),
);
/** What was measured may have been of the bad bytes. */
const measureAgain = query<{ digest: string }>((db, p) =>
  db
    .updateTable('measures')
    .set({ state: 'pending', uncompressed_size: null, reason: null })
    .where('digest', '=', p('digest')),
);
const dropDamaged = query<{ digest: string }>((db, p) =>
  db.deleteFrom('damaged_manifests').where('digest', '=', p('digest')),
);

/**
 * Gives a quarantined blob the bytes of an upload, for all repositories that link it; those of before are kept
 * aside for a while. False: there is no such blob, or nothing is wrong with it.
 */
export async function replaceQuarantined(
  tx: Executor,
  blob: { digest: string; key: string; size: number; now: number },
): Promise<boolean> {
  const { digest, now } = blob;
  const old = await oldKey.get(tx, { digest });
  if (!old) return false;
  await replace.run(tx, blob);
  await keepAside.run(tx, { key: old.key, due: now + replacedBytesKeptMs });
  await forgetFault(tx, digest);
  await measureAgain.run(tx, { digest });
  return true;
}

export async function forgetFault(tx: Executor, digest: string): Promise<void> {
  await dropFault.run(tx, { digest });
}

/** The manifest's bytes are there again. */
export async function forgetDamaged(tx: Executor, digest: string): Promise<void> {
  await dropDamaged.run(tx, { digest });
}
