import { chmod, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { refuse } from '../../src/oci/errors.ts';
import { explainOpen } from './open-failure.ts';

/** Hashes of secrets are for their owner alone; SQLite gives its log and index the mode of the file. */
export async function makePrivate(file: string): Promise<void> {
  await (await open(file, 'a', 0o600)).close();
  await chmod(file, 0o600);
}

/**
 * An exclusive transaction on a database of its own: the operating system gives it up when the process
 * ends, however it ends, so no stale lock is ever left.
 */
export function lockFolder(folder: string): DatabaseSync {
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
