import { LRUCache } from 'lru-cache';
import type { BlobStore } from '../ports/blob-store.ts';
import type { BlobRow } from '../ports/blobs.ts';

const cacheBytes = 4 << 20;
/** A longer one is read each time. */
const longest = 64 << 10;
/** About what an entry takes beside its bytes. */
const overhead = 256;

/**
 * The bytes of images' configs, kept by the key of their blob: what is stored under a key never changes, so an image
 * that gets one more tag does not ask the store again. For the rules of a push; `ImageConfigs` keeps what configs say,
 * for those who look at images.
 */
export class ConfigBytes {
  readonly #store: Pick<BlobStore, 'open'>;
  readonly #known = new LRUCache<string, Buffer>({
    maxSize: cacheBytes,
    sizeCalculation: ({ length }) => length + overhead,
  });

  constructor(store: Pick<BlobStore, 'open'>) {
    this.#store = store;
  }

  /** Rejects as the store does: `blob-unknown` where nothing is under the blob's key. */
  async read({ key, size }: Pick<BlobRow, 'key' | 'size'>): Promise<Buffer> {
    const known = this.#known.get(key);
    if (known) return known;
    const chunks: Buffer[] = [];
    for await (const chunk of await this.#store.open(key)) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    // One that is not whole is not kept: its bytes may be back later.
    if (bytes.length === size && size <= longest) this.#known.set(key, alone(bytes));
    return bytes;
  }
}

/** A copy that keeps no part of Node's pool of small buffers from being freed. */
function alone(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
