import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { refuse } from '../../oci/errors.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Row, Snapshot, TableShape } from '../../ports/rows.ts';
import { bytesOf, type ListedBlob, listLine } from './blob-list.ts';
import {
  type BlobTarget,
  copyBlobs,
  forEach,
  type LostBlob,
  type OnProgress,
  verifyBlob,
} from './copy.ts';
import { type DumpSummary, writeDump } from './dump-file.ts';
import { type BackupFolder, checkRoom } from './folder.ts';
import { Hold, type HoldDeps } from './hold.ts';
import { type BackupManifest, blobsName, fingerprintOf, keyName } from './manifest.ts';

export interface BackupDeps {
  /** Prepared and locked by the caller. */
  readonly folder: BackupFolder;
  readonly openSnapshot: () => Promise<Snapshot>;
  readonly store: BlobStore;
  readonly holding: HoldDeps;
  readonly key: Uint8Array;
  readonly clock: Clock;
  /** Of the program. */
  readonly version: string;
  readonly from: { readonly database: string; readonly storage: string };
  readonly progress?: OnProgress | undefined;
}

export interface BackupOptions {
  /** False: the blobs stay in the store, and are listed. */
  readonly blobs: boolean;
  /** Whether the key is in the backup: not where it is in the environment, or was not wanted. */
  readonly withKey: boolean;
  /** Read again what earlier runs copied. */
  readonly verify: boolean;
}

export interface BackupReport {
  readonly folder: string;
  readonly id: string;
  readonly takenAt: number;
  readonly database: { readonly bytes: number; readonly rows: number };
  readonly blobs: {
    readonly count: number;
    readonly bytes: number;
    readonly copied: { readonly count: number; readonly bytes: number };
    /** No longer named by the database. */
    readonly removed: number;
    /** What lies among them in the backup and is none, by its path there: it is passed over. */
    readonly strays: readonly string[];
    readonly lost: readonly LostBlob[];
  };
  readonly key: 'in the backup' | 'not in the backup';
  readonly fingerprint: string;
}

/**
 * The database first, at one moment; then all blobs that it names, while the store keeps them. What an earlier run
 * copied stays. The manifest comes last, then what the backup before had more is removed.
 */
export async function makeBackup(deps: BackupDeps, options: BackupOptions): Promise<BackupReport> {
  const { folder, clock, key } = deps;
  const hold = await Hold.take(deps.holding);
  try {
    const id = randomBytes(8).toString('hex');
    const takenAt = clock.now();
    const { summary, schema, list, keys } = await dumpInto(deps, id);
    const listName = `blobs-${id}.txt`;
    const listSha256 = await writeList(folder.file(listName), list);
    if (options.withKey) await folder.writeKey(key);
    const copied = options.blobs
      ? await copyInto(deps, list, options.verify, () => hold.check())
      : { copied: { count: 0, bytes: 0 }, lost: [] };
    const manifest: BackupManifest = {
      format: 1,
      id,
      program: deps.version,
      schema,
      takenAt,
      finishedAt: clock.now(),
      database: { from: deps.from.database, file: databaseName(id), ...summary },
      key: { fingerprint: fingerprintOf(key), ...(options.withKey && { file: keyName }) },
      blobs: {
        ...(options.blobs && { folder: blobsName }),
        ...{ list: listName, listSha256, from: deps.from.storage },
        ...{ count: list.length, bytes: bytesOf(list), lost: copied.lost },
      },
    };
    await folder.finish(manifest);
    const { removed, strays } = await folder.prune(manifest, keys);
    const { count, bytes, lost } = manifest.blobs;
    return {
      ...{ folder: folder.path, id, takenAt },
      database: { bytes: summary.bytes, rows: sum(summary.rows) },
      blobs: { count, bytes, copied: copied.copied, removed, strays, lost },
      key: options.withKey ? 'in the backup' : 'not in the backup',
      fingerprint: manifest.key.fingerprint,
    };
  } finally {
    await hold.release();
  }
}

const databaseName = (id: string) => `database-${id}.gz`;

