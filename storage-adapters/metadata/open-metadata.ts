import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandWriter } from '../../src/ports/commands.ts';
import type { Metadata } from '../../src/ports/metadata.ts';
import { lockFolder, makePrivate } from './folder-lock.ts';
import { openSqliteMetadata, openSqliteReader } from './sqlite.ts';

/**
 * The facts: in Postgres where `databaseUrl` is given, else in SQLite under `folder`. Either way the folder is
 * this process's alone for as long as they are open.
 */
export async function openMetadata(options: {
  folder: string;
  databaseUrl: string | undefined;
}): Promise<Metadata> {
  const { folder, databaseUrl } = options;
  if (databaseUrl === undefined) return openSqliteMetadata({ folder });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await makePrivate(join(folder, 'lock'));
  const lock = lockFolder(folder);
  try {
    // Loaded where it is used: most start without it.
    const { openPostgresMetadata } = await import('./postgres.ts');
    const metadata = await openPostgresMetadata({ url: databaseUrl });
    return {
      ...metadata,
      async close() {
        await metadata.close();
        lock.close();
      },
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/**
 * The same facts for another process of the one that has opened them: it holds the folder, and for SQLite the one
 * `writer` is its, too.
 */
export async function openSharedMetadata(options: {
  folder: string;
  databaseUrl: string | undefined;
  writer: CommandWriter;
}): Promise<Metadata> {
  const { folder, databaseUrl, writer } = options;
  if (databaseUrl === undefined) return openSqliteReader({ folder, writer });
  const { openPostgresMetadata } = await import('./postgres.ts');
  return openPostgresMetadata({ url: databaseUrl });
}
