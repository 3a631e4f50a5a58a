import type { Readable } from 'node:stream';
import { algorithmOf, type Digest, type DigestAlgorithm, formatDigest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { CountLimits } from '../ports/commands.ts';
import type { UploadRow } from '../ports/uploads.ts';
import type { ChunkOptions } from './chunk-options.ts';
import { hashStored, rehash } from './hash-stored.ts';
import { digestSoFar, newHash, type OpenUpload, OpenUploads } from './open-uploads.ts';
import type { BlobPushDeps } from './push-blob-deps.ts';
import type { Claim } from './upload-claims.ts';
import {
  busyUpload,
  checkRange,
  digestMismatch,
  shortChunk,
  unknownUpload,
} from './upload-refusals.ts';

export type { BlobPushDeps } from './push-blob-deps.ts';

/** A step of a push: start, append, finish, cancel. Upload ids are storage keys. */
export class BlobPush {
  readonly #deps: BlobPushDeps;
  readonly #open = new OpenUploads();
  /** Of uploads that a request here writes to. */
  readonly #claims = new Map<string, Claim>();

  constructor(deps: BlobPushDeps) {
    this.#deps = deps;
  }

  get minChunk(): number {
    return this.#deps.store.minChunk;
  }

  async start(
    repositoryId: string,
    subject: string,
    algorithm: DigestAlgorithm,
  ): Promise<UploadRow> {
    const { clock, newUploadId, expiryMs, writer, claims } = this.#deps;
    const now = clock.now();
    const row = { id: newUploadId(), repositoryId, subject, algorithm, expiresAt: now + expiryMs };
    await writer.run('StartUpload', { ...row, now });
    this.#open.begun(row.id);
    claims?.begun?.(row.id);
    return { ...row, offset: 0, digestSoFar: undefined, storeState: '' };
  }

  /** The session, where `subject` began it in that repository; rejects with `upload-unknown` else. */
  async find(id: string, repositoryId: string, subject: string): Promise<UploadRow> {
    const row = await this.#deps.uploads.find(id);
    const known =
      row !== undefined &&
      row.repositoryId === repositoryId &&
      row.subject === subject &&
      row.expiresAt > this.#deps.clock.now();
    if (!known) throw unknownUpload();
    return row;
  }

  /**
   * Takes a chunk. Resolves with the new offset. Where the source fails, what came is kept and counted,
   * so the client can ask for the offset and go on.
   */
  append(asked: UploadRow, source: Readable, options: ChunkOptions): Promise<number> {
    return this.#exclusively(asked.id, async () => {
      const row = await this.#again(asked);
      checkRange(options.range, row.offset);
      const upload = await this.#resume(row, row.algorithm);
      await this.#receive(row, upload, source, options);
      await this.#keep(row, upload);
      return upload.writer.offset;
    });
  }

  /**
   * Takes the last bytes, if any, checks the digest and makes the blob. Where the digest is not the
   * bytes', rejects with `digest-mismatch` and the session has ended: nothing is stored.
   */
  finish(
    asked: UploadRow,
    digest: Digest,
    source: Readable | undefined,
    options: ChunkOptions,
  ): Promise<{ size: number }> {
    return this.#exclusively(asked.id, async () => {
      const row = await this.#again(asked);
      // Nothing came yet: the digest's own algorithm serves, whatever the session was begun with.
      const algorithm = row.offset === 0 ? algorithmOf(digest) : row.algorithm;
      checkRange(options.range, row.offset);
      const upload = await this.#resume(row, algorithm);
      if (source) await this.#receive(row, upload, source, options);
      await this.#commit(row, upload, digest, options.limits);
      return { size: upload.writer.offset };
    });
  }

  async cancel(row: UploadRow): Promise<void> {
    await this.#exclusively(row.id, async () => {
      const claim = this.#claims.get(row.id);
      const writer = this.#open.take(row.id)?.writer;
      // Without a state of its own, or with an old one, the row's serves.
      const storeState = claim?.moved ? undefined : await writer?.state().catch(() => undefined);
      await writer?.release().catch(() => {});
      await this.#deps.writer.run('CancelUpload', {
        ...{ id: row.id, holder: claim?.holder },
        ...(storeState === undefined ? {} : { storeState }),
      });
      this.#deps.discarded();
    });
  }

  async close(): Promise<void> {
    await this.#open.close();
  }

  async #exclusively<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (!this.#open.acquire(id)) throw busyUpload();
    try {
      const claim = await this.#deps.claims?.take(id, () => this.#deps.discarded());
      if (claim) this.#claims.set(id, claim);
      return await work();
    } finally {
      const claim = this.#claims.get(id);
      this.#claims.delete(id);
      await claim?.release();
      this.#open.release(id);
    }
  }

  /** The row as it is now that no other request writes to the upload: what was read before may be old. */
  #again(row: UploadRow): Promise<UploadRow> {
    return this.find(row.id, row.repositoryId, row.subject);
  }

  async #resume(row: UploadRow, algorithm: DigestAlgorithm): Promise<OpenUpload> {
    const held = this.#open.take(row.id);
    if (held && held.writer.offset === row.offset && !this.#claims.get(row.id)?.moved) {
      if (row.offset === 0 && held.algorithm !== algorithm) {
        held.hash = newHash(algorithm);
        held.algorithm = algorithm;
      }
      return held;
    }
    await held?.writer.release();
    if (row.offset === 0 && row.storeState === '') {
      // A request that failed, or a process that ended, may have left bytes that were never recorded.
      const untouched = this.#open.firstWrite(row.id);
      if (!(this.#claims.get(row.id)?.untouched ?? untouched)) {
        await this.#deps.store.abandon(row.id, '');
      }
      const writer = await this.#deps.store.create(row.id, this.#record(row));
      return { writer, hash: newHash(algorithm), algorithm };
    }
    const hash = await rehash(this.#deps.store, row);
    const writer = await this.#deps.store.resume(row.id, row.storeState, this.#record(row));
    return { writer, hash, algorithm };
  }

  /** Lets the store put down its state in the middle of a request, before parts exist that only it names. */
  #record(row: UploadRow): (storeState: string) => Promise<void> {
    return async (storeState) => {
      const { id, offset, digestSoFar: digest } = await this.#again(row);
      await this.#deps.writer.run('AdvanceUpload', {
        ...{ id, from: offset, to: offset, digestSoFar: digest },
        storeState,
        holder: this.#claims.get(id)?.holder,
        expiresAt: this.#deps.clock.now() + this.#deps.expiryMs,
      });
    };
  }

  async #receive(
    row: UploadRow,
    upload: OpenUpload,
    source: Readable,
    options: ChunkOptions,
  ): Promise<void> {
    const { writer } = upload;
    const claim = this.#claims.get(row.id);
    claim?.onLost(() => void writer.release().catch(() => {}));
    const start = writer.offset;
    let taken = start;
    let failure: unknown;
    try {
      await writer.append(source, (chunk) => {
        if (taken + chunk.length > options.limit) throw options.tooLarge();
        taken += chunk.length;
        upload.hash?.update(chunk);
      });
      const expected = options.range && options.range.end + 1;
      if (expected !== undefined && writer.offset !== expected) {
        failure = shortChunk(expected - start, writer.offset - start);
      }
    } catch (error) {
      failure = error;
    }
    if (failure === undefined) return;
    const refused = failure instanceof RegistryError && failure.kind === 'layer-too-large';
    if (refused) await this.#drop(row, upload);
    else if (writer.broken) await this.#letGo(row, upload, failure);
    else await this.#keep(row, upload).catch(() => {});
    throw failure;
  }

  /** Writes down how far the upload has come, and holds it for the next request. */
  async #keep(row: UploadRow, upload: OpenUpload): Promise<void> {
    const { writer, hash } = upload;
    const claim = this.#claims.get(row.id);
    try {
      const storeState = await writer.state();
      claim?.settle?.();
      await this.#deps.writer.run('AdvanceUpload', {
        id: row.id,
        from: row.offset,
        to: writer.offset,
        digestSoFar: hash && digestSoFar(upload.algorithm, hash),
        storeState,
        expiresAt: this.#deps.clock.now() + this.#deps.expiryMs,
        holder: claim?.holder,
        release: true,
      });
      claim?.end();
    } catch (error) {
      await this.#letGo(row, upload, error);
      throw error;
    }
    this.#open.put(row.id, upload);
  }

  async #commit(
    row: UploadRow,
    upload: OpenUpload,
    digest: Digest,
    limits: CountLimits | undefined,
  ): Promise<void> {
    const { writer, hash, algorithm } = upload;
    this.#open.take(row.id);
    const comparable = hash && algorithm === algorithmOf(digest);
    const received = comparable ? formatDigest(algorithm, hash) : undefined;
    if (received !== undefined && received !== digest) {
      await this.#drop(row, upload);
      throw digestMismatch(digest, received);
    }
    try {
      await writer.commit();
      const stored = received ?? (await this.#digestStored(row.id, digest));
      if (stored !== digest) {
        await this.#drop(row, upload);
        throw digestMismatch(digest, stored);
      }
      this.#claims.get(row.id)?.settle?.();
      const { kept } = await this.#deps.writer.run('FinishUpload', {
        id: row.id,
        repositoryId: row.repositoryId,
        digest,
        size: writer.offset,
        ...{ now: this.#deps.clock.now(), limits, leaseMs: this.#deps.leaseMs },
        holder: this.#claims.get(row.id)?.holder,
      });
      this.#claims.get(row.id)?.end();
      if (!kept) this.#deps.discarded();
    } catch (error) {
      // What the plan has no room for would be refused again: the session ends, and its bytes go.
      const full = error instanceof RegistryError && error.kind === 'quota';
      if (full) await this.#drop(row, upload);
      else await this.#letGo(row, upload, error);
      throw error;
    }
  }

  async #digestStored(key: string, expected: Digest): Promise<Digest> {
    const algorithm = algorithmOf(expected);
    return formatDigest(algorithm, await hashStored(this.#deps.store, key, algorithm));
  }

  /**
   * After a failure: frees what is held. Where there is no room, the bytes that were not acknowledged go,
   * too: the disk would stay full of what nobody can use until the session expires.
   */
  async #letGo(row: UploadRow, { writer }: OpenUpload, failure: unknown): Promise<void> {
    await writer.release().catch(() => {});
    if (!(failure instanceof RegistryError && failure.kind === 'storage-full')) return;
    const cut =
      row.offset === 0
        ? this.#deps.store.abandon(row.id, row.storeState)
        : this.#deps.store.resume(row.id, row.storeState).then((resumed) => resumed.release());
    await cut.catch(() => {});
  }

  /** Ends the session for good; its bytes go. */
  async #drop(row: UploadRow, upload: OpenUpload): Promise<void> {
    await upload.writer.cancel().catch(() => {});
    const holder = this.#claims.get(row.id)?.holder;
    await this.#deps.writer.run('CancelUpload', { id: row.id, holder });
    this.#deps.discarded();
  }
}
