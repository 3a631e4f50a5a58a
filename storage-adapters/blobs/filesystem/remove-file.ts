import { unlink } from 'node:fs/promises';
import { codeOf } from './errors.ts';
import type { BlobPath } from './paths.ts';
import { syncFolder } from './sync-folder.ts';

/**
 * Removes the file for good. The row that names it is forgotten next, so a file that came back after a
 * power cut would stay for ever: its absence is made durable, too.
 */
export async function removeFile({ file, shardFolder }: BlobPath): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  await syncFolder(shardFolder);
}
