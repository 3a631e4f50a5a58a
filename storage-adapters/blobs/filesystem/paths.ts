import { join } from 'node:path';
import { checkKey } from '../keys.ts';

/**
 * Where bytes lie:
 *
 *   <folder>/
 *     00/ .. ff/                                        one folder a shard, all made at start
 *       upl_019a3c5e-7f21-7b60-9d43-5f0c86a1e24b        a blob, or an upload that still grows
 *
 * The shard is the key's last two hex characters. The first ones are a clock's: uploads of one day
 * would all meet in one folder.
 *
 * A file is written where it stays and is never renamed: nothing in the folder tells a blob from an
 * unfinished upload, the row that names the key does.
 */
export interface BlobPath {
  readonly shardFolder: string;
  readonly file: string;
}

export const shards: readonly string[] = Array.from({ length: 256 }, (_, index) =>
  index.toString(16).padStart(2, '0'),
);

export function shardOf(key: string): string {
  return key.slice(-2);
}

export function pathOf(folder: string, key: string): BlobPath {
  const shardFolder = join(folder, shardOf(checkKey(key)));
  return { shardFolder, file: join(shardFolder, key) };
}
