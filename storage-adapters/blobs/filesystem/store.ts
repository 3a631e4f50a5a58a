import { constants } from 'node:fs';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { RegistryError, refuse } from '../../../src/oci/errors.ts';
import type { ByteRange } from '../../../src/oci/range.ts';
import type { BlobStore, BlobWriter } from '../../../src/ports/blob-store.ts';
import { isKey } from '../keys.ts';
import { createWriter } from '../writer.ts';
import { codeOf, translate, translated } from './errors.ts';
import { FileOutput } from './file-output.ts';
import { FileSink, makeAnew, makeNew, parseState } from './file-sink.ts';
import { pathOf, shardOf, shards } from './paths.ts';
import { readFileRange } from './reader.ts';
import { removeFile } from './remove-file.ts';
import { syncFolder } from './sync-folder.ts';

export interface FilesystemBlobStoreOptions {
  /** Made where it is missing, with the folders above it. Nothing else may write into it. */
  readonly folder: string;
}

/** Blobs as files. Rejects with `unavailable` or `storage-full` where the folder cannot be made. */
export async function createFilesystemBlobStore(
  options: FilesystemBlobStoreOptions,
): Promise<BlobStore> {
  const folder = resolve(options.folder);
  await translated(prepare(folder));
  return new FilesystemBlobStore(folder);
}

/** Makes the shards at once, so that an upload never waits for a folder's parent to be synced. */
async function prepare(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o750 });
  const present = new Set(await readdir(folder));
  for (const shard of shards)
    if (!present.has(shard)) {
      // Another replica may make them at the same time.
      await mkdir(join(folder, shard), { recursive: true });
    }
  // Each time: a process that was killed here may have left entries that no sync covered.
  await syncFolder(folder);
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) {
    await syncFolder(dirname(made));
  }
}

class FilesystemBlobStore implements BlobStore {
  readonly name = 'filesystem';
  readonly minChunk = 0;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async stat(key: string): Promise<{ size: number } | undefined> {
    try {
      return { size: (await stat(pathOf(this.#folder, key).file)).size };
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw translate(error);
    }
  }

  async open(key: string, range?: ByteRange): Promise<Readable> {
    const file = await open(pathOf(this.#folder, key).file, 'r').catch((error: unknown) => {
      throw codeOf(error) === 'ENOENT' ? blobGone(key, error) : translate(error);
    });
    try {
      const end = range ? range.end : (await file.stat()).size - 1;
      return readFileRange(file, range?.start ?? 0, end);
    } catch (error) {
      await file.close();
      throw translate(error);
    }
  }

  async create(key: string): Promise<BlobWriter> {
    return createWriter(key, 0, new FileSink(pathOf(this.#folder, key), makeNew));
  }

  async resume(key: string, state: string): Promise<BlobWriter> {
    const path = pathOf(this.#folder, key);
    const offset = parseState(state);
    if (offset === undefined) throw uploadGone();
    if (offset === 0) return createWriter(key, 0, new FileSink(path, makeAnew));
    const file = await open(path.file, constants.O_WRONLY).catch((error: unknown) => {
      throw codeOf(error) === 'ENOENT' ? uploadGone(error) : translate(error);
    });
    try {
      const { size } = await file.stat();
      if (size < offset) throw uploadGone();
      if (size > offset) await file.truncate(offset);
    } catch (error) {
      await file.close();
      throw translate(error);
    }
    const output = new FileOutput(file, offset);
    return createWriter(key, offset, new FileSink(path, makeAnew, output, offset));
  }

  async delete(key: string): Promise<void> {
    await translated(removeFile(pathOf(this.#folder, key)));
  }

  abandon(key: string, _state: string): Promise<void> {
    return this.delete(key);
  }

  async *list(after = ''): AsyncIterable<string> {
    const first = isKey(after) ? shardOf(after) : '';
    for (const shard of shards) {
      if (shard < first) continue;
      const names = await translated(readdir(join(this.#folder, shard)));
      for (const name of names.filter(isKey).sort()) {
        if (shard > first || name > after) yield name;
      }
    }
  }

  async close(): Promise<void> {}
}

function uploadGone(cause?: unknown): RegistryError {
  return new RegistryError(
    {
      kind: 'upload-unknown',
      message: 'The bytes of this upload are no longer there.',
      hint: 'Start the upload again: push once more.',
    },
    { cause },
  );
}

function blobGone(key: string, cause: unknown): RegistryError {
  const { info } = refuse('blob-unknown', 'The blob store holds no such blob.', undefined, { key });
  return new RegistryError(info, { cause });
}
