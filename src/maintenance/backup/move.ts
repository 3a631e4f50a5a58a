import { refuse } from '../../oci/errors.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EmptyDatabase, Snapshot, TableRows } from '../../ports/rows.ts';
import { bytesOf, type ListedBlob } from './blob-list.ts';
import { copyBlobs, type LostBlob, type OnProgress } from './copy.ts';
import { checkRoom } from './folder.ts';
import { blobsOf, keysOf } from './make-backup.ts';
import { keysIn, storeTarget } from './store-target.ts';

export interface MoveDeps {
  /** Nobody writes to it, unless this is a preparation. */
  readonly openSnapshot: () => Promise<Snapshot>;
  readonly source: BlobStore;
  /** Undefined: the blobs stay where they are. */
  readonly target: BlobStore | undefined;
  readonly targetFolder: string | undefined;
  /** Whether an earlier run began to fill that store: what it holds is then this move's. */
  readonly begun: () => Promise<boolean>;
  readonly begin: () => Promise<void>;
  readonly openDatabase: () => Promise<EmptyDatabase>;
  readonly from: string;
  readonly clock: Clock;
  readonly progress?: OnProgress | undefined;
}

export interface MoveReport {
  /** False: the blobs were copied that there were, and the facts are still to come. */
  readonly moved: boolean;
  readonly rows: number;
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly copied: { readonly count: number; readonly bytes: number };
  readonly lost: readonly LostBlob[];
}

/**
 * Copies the blobs of an installation into another store, then (unless `prepare`) its rows into another database, in
 * one transaction. The source stays as it is. Can be run again after a crash, and after a preparation.
 */
export async function moveInstallation(
  deps: MoveDeps,
  options: { readonly prepare: boolean },
): Promise<MoveReport> {
  let database: EmptyDatabase | undefined = await deps.openDatabase();
  try {
    // Before hours of copying, rather than when the server stands still.
    await database.tryOut();
    if (options.prepare) {
      await database.close();
      database = undefined;
    }
    const { list, keys } = await listOf(deps.openSnapshot);
    const { copied, lost, strays } = await copyAll(deps, list, keys, options.prepare);
    const blobs = { count: list.length, bytes: bytesOf(list) };
    if (!database) return { moved: false, rows: 0, blobs, copied, lost: [] };
    const rows = await fillFrom(deps, database, lost, strays);
    return { moved: true, rows, blobs, copied, lost };
  } finally {
    await database?.close();
  }
}

/** What is to be copied, and the keys of quarantined blobs, too. Closed at once: a snapshot that stays open beside a server makes its log grow. */
async function listOf(
  openSnapshot: () => Promise<Snapshot>,
): Promise<{ list: ListedBlob[]; keys: ReadonlySet<string> }> {
  const snapshot = await openSnapshot();
  try {
    const table = snapshot.tables.find(({ name }) => name === 'blobs')!;
    const list: ListedBlob[] = [];
    const keys = new Set<string>();
    for await (const rows of snapshot.rows(table)) {
      list.push(...blobsOf(table, rows));
      for (const key of keysOf(table, rows)) keys.add(key);
    }
    return { list, keys };
  } finally {
    await snapshot.close();
  }
}

async function fillFrom(
  deps: MoveDeps,
  database: EmptyDatabase,
  lost: readonly LostBlob[],
  strays: readonly string[],
): Promise<number> {
  const snapshot = await deps.openSnapshot();
  try {
    let rows = 0;
    const count = (more: number): void => {
      rows += more;
      deps.progress?.({ step: 'database', done: rows, total: 0, unit: 'rows' });
    };
    const now = deps.clock.now();
    await database.fill(snapshot.version, tablesOf(snapshot, count), {
      as: 'moved',
      sameStore: deps.target === undefined,
      ...{ now, takenAt: now, from: deps.from, strays },
      lost: new Map(lost.map(({ digest, damage }) => [digest, damage])),
    });
    return rows;
  } finally {
    await snapshot.close();
  }
}

/** `strays`: keys of blobs that a preparation copied and that are no more. */
async function copyAll(
  deps: MoveDeps,
  list: readonly ListedBlob[],
  keys: ReadonlySet<string>,
  prepare: boolean,
): Promise<{ copied: MoveReport['copied']; lost: LostBlob[]; strays: string[] }> {
  const { source, target, targetFolder, progress } = deps;
  if (!target) return { copied: { count: 0, bytes: 0 }, lost: [], strays: [] };
  const found = await keysIn(target);
  if (!(await deps.begun())) {
    if (found.size > 0) {
      throw refuse(
        'conflict',
        `The store to move to is not empty: it holds ${found.size} blobs.`,
        'Name an empty bucket, prefix or folder.',
      );
    }
    await deps.begin();
  }
  if (targetFolder !== undefined) {
    await checkRoom(targetFolder, bytesOf(list.filter(({ key }) => !found.has(key))));
  }
  const { copied, lost } = await copyBlobs(
    list,
    ({ key }) => source.open(key),
    storeTarget(target, found),
    { step: 'blobs', progress },
  );
  if (!prepare && lost.length > 0 && lost.length === list.length) {
    throw refuse(
      'conflict',
      'The store holds none of the blobs that the database names.',
      'Give the command the settings of the server, GANTRY_STORAGE and GANTRY_BLOBS above all.',
    );
  }
  return { copied, lost, strays: [...found].filter((key) => !keys.has(key)) };
}

async function* tablesOf(
  snapshot: Snapshot,
  count: (rows: number) => void,
): AsyncGenerator<TableRows> {
  for (const shape of snapshot.tables) {
    const rows = async function* () {
      for await (const batch of snapshot.rows(shape)) {
        count(batch.length);
        yield batch;
      }
    };
    yield { shape, rows: rows() };
  }
}
