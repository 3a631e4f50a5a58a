import { type RegistryError, refuse } from '../../oci/errors.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EmptyDatabase, Snapshot } from '../../ports/rows.ts';
import { bytesOf, type ListedBlob, readBlobList } from './blob-list.ts';
import { copyBlobs, forEach, type LostBlob, type OnProgress, verifyBlob } from './copy.ts';
import { type Credentials, CredentialWatch, credentialsIn } from './credentials.ts';
import { readDump, sha256Of } from './dump-file.ts';
import { type BackupFolder, checkRoom } from './folder.ts';
import { readKey } from './key.ts';
import type { BackupManifest } from './manifest.ts';
import { damaged } from './refusals.ts';
import { keysIn, storeTarget } from './store-target.ts';

export interface RestoreDeps {
  readonly folder: BackupFolder;
  /** Opened once the backup was looked at; rejects where the database is not empty. */
  readonly openDatabase: () => Promise<EmptyDatabase>;
  readonly openStore: () => Promise<BlobStore>;
  /** `filesystem`, `s3://bucket/prefix`: where the target's blobs lie. */
  readonly storage: string;
  /** Where it is a folder: its disk needs the room. */
  readonly storageFolder: string | undefined;
  /**
   * Makes sure that the target has the key of the backup: from the backup's file, else its own. Rejects with
   * `invalid` where it has another one.
   */
  readonly settleKey: (manifest: BackupManifest) => Promise<void>;
  readonly clock: Clock;
  readonly schemaVersion: number;
  readonly progress?: OnProgress | undefined;
}

export interface RestoreOptions {
  /** False: the store has the blobs already, whatever the backup holds. */
  readonly blobs: boolean;
  readonly allowDamaged: boolean;
  /** No token of a team or an account that is in the backup is good for anything afterwards. */
  readonly revokeTokens?: boolean;
}

export interface RestoreReport {
  readonly id: string;
  readonly takenAt: number;
  /** Of the program that made the backup. */
  readonly program: string;
  readonly rows: number;
  readonly blobs: { readonly count: number; readonly bytes: number };
  /** That the backup lacks: the registry does not hold them any more. */
  readonly lost: readonly LostBlob[];
  /** False: it was only looked at. */
  readonly restored: boolean;
  /** Whom the rows of the backup let in, now. */
  readonly credentials: Credentials;
  /** Its tokens are revoked. */
  readonly tokensRevoked: boolean;
}

/** Whether a backup is whole: every file and blob of it is read. Rejects with `invalid` and what is wrong. */
export async function checkBackup(
  deps: Pick<RestoreDeps, 'folder' | 'clock' | 'schemaVersion' | 'progress'>,
): Promise<RestoreReport> {
  const { folder, clock, progress } = deps;
  const { manifest, list } = await readBackup(deps);
  const watch = new CredentialWatch();
  for await (const { rows } of watch.watch(readDump(folder.file(manifest.database.file))))
    for await (const _ of rows);
  if (manifest.blobs.folder !== undefined) {
    const wrong: LostBlob[] = [];
    const total = bytesOf(list);
    let done = 0;
    await forEach(list, async (blob) => {
      const found = await verifyBlob(blob, (one) => folder.open(one));
      if (found) wrong.push({ digest: blob.digest, ...found });
      done += blob.size;
      progress?.({ step: 'check', done, total, unit: 'bytes' });
    });
    if (wrong.length > 0) throw damaged(tell(wrong));
  }
  return {
    ...reportOf(manifest, list, [], false),
    ...{ credentials: watch.found(clock.now()), tokensRevoked: false },
  };
}

/**
 * Into an empty database and a store that holds nothing but this backup's blobs: blobs first, then the rows in one
 * transaction, so that what is there is whole or no installation at all. Can be run again after a crash.
 * `allowDamaged`: blobs that the backup lacks are quarantined (docs/scrub.md): until they are pushed again, nobody gets them.
 */
export async function restoreBackup(
  deps: RestoreDeps,
  options: RestoreOptions,
): Promise<RestoreReport> {
  const { folder, clock, progress } = deps;
  const { manifest, list } = await readBackup(deps);
  const copies = options.blobs && manifest.blobs.folder !== undefined;
  const database = await deps.openDatabase();
  try {
    await deps.settleKey(manifest);
    const store = await deps.openStore();
    try {
      const lost = await fillStore(deps, store, list, copies, options.allowDamaged);
      const all = [...manifest.blobs.lost, ...lost];
      progress?.({ step: 'database', done: 0, total: 0, unit: 'rows' });
      const watch = new CredentialWatch();
      const rows = watch.watch(readDump(folder.file(manifest.database.file)));
      const { revokeTokens = false } = options;
      await database.fill(manifest.schema, rows, {
        as: 'restored',
        revokeTokens,
        sameStore: !copies,
        ...{ now: clock.now(), takenAt: manifest.takenAt, from: `backup ${manifest.id}` },
        lost: new Map(all.map(({ digest, damage }) => [digest, damage])),
        strays: [],
      });
      const credentials = watch.found(clock.now());
      return {
        ...{ ...reportOf(manifest, list, all, true), credentials },
        tokensRevoked: revokeTokens,
      };
    } finally {
      await store.close();
    }
  } finally {
    await database.close();
  }
}

/**
 * What is told of a backup that was restored here before: of its credentials, those that are good here now. Rejects with
 * `conflict` where no token was to be good any more, and some are.
 */
