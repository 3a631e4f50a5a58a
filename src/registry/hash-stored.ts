import { createHash, type Hash } from 'node:crypto';
import type { DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { UploadRow } from '../ports/uploads.ts';
import { digestSoFar } from './open-uploads.ts';
import { unknownUpload } from './upload-refusals.ts';

/** Hashes what is under `key`. Rejects as `BlobStore.open` does. */
export async function hashStored(
  store: BlobStore,
  key: string,
  algorithm: DigestAlgorithm,
): Promise<Hash>;
/** Hashes the first `size` bytes; undefined where the store does not let unfinished bytes be read. */
export async function hashStored(
  store: BlobStore,
  key: string,
  algorithm: DigestAlgorithm,
  size: number,
): Promise<Hash | undefined>;
export async function hashStored(
  store: BlobStore,
  key: string,
  algorithm: DigestAlgorithm,
  size?: number,
): Promise<Hash | undefined> {
  const hash = createHash(algorithm);
  const range = size === undefined ? undefined : { start: 0, end: size - 1 };
  try {
    for await (const chunk of await store.open(key, range)) hash.update(chunk as Buffer);
  } catch (error) {
    const hidden = error instanceof RegistryError && error.kind === 'blob-unknown';
    if (range && hidden) return undefined;
    throw error;
  }
  return hash;
}

/**
 * The hash of what an upload has already; undefined where the store does not let unfinished bytes be
 * read. Bytes that are not what the row says were lost: rejects with `upload-unknown`.
 */
export async function rehash(store: BlobStore, row: UploadRow): Promise<Hash | undefined> {
  if (row.offset === 0) return createHash(row.algorithm);
  // A store may show nothing of an unfinished upload, or only how it began.
  const shown = await store.stat(row.id);
  if (shown === undefined || shown.size < row.offset) return undefined;
  const hash = await hashStored(store, row.id, row.algorithm, row.offset);
  const known = hash && row.digestSoFar;
  if (known && digestSoFar(row.algorithm, hash) !== row.digestSoFar) throw unknownUpload();
  return hash;
}