async function dumpInto(
  { folder, openSnapshot, progress }: BackupDeps,
  id: string,
): Promise<{
  summary: DumpSummary;
  schema: number;
  list: ListedBlob[];
  /** Those of quarantined blobs, too. */
  keys: ReadonlySet<string>;
}> {
  const snapshot = await openSnapshot();
  try {
    const list: ListedBlob[] = [];
    const keys = new Set<string>();
    let done = 0;
    const seen = (table: TableShape, rows: readonly Row[]): void => {
      done += rows.length;
      progress?.({ step: 'database', done, total: 0, unit: 'rows' });
      if (table.name !== 'blobs') return;
      list.push(...blobsOf(table, rows));
      for (const key of keysOf(table, rows)) keys.add(key);
    };
    const summary = await writeDump(snapshot, folder.file(databaseName(id)), seen);
    return { summary, schema: snapshot.version, list, keys };
  } finally {
    await snapshot.close();
  }
}

/** Without those that are quarantined: their bytes are known to be bad. */
export function blobsOf({ columns }: TableShape, rows: readonly Row[]): ListedBlob[] {
  const at = (name: string) => columns.findIndex((column) => column.name === name);
  const [digest, key, size] = [at('digest'), at('key'), at('size')];
  const quarantined = at('quarantined_at');
  return rows
    .filter((row) => quarantined < 0 || row[quarantined] === null)
    .map((row) => ({
      digest: String(row[digest]) as ListedBlob['digest'],
      key: String(row[key]),
      size: Number(row[size]),
    }));
}

export function keysOf({ columns }: TableShape, rows: readonly Row[]): string[] {
  const at = columns.findIndex(({ name }) => name === 'key');
  return rows.map((row) => String(row[at]));
}

async function writeList(path: string, list: readonly ListedBlob[]): Promise<string> {
  const hash = createHash('sha256');
  const file = createWriteStream(`${path}.part`, { mode: 0o600, flush: true });
  const closed = new Promise<void>((resolve, reject) => {
    file.once('close', resolve);
    file.once('error', reject);
  });
  for (let at = 0; at < list.length; at += 10_000) {
    const text = list
      .slice(at, at + 10_000)
      .map(listLine)
      .join('');
    hash.update(text);
    if (!file.write(text))
      await Promise.race([new Promise((go) => file.once('drain', go)), closed]);
  }
  file.end();
  await closed;
  await rename(`${path}.part`, path);
  return hash.digest('hex');
}

async function copyInto(
  { folder, store, progress }: BackupDeps,
  list: readonly ListedBlob[],
  verify: boolean,
  check: () => void,
) {
  const target = folder.target();
  const damagedHere = verify ? await verifyThere(folder, target, list, progress) : new Set();
  let missing = 0;
  await forEach(list, async (blob) => {
    if (damagedHere.has(blob.key) || !(await target.has(blob))) missing += blob.size;
  });
  await checkRoom(folder.path, missing);
  const fresh: BlobTarget = {
    ...target,
    has: async (blob) => !damagedHere.has(blob.key) && (await target.has(blob)),
  };
  const copied = await copyBlobs(list, ({ key }) => store.open(key), fresh, {
    ...{ step: 'blobs', progress, check, pastUnreadable: true },
  });
  if (copied.lost.length > 0 && copied.copied.count + copied.kept.count === 0) {
    throw refuse(
      'conflict',
      'The store holds none of the blobs that the database names.',
      'Give the command the settings of the server, GANTRY_STORAGE and GANTRY_BLOBS above all.',
    );
  }
  await target.sync();
  return copied;
}

/** Keys of those in the folder that are not what they should be. */
async function verifyThere(
  folder: BackupFolder,
  target: BlobTarget,
  list: readonly ListedBlob[],
  progress: OnProgress | undefined,
): Promise<Set<string>> {
  const wrong = new Set<string>();
  const total = bytesOf(list);
  let done = 0;
  await forEach(list, async (blob) => {
    const there = await target.has(blob);
    if (there && (await verifyBlob(blob, (one) => folder.open(one)))) wrong.add(blob.key);
    done += blob.size;
    progress?.({ step: 'verify', done, total, unit: 'bytes' });
  });
  return wrong;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, one) => all + one, 0);
}
