/** Commands on whole installations: they run beside a server, or where none does. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { lockFolder, makePrivate } from '../storage-adapters/metadata/folder-lock.ts';
import { schemaVersion } from '../storage-adapters/metadata/migrations/migrate.ts';
import { holdBytes, postgresNow, releaseBytes } from '../storage-adapters/metadata/rows/hold.ts';
import {
  type DatabasePlace,
  openEmptyDatabase,
  openSnapshot,
  originOf,
} from '../storage-adapters/metadata/rows/open-rows.ts';
import { openBlobStore } from './compose-store.ts';
import { type Config, loadConfig } from './config/load.ts';
import { readIfThere, writePrivateFile } from './config/private-file.ts';
import { version } from './config/version.ts';
import type { OnProgress } from './maintenance/backup/copy.ts';
import { BackupFolder } from './maintenance/backup/folder.ts';
import { holdMs } from './maintenance/backup/hold.ts';
import { keyOf, noKey, settleKey } from './maintenance/backup/key.ts';
import { type BackupReport, makeBackup } from './maintenance/backup/make-backup.ts';
import { type MoveReport, moveInstallation } from './maintenance/backup/move.ts';
import { type MovePlan, planMove, settingsAfter } from './maintenance/backup/plan-move.ts';
import {
  checkBackup,
  type RestoreOptions,
  type RestoreReport,
  restoreBackup,
  restoredBefore,
} from './maintenance/backup/restore-backup.ts';
import { RegistryError, refuse } from './oci/errors.ts';
import { systemClock } from './ports/clock.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface Place {
  readonly env: Env;
  readonly cwd: string;
  readonly progress?: OnProgress | undefined;
}

const placeOf = (config: Config): DatabasePlace => ({
  folder: config.data,
  databaseUrl: config.databaseUrl,
});

export async function backup(
  { env, cwd, progress }: Place,
  target: string,
  options: { readonly blobs: boolean; readonly key: boolean; readonly verify: boolean },
): Promise<BackupReport> {
  const config = loadConfig(env, { cwd });
  const key = await keyOf(config);
  if (!key) throw noKey(config);
  const folder = new BackupFolder(resolve(cwd, target));
  await folder.prepare();
  return locked(folder.path, 'Another backup or restore works in', async () => {
    const store = await openBlobStore(config);
    const place = placeOf(config);
    // The same for each run into this folder: who goes on after a crash takes over.
    const id = createHash('sha256').update(`${hostname()} ${folder.path}`).digest('hex');
    const name = `backup:${id.slice(0, 16)}` as const;
    try {
      return await makeBackup(
        {
          ...{ folder, store, key, clock: systemClock, version, progress },
          openSnapshot: () => openSnapshot(place),
          holding: {
            hold: () => holdBytes(place, name, holdMs),
            release: () => releaseBytes(place, name),
          },
          from: { database: databaseOf(config), storage: storageOf(config) },
        },
        {
          ...{ blobs: options.blobs, verify: options.verify },
          withKey: options.key && config.secretKey === undefined,
        },
      );
    } finally {
      await store.close();
    }
  });
}

export async function check({ cwd, progress }: Place, source: string): Promise<RestoreReport> {
  const folder = new BackupFolder(resolve(cwd, source));
  return checkBackup({ folder, clock: systemClock, schemaVersion, progress });
}

export async function restore(
  { env, cwd, progress }: Place,
  source: string,
  options: RestoreOptions,
): Promise<RestoreReport & { readonly already: boolean }> {
  const config = loadConfig(env, { cwd });
  const folder = new BackupFolder(resolve(cwd, source));
  const manifest = await folder.manifest();
  return locked(config.data, inUse, async () => {
    const place = placeOf(config);
    const finished = async () => (await originOf(place)) === `backup ${manifest.id}`;
    const already = async () => {
      const report = await checkBackup({ folder, clock: systemClock, schemaVersion, progress });
      const snapshot = await openSnapshot(place);
      try {
        return { ...(await restoredBefore(report, snapshot, options)), already: true };
      } finally {
        await snapshot.close();
      }
    };
    if (await finished()) return already();
    if (existsSync(join(config.data, 'bootstrap.json'))) throw used(config);
    const report = await restoreBackup(
      {
        ...{ folder, clock: systemClock, schemaVersion, progress },
        openDatabase: () => openEmptyDatabase(place),
        openStore: () => openBlobStore(config),
        storage: storageOf(config),
        storageFolder: config.storage.type === 'filesystem' ? config.blobs : undefined,
        settleKey: (found) => settleKey(config, folder, found),
      },
      options,
    ).catch(async (error: unknown) => {
      // The commit of a run that was killed may have come since the look above.
      if (isConflict(error) && (await finished())) return undefined;
      throw error;
    });
    return report ? { ...report, already: false } : already();
  });
}

export interface MoveOptions {
  readonly toDatabase?: string | undefined;
  readonly toStorage?: string | undefined;
  readonly toData?: string | undefined;
  readonly prepare: boolean;
}

export async function move(
  { env, cwd, progress }: Place,
  options: MoveOptions,
): Promise<MoveReport & { readonly already: boolean; readonly settings: readonly string[] }> {
  const plan = planMove(env, cwd, options);
  const { source } = plan;
  const key = await keyOf(source);
  if (!key) throw noKey(source);
  const target = plan.target(key.toString('hex'));
  const work = () => moveTo(plan, target, key, options.prepare, progress);
  const both = () => (target.data === source.data ? work() : locked(target.data, inUse, work));
  return options.prepare ? both() : locked(source.data, running, both);
}

/** `move.json` of the source: what a move that is run again goes on with. */
interface MoveMarker {
  readonly to: string;
  readonly id: string;
  readonly done?: boolean;
}

