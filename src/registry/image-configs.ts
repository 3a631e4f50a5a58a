import { LRUCache } from 'lru-cache';
import type { Digest } from '../oci/digest.ts';
import { RegistryError, refuse } from '../oci/errors.ts';
import { type ImageConfig, parseImageConfig } from '../oci/image-config.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { BlobRow } from '../ports/blobs.ts';

const cacheBytes = 16 << 20;
const none = Symbol('no config');

/** Configs of images, read from their blobs and kept by digest. */
export class ImageConfigs {
  readonly #store: BlobStore;
  readonly #limit: number;
  readonly #known = new LRUCache<Digest, ImageConfig | typeof none>({ maxSize: cacheBytes });

  /** `limit`: the most bytes that are read; a longer blob is no config. */
  constructor(deps: { store: BlobStore; limit: number }) {
    this.#store = deps.store;
    this.#limit = deps.limit;
  }

  /**
   * Undefined where the blob is no image's config. Whether the caller may see the blob is asked before: a
   * row is of a repository. Rejects with `unavailable` where its bytes cannot be had.
   */
  async read(blob: BlobRow): Promise<ImageConfig | undefined> {
    if (blob.size > this.#limit) return undefined;
    let config = this.#known.get(blob.digest);
    if (config === undefined) {
      config = parseImageConfig(await this.#bytes(blob)) ?? none;
      this.#known.set(blob.digest, config, { size: blob.size + 256 });
    }
    return config === none ? undefined : config;
  }

  async #bytes(blob: BlobRow): Promise<Buffer> {
    if (blob.size === 0) return Buffer.alloc(0);
    const chunks: Buffer[] = [];
    try {
      // No more than the row says, whatever the store has.
      const bytes = await this.#store.open(blob.key, { start: 0, end: blob.size - 1 });
      for await (const chunk of bytes) chunks.push(chunk as Buffer);
    } catch (error) {
      if (!(error instanceof RegistryError && error.kind === 'blob-unknown')) throw error;
      throw refuse('unavailable', `The bytes of ${blob.digest} are missing from the store.`);
    }
    return Buffer.concat(chunks);
  }
}
