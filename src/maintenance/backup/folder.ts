import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { writePrivateFile } from '../../config/private-file.ts';
import { refuse } from '../../oci/errors.ts';
import type { ListedBlob } from './blob-list.ts';
import type { BlobTarget } from './copy.ts';
import { syncFolder } from './dump-file.ts';
import {
  type BackupManifest,
  blobsName,
  keyName,
  manifestName,
  parseManifest,
} from './manifest.ts';
import { incomplete } from './refusals.ts';

/**
 * A backup, as it lies in a folder (mode 0700, its files 0600):
 *
 *   backup.json                      what it is made of; written last
 *   database-<id>.gz                 all rows (dump-file.ts)
 *   blobs-<id>.txt                   the blobs that they name: digest, bytes, key
 *   secret.key                       the key that wraps the installation's own, where it is kept in a file
 *   blobs/<xx>/<key>                 the blobs; xx: the last two characters of the key
 *   lock                             held by the command that works in the folder
 */
export class BackupFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  blob(key: string): string {
    return join(this.path, blobsName, key.slice(-2), key);
  }

  /** Makes it where it is missing. Rejects with `conflict` where something else is in it. */
  async prepare(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    const ours =
      /^(backup\.json(\.\d+)?|secret\.key(\.\d+)?|lock(-journal)?|blobs|(database|blobs)-[0-9a-f]+\.(gz|txt)(\.part)?)$/;
    const others = (await readdir(this.path)).filter((name) => !ours.test(name));
    if (others.length > 0) {
      throw refuse(
        'conflict',
        `${this.path} holds something else than a backup: ${others.slice(0, 3).join(', ')}.`,
        'Name an empty folder, or one that holds an earlier backup.',
      );
    }
    await chmod(this.path, 0o700);
  }

  /** Rejects with `invalid` where there is no whole backup. */
  async manifest(): Promise<BackupManifest> {
    const text = await readFile(this.file(manifestName), 'utf8').catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') throw incomplete(this.path);
      throw error;
    });
    return parseManifest(text);
  }

  /** Whatever it names is durable by now. */
  async finish(manifest: BackupManifest): Promise<void> {
    await syncFolder(this.path);
    await writePrivateFile(this.file(manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
  }

  async writeKey(key: Uint8Array): Promise<void> {
    await writePrivateFile(this.file(keyName), `${Buffer.from(key).toString('hex')}\n`);
  }

  /**
   * Removes what the manifest does not name: databases of before, and blobs that are no more. `keys`: of all blobs that
   * there are. Of one that is quarantined, what an earlier run copied may be the last good copy. `strays`: what lies
   * among the blobs, by its path in the backup, and is none: it stays.
   */
  async prune(
    manifest: BackupManifest,
    keys: ReadonlySet<string>,
  ): Promise<{ readonly removed: number; readonly strays: readonly string[] }> {
    const named = new Set([manifest.database.file, manifest.blobs.list]);
    for (const name of await readdir(this.path)) {
      const old = /^(database|blobs)-.*\.(gz|txt)(\.part)?$/.test(name) && !named.has(name);
      const oldKey = name === keyName && manifest.key.file === undefined;
      if (old || oldKey) await rm(this.file(name));
    }
    if (manifest.blobs.folder === undefined) return { removed: 0, strays: [] };
    const entries = (path: string) => readdir(this.file(path), { withFileTypes: true });
    const strays: string[] = [];
    let removed = 0;
    for (const shard of await entries(blobsName).catch(() => [])) {
      const folder = join(blobsName, shard.name);
      if (!shard.isDirectory()) {
        strays.push(folder);
        continue;
      }
      for (const entry of await entries(folder)) {
        const path = join(folder, entry.name);
        if (!entry.isFile()) strays.push(path);
        else if (!keys.has(entry.name)) {
          await rm(this.file(path));
          removed += 1;
        }
      }
    }
    return { removed, strays: strays.sort() };
  }

  /** As `BlobStore.open`: rejects with `blob-unknown` where it is not there. */
  async open({ key }: ListedBlob): Promise<Readable> {
    const file = await open(this.blob(key), 'r').catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
      throw refuse('blob-unknown', 'The backup does not hold the blob.');
    });
    return file.createReadStream({ highWaterMark: 1 << 20 });
  }

  /** A blob gets its name when it is on the disk: one that has its name is whole. */
  target(): BlobTarget & { sync(): Promise<void> } {
    const made = new Set<string>();
    const syncShards = async (): Promise<void> => {
      for (const shard of made) await syncFolder(shard);
      if (made.size > 0) await syncFolder(this.file(blobsName));
    };
    return {
      has: async ({ key, size }) =>
        (await stat(this.blob(key)).catch(() => undefined))?.size === size,
      write: async ({ key }, source, observe, right) => {
        const path = this.blob(key);
        const shard = dirname(path);
        if (!made.has(shard)) await mkdir(shard, { recursive: true, mode: 0o700 });
        made.add(shard);
        const unfinished = `${path}.part`;
        const file = await open(unfinished, 'w', 0o600);
        try {
          for await (const chunk of source as AsyncIterable<Buffer>) {
            observe(chunk);
            await file.writeFile(chunk);
          }
          if (right()) await file.sync();
        } finally {
          await file.close();
        }
        if (right()) await rename(unfinished, path);
        else await rm(unfinished);
      },
      sync: syncShards,
    };
  }
}

/** Rejects with `storage-full` where the disk of `folder`, or of what is above it, has less room than that. */
export async function checkRoom(folder: string, bytes: number): Promise<void> {
  let at = resolve(folder);
  for (;;) {
    const found = await statfs(at).catch(() => undefined);
    if (found) {
      const free = found.bavail * found.bsize;
      if (free >= bytes) return;
      throw refuse(
        'storage-full',
        `${folder} needs ${bytes} bytes more, and its disk has ${free} free.`,
        'Free some space, or name another disk.',
      );
    }
    if (dirname(at) === at) return;
    at = dirname(at);
  }
}