async function moveTo(
  plan: MovePlan,
  target: Config,
  key: Buffer,
  prepare: boolean,
  progress: OnProgress | undefined,
) {
  const { source, blobs } = plan;
  const marker = join(source.data, 'move.json');
  const to = `${databaseOf(target)} ${storageOf(target)} ${target.data}`;
  const begun = JSON.parse((await readIfThere(marker)) ?? 'null') as MoveMarker | null;
  const settings = settingsAfter(source, target);
  const finished = async (id: string | undefined) =>
    id !== undefined && plan.database && (await originOf(placeOf(target))) === `move ${id}`;
  const none = { count: 0, bytes: 0 };
  const already = {
    ...{ moved: true, rows: 0, blobs: none, copied: none, lost: [], already: true, settings },
  };
  if (begun?.to === to && (await finished(begun.id))) return already;
  // One that is done, and whose database is not there any more, is begun anew.
  const ours = begun?.to === to && !begun.done ? begun : undefined;
  const id =
    ours?.id ?? createHash('sha256').update(`${Date.now()} ${to}`).digest('hex').slice(0, 16);
  if (!prepare) await refuseReplicas(source);
  if (target.databaseUrl === undefined && target.data !== source.data && !prepare) {
    await writePrivateFile(join(target.data, 'secret.key'), `${key.toString('hex')}\n`);
  }
  const from = await openBlobStore(source);
  const into = blobs ? await openBlobStore(target) : undefined;
  try {
    const report = await moveInstallation(
      {
        ...{ source: from, target: into, clock: systemClock, progress, from: `move ${id}` },
        openSnapshot: () => openSnapshot(placeOf(source)),
        openDatabase: () => openEmptyDatabase(placeOf(target)),
        targetFolder: target.storage.type === 'filesystem' ? target.blobs : undefined,
        begun: async () => ours !== undefined,
        begin: () => writePrivateFile(marker, `${JSON.stringify({ to, id })}\n`),
      },
      { prepare },
    );
    if (report.moved) {
      await writePrivateFile(marker, `${JSON.stringify({ to, id, done: true })}\n`);
    }
    return { ...report, already: false, settings };
  } catch (error) {
    // The commit of a run that was killed may have come since the look above.
    if (isConflict(error) && ours && (await finished(id))) return already;
    throw error;
  } finally {
    await from.close();
    await into?.close();
  }
}

/** Replicas of other machines, which do not hold this folder's lock. */
async function refuseReplicas(source: Config): Promise<void> {
  if (source.databaseUrl === undefined) return;
  const now = await postgresNow(source.databaseUrl);
  const snapshot = await openSnapshot(placeOf(source));
  try {
    const table = snapshot.tables.find(({ name }) => name === 'leases');
    if (!table) return;
    const at = (name: string) => table.columns.findIndex((column) => column.name === name);
    for await (const rows of snapshot.rows(table)) {
      const alive = rows.some(
        (row) => row[at('name')] === 'maintenance' && Number(row[at('expires_at')]) > now,
      );
      if (!alive) continue;
      throw refuse(
        'conflict',
        'A replica of the installation runs.',
        'Stop all replicas, wait ten seconds, and run this again. --prepare copies the blobs while they run.',
      );
    }
  } finally {
    await snapshot.close();
  }
}

const inUse = 'Another Gantry uses';
const running = 'A server, or another command, uses';

/** Holds the folder's lock meanwhile; it goes with the process, however that ends. */
async function locked<T>(folder: string, who: string, work: () => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await makePrivate(join(folder, 'lock'));
  let lock: ReturnType<typeof lockFolder>;
  try {
    lock = lockFolder(folder);
  } catch (error) {
    if (!isConflict(error)) throw error;
    const hint =
      who === running
        ? 'Stop the server, and run this again. --prepare copies the blobs while it runs.'
        : 'Wait until it has ended, or stop it.';
    throw refuse('conflict', `${who} the folder ${folder}.`, hint);
  }
  try {
    return await work();
  } finally {
    lock.close();
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof RegistryError && error.kind === 'conflict';
}

function used(config: Config): RegistryError {
  return refuse(
    'conflict',
    `The data folder ${config.data} is not empty: a server was started in it.`,
    'Name an empty folder: GANTRY_DATA=./new-data',
  );
}

const databaseOf = (config: Config) => (config.databaseUrl === undefined ? 'sqlite' : 'postgres');

function storageOf({ storage, blobs }: Config): string {
  if (storage.type === 'filesystem') return blobs;
  return `s3://${storage.bucket}${storage.prefix === '' ? '' : `/${storage.prefix}`}`;
}
