import type { BlobStore } from '../../ports/blob-store.ts';
import type { ListedBlob } from './blob-list.ts';
import { type BlobTarget, verifyBlob } from './copy.ts';

/**
 * A blob store that is filled. `found`: the keys that it held at the beginning. An object of S3 is whole or not there;
 * a file may be half, so those that an earlier run left are read again.
 */
export function storeTarget(store: BlobStore, found: ReadonlySet<string>): BlobTarget {
  const source = ({ key }: ListedBlob) => store.open(key);
  return {
    async has(blob) {
      if (!found.has(blob.key)) return false;
      if (store.name === 's3') return (await store.stat(blob.key))?.size === blob.size;
      if ((await store.stat(blob.key))?.size !== blob.size) return false;
      return (await verifyBlob(blob, source)) === undefined;
    },
    async write(blob, bytes, observe, right) {
      if (found.has(blob.key)) await store.delete(blob.key);
      // Where S3 begins a multipart upload, a crash leaves its parts to the bucket's lifecycle rules.
      const writer = await store.create(blob.key);
      try {
        await writer.append(bytes, observe);
      } catch (error) {
        await writer.cancel().catch(() => {});
        throw error;
      }
      if (right()) await writer.commit();
      else await writer.cancel();
    },
  };
}

export async function keysIn(store: BlobStore): Promise<Set<string>> {
  const keys = new Set<string>();
  for await (const key of store.list()) keys.add(key);
  return keys;
}
