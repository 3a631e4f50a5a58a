import { createHash, type Hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Digest, type DigestAlgorithm, formatDigest } from '../oci/digest.ts';
import type { BlobWriter } from '../ports/blob-store.ts';

/** What this process holds of an upload between its requests. */
export interface OpenUpload {
  readonly writer: BlobWriter;
  /** Of all bytes so far; undefined where a process that ended took it along. */
  hash: Hash | undefined;
  algorithm: DigestAlgorithm;
}

/** More idle uploads than this would only hold descriptors and buffers. */
export const mostIdle = 128;
const idleMs = 60_000;
/** Forgetting one costs its first request a look at the store. */
const mostUntouched = 10_000;

/**
 * Uploads between two of their requests. One that stays idle too long, or is pushed out by newer ones,
 * is released: its next request resumes it from its row, at the price of reading what is stored again.
 */
export class OpenUploads {
  readonly #idle = new LRUCache<string, OpenUpload>({
    max: mostIdle,
    ttl: idleMs,
    ttlAutopurge: true,
    dispose: (upload, _id, reason) => {
      if (reason !== 'delete') void upload.writer.release().catch(() => {});
    },
  });
  readonly #busy = new Set<string>();
  /** Begun by this process and not written to yet: nothing can be stored under their keys. */
  readonly #untouched = new LRUCache<string, true>({
    // By size, since `max` takes room for all of them at once.
    ...{ maxSize: mostUntouched, sizeCalculation: () => 1 },
  });
  #closed = false;

  begun(id: string): void {
    this.#untouched.set(id, true);
  }

  /** True once, for the first request that writes to an upload that this process began. */
  firstWrite(id: string): boolean {
    return this.#untouched.delete(id);
  }

  /** Marks the upload as in use by one request. False: another request has it. */
  acquire(id: string): boolean {
    if (this.#busy.has(id)) return false;
    this.#busy.add(id);
    return true;
  }

  /** What is held of it; the caller has acquired it, and gives it back by `put` or ends it. */
  take(id: string): OpenUpload | undefined {
    const upload = this.#idle.get(id);
    if (upload) this.#idle.delete(id);
    return upload;
  }

  put(id: string, upload: OpenUpload): void {
    if (upload.writer.broken || this.#closed) void upload.writer.release().catch(() => {});
    else this.#idle.set(id, upload);
  }

  release(id: string): void {
    this.#busy.delete(id);
  }

  /** Releases what is idle, and from then on what is given back. */
  async close(): Promise<void> {
    this.#closed = true;
    const held = [...this.#idle.values()];
    this.#idle.clear();
    await Promise.all(held.map((upload) => upload.writer.release().catch(() => {})));
  }
}

/** The digest of what went into `hash` so far; the hash goes on. */
export function digestSoFar(algorithm: DigestAlgorithm, hash: Hash): Digest {
  return formatDigest(algorithm, hash.copy());
}

export function newHash(algorithm: DigestAlgorithm): Hash {
  return createHash(algorithm);
}
