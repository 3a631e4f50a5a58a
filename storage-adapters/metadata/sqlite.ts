import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandWriter } from '../../src/ports/commands.ts';
import type { Metadata } from '../../src/ports/metadata.ts';
import { openSqlite, SqliteExecutor } from './dialects/sqlite.ts';
import { lockFolder, makePrivate } from './folder-lock.ts';
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
  const reader = openSqliteReader({ folder: options.folder, writer });
  return {
    ...reader,
    onCommit: (listener) => writer.onCommit(listener),
    async close() {
      await writer.close();
      await reader.close();
      lock.close();
    },
  };
}

/** Reads here, in a folder that another process owns; writes by its writer. Tells of no commits. */
export function openSqliteReader(options: { folder: string; writer: CommandWriter }): Metadata {
  const { writer } = options;
  const reader = openSqlite(join(options.folder, 'gantry.db'), 'read');
  const stores = storesOf(new SqliteExecutor(reader));
  return {
    ...stores,
    writer,
    onCommit() {},
    async ping() {
      await stores.tokens.epoch();
      await writer.run('ForgetKeys', { keys: [] });
    },
    async close() {
      reader.close();
    },
  };
}