export async function restoredBefore(
  report: RestoreReport,
  snapshot: Snapshot,
  { revokeTokens = false }: Pick<RestoreOptions, 'revokeTokens'>,
): Promise<RestoreReport> {
  const here = await credentialsIn(snapshot, report.takenAt);
  const good = new Set(here.tokens.map(({ id }) => id));
  const tokens = report.credentials.tokens.filter(({ id }) => good.has(id));
  if (revokeTokens && tokens.length > 0) {
    throw refuse(
      'conflict',
      `The backup was restored here before without --revoke-tokens, and ${tokens.length} of its tokens are good.`,
      'Revoke them: npx gantry admin token list, and token revoke; or restore into an empty folder or database.',
    );
  }
  return {
    ...report,
    credentials: { ...report.credentials, tokens },
    tokensRevoked: revokeTokens,
  };
}

/** The manifest and the blobs that should be in it, once all checksums but those of blobs are right. */
async function readBackup({
  folder,
  schemaVersion,
}: Pick<RestoreDeps, 'folder' | 'schemaVersion'>): Promise<{
  manifest: BackupManifest;
  list: ListedBlob[];
}> {
  const manifest = await folder.manifest();
  const { database, blobs, key } = manifest;
  if (manifest.schema > schemaVersion) {
    throw refuse(
      'conflict',
      `The backup was made by Gantry ${manifest.program}, whose schema version ${manifest.schema} is newer than this program's ${schemaVersion}.`,
      `Restore it with Gantry ${manifest.program} or newer.`,
    );
  }
  const files: [string, string][] = [
    [database.file, database.sha256],
    [blobs.list, blobs.listSha256],
  ];
  for (const [name, sha256] of files) await checkFile(folder, name, sha256);
  if (key.file !== undefined) await readKey(folder, manifest);
  const absent = new Set(blobs.lost.map(({ digest }) => digest));
  const list = await readBlobList(folder.file(blobs.list));
  return { manifest, list: list.filter(({ digest }) => !absent.has(digest)) };
}

async function checkFile(folder: BackupFolder, name: string, sha256: string): Promise<void> {
  const found = await sha256Of(folder.file(name)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw damaged(`${name} is missing`);
    throw error;
  });
  if (found !== sha256) throw damaged(`${name} is not what it was: its SHA-256 is ${found}`);
}

/** Digests that the backup, or the store where it was to have them, lacks. */
async function fillStore(
  { folder, storage, storageFolder, progress }: RestoreDeps,
  store: BlobStore,
  list: readonly ListedBlob[],
  copies: boolean,
  allowDamaged: boolean,
): Promise<LostBlob[]> {
  const found = await keysIn(store);
  const lost: LostBlob[] = [];
  if (!copies) {
    await forEach(list, async (blob) => {
      const there = found.has(blob.key) ? await store.stat(blob.key) : undefined;
      if (there?.size !== blob.size) {
        const damage = there ? 'size' : 'missing';
        const why = there ? `it has ${there.size} bytes` : 'it is missing';
        lost.push({ digest: blob.digest, damage, why: `${why} in ${storage}` });
      }
    });
  } else {
    const keys = new Set(list.map(({ key }) => key));
    const strangers = [...found].filter((key) => !keys.has(key));
    if (strangers.length > 0) throw occupied(storage, strangers);
    if (storageFolder !== undefined) {
      await checkRoom(storageFolder, bytesOf(list.filter(({ key }) => !found.has(key))));
    }
    const target = storeTarget(store, found);
    const copied = await copyBlobs(list, (blob) => folder.open(blob), target, {
      ...{ step: 'blobs', progress },
    });
    lost.push(...copied.lost);
    await checkThere(store, list, lost);
  }
  if (lost.length === 0 || allowDamaged) return lost;
  const { kind, message } = damaged(tell(lost));
  throw refuse(
    kind,
    message,
    'Take another backup, or restore what there is with --allow-damaged: a push brings the blobs back that it lacks.',
  );
}

/** All blobs once more, as the store itself lists them. */
async function checkThere(
  store: BlobStore,
  list: readonly ListedBlob[],
  lost: readonly LostBlob[],
): Promise<void> {
  const there = await keysIn(store);
  const absent = new Set(lost.map(({ digest }) => digest));
  const gone = list.find(({ key, digest }) => !there.has(key) && !absent.has(digest));
  if (!gone) return;
  throw refuse('unavailable', `The store lost ${gone.digest} again.`, 'Look at it, and try again.');
}

function occupied(storage: string, strangers: readonly string[]): RegistryError {
  return refuse(
    'conflict',
    `${storage} is not empty: it holds ${strangers.length} blobs that are not in the backup, such as ${strangers[0]}.`,
    'Name an empty folder or bucket: GANTRY_DATA, GANTRY_BLOBS, GANTRY_STORAGE.',
  );
}

function tell(wrong: readonly LostBlob[]): string {
  const some = wrong.slice(0, 10).map(({ digest, why }) => `${digest}: ${why}`);
  const more = wrong.length > some.length ? `, and ${wrong.length - some.length} more` : '';
  return `${wrong.length} of its blobs cannot be used (${some.join('; ')}${more})`;
}

function reportOf(
  manifest: BackupManifest,
  list: readonly ListedBlob[],
  lost: readonly LostBlob[],
  restored: boolean,
): Omit<RestoreReport, 'credentials' | 'tokensRevoked'> {
  const rows = Object.values(manifest.database.rows).reduce((all, one) => all + one, 0);
  const absent = new Set(lost.map(({ digest }) => digest));
  const there = list.filter(({ digest }) => !absent.has(digest));
  return {
    ...{
      id: manifest.id,
      takenAt: manifest.takenAt,
      program: manifest.program,
      rows,
      lost,
      restored,
    },
    blobs: { count: there.length, bytes: bytesOf(there) },
  };
}
