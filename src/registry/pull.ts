import type { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts';
import { refuse } from '../oci/errors.ts';
import type { ByteRange } from '../oci/range.ts';
import type { RepositoryPath } from '../oci/reference.ts';
import type { Awaitable } from '../ports/awaitable.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { BlobRow, Blobs, ResolvedBlob } from '../ports/blobs.ts';
import type { Manifests, ResolvedManifest } from '../ports/manifests.ts';
import type { Repository } from '../ports/repositories.ts';
import { ImageContents } from './image-contents.ts';

/** A manifest's bytes; a text holds one byte a character (latin1). */
export type ManifestContent = Buffer | string;

/** Longest manifest kept as text: with its head, what Node sends in one write without allocating. */
const longestText = 15 << 10;
/** All texts together: they lie on the garbage collector's heap, which has a limit of its own. */
const mostText = 64 << 20;

/** Reads for pulls. What a name leads to is always asked of the database; bytes by digest are cached. */
export class Pull {
  readonly #manifests: Manifests;
  readonly #blobs: Blobs;
  readonly #store: BlobStore;
  readonly #contents: LRUCache<Digest, ManifestContent>;
  readonly #images = new ImageContents((digest) => this.#bytesOf(digest));
  readonly #damaged: ((digest: Digest, bytes: Buffer) => void) | undefined;
  #textBytes = 0;

  constructor(deps: {
    manifests: Manifests;
    blobs: Blobs;
    store: BlobStore;
    /** Bytes of manifests to keep in memory. */
    cacheBytes: number;
    /** The stored bytes of a manifest are not its digest's. */
    damaged?: (digest: Digest, bytes: Buffer) => void;
  }) {
    this.#damaged = deps.damaged;
    this.#manifests = deps.manifests;
    this.#blobs = deps.blobs;
    this.#store = deps.store;
    this.#contents = new LRUCache({
      maxSize: Math.max(1, deps.cacheBytes),
      sizeCalculation: (content) => content.length + 256,
      dispose: (content) => {
        if (typeof content === 'string') this.#textBytes -= content.length;
      },
    });
  }

  resolveManifest(
    path: RepositoryPath,
    reference: string,
  ): Awaitable<ResolvedManifest | undefined> {
    return this.#manifests.resolve(path, reference);
  }

  /** A manifest's bytes, where they are in memory. */
  cachedContent(digest: Digest): ManifestContent | undefined {
    return this.#contents.get(digest);
  }

  /** A manifest's bytes; undefined where it was deleted since it was resolved, or where they are damaged. */
  async manifestContent(digest: Digest): Promise<Buffer | undefined> {
    const bytes = await this.#manifests.content(digest);
    if (!bytes) return undefined;
    if (digestOf(bytes, algorithmOf(digest)) !== digest) {
      this.#damaged?.(digest, bytes);
      return undefined;
    }
    this.#keep(digest, bytes);
    return bytes;
  }

  /** Whether an image, or an index, is made of `digest`: itself, a child manifest, a config or a layer. */
  isPartOf(image: Digest, digest: Digest): Promise<boolean> {
    return this.#images.holds(image, digest);
  }

  async #bytesOf(digest: Digest): Promise<Buffer | undefined> {
    const cached = this.#contents.get(digest);
    return typeof cached === 'string'
      ? Buffer.from(cached, 'latin1')
      : (cached ?? (await this.#manifests.content(digest)));
  }

  #keep(digest: Digest, bytes: Buffer): void {
    if (this.#contents.has(digest)) return;
    const asText = bytes.length <= longestText && this.#textBytes + bytes.length <= mostText;
    this.#contents.set(digest, asText ? bytes.toString('latin1') : bytes);
    if (asText && this.#contents.has(digest)) this.#textBytes += bytes.length;
  }

  resolveBlob(path: RepositoryPath, digest: Digest): Awaitable<ResolvedBlob | undefined> {
    return this.#blobs.resolve(path, digest);
  }

  /**
   * The bytes of a blob that was found in the repository. Rejects with `blob-unknown` where it was collected since,
   * with `unavailable` where the bytes of a recorded blob cannot be had.
   */
  async openBlob(
    { id: repositoryId }: Pick<Repository, 'id'>,
    found: BlobRow,
    range: ByteRange | undefined,
  ): Promise<Readable> {
    // The length that was promised is asked for: bytes that are missing, or too many, fail the stream.
    const whole = found.size > 0 ? { start: 0, end: found.size - 1 } : undefined;
    for (let blob = found; ; ) {
      try {
        return await this.#store.open(blob.key, range ?? whole);
      } catch (error) {
        if ((error as { kind?: string }).kind !== 'blob-unknown') throw error;
      }
      const { digest, key } = blob;
      const now = await this.#blobs.find(repositoryId, digest);
      if (!now)
        throw refuse('blob-unknown', 'The repository holds no such blob.', undefined, { digest });
      if (now.key === key)
        throw refuse('unavailable', `The bytes of ${digest} are missing from the store.`);
      // Pushed again meanwhile, under a key of its own.
      blob = now;
    }
  }

  /** Where the client may fetch the blob itself; undefined: its bytes are sent by us. */
  async linkBlob(blob: BlobRow): Promise<URL | undefined> {
    return this.#store.link?.(blob.key);
  }
}
