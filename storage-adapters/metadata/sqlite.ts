import { chmod, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { refuse } from '../../src/oci/errors.ts';
import type { Metadata } from '../../src/ports/metadata.ts';
import { openSqlite, SqliteExecutor } from './dialects/sqlite.ts';
import { explainOpen } from './open-failure.ts';
import { storesOf } from './stores/index.ts';
import { ThreadWriter } from './writer.ts';

/**
 * The embedded metadata, under `folder`:
 *
 *   gantry.db, gantry.db-wal, gantry.db-shm   the facts
 *   lock                                      held by the process that owns the folder
 *
 * Throws where another process owns the folder, or the schema is newer than the program's.
 */
export async function openSqliteMetadata(options: { folder: string }): Promise<Metadata> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  for (const name of ['lock', 'gantry.db']) await makePrivate(join(options.folder, name));
  const lock = lockFolder(options.folder);
  const file = join(options.folder, 'gantry.db');
  let writer: ThreadWriter;
  try {
    writer = await ThreadWriter.open(file);
  } catch (error) {
    lock.close();
    throw error;
  }
  const reader = openSqlite(file, 'read');
  const executor = new SqliteExecutor(reader);
  const stores = storesOf(executor);
  return {
    ...stores,
    writer,
    onCommit: (listener) => writer.onCommit(listener),
    async ping() {
      await stores.tokens.epoch();
      await writer.run('ForgetKeys', { keys: [] });
    },
    async close() {
      await writer.close();
      reader.close();
      lock.close();
    },
  };
}

/** Hashes of secrets are for their owner alone; SQLite gives its log and index the mode of the file. */
async function makePrivate(file: string): Promise<void> {
  await (await open(file, 'a', 0o600)).close();
  await chmod(file, 0o600);
}

/**
 * An exclusive transaction on a database of its own: the operating system gives it up when the process
 * ends, however it ends, so no stale lock is ever left.
 */
function lockFolder(folder: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    const busy = (error as { errcode?: number }).errcode === 5;
    if (!busy) throw explainOpen(error, join(folder, 'lock'));
    throw refuse(
      'conflict',
      `Another Gantry is using the data folder ${folder}.`,
      'Stop it first, or give this one a folder of its own: GANTRY_DATA=./other-data',
    );
  }
}
