import type { Readable } from 'node:stream';
import { algorithmOf, type Digest, type DigestAlgorithm, formatDigest } from '../oci/digest.ts';
import { RegistryError, refuse } from '../oci/errors.ts';
import type { ByteRange } from '../oci/range.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { UploadRow, Uploads } from '../ports/uploads.ts';
import { digestSoFar, newHash, type OpenUpload, OpenUploads } from './open-uploads.ts';

export interface ChunkOptions {
  /** `Content-Range`, where the client sent one. */
  readonly range: ByteRange | undefined;
  /** Bytes that the blob may have; checked while it streams. */
  readonly limit: number;
  /** The refusal for more than `limit`. */
  tooLarge(): RegistryError;
}

/** A step of a push: start, append, finish, cancel. Upload ids are storage keys. */
export class BlobPush {
  readonly #store: BlobStore;
  readonly #uploads: Uploads;
  readonly #writer: CommandWriter;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #expiryMs: number;
  readonly #discarded: () => void;
  readonly #open = new OpenUploads();

  constructor(deps: {
    store: BlobStore;
    uploads: Uploads;
    writer: CommandWriter;
    clock: Clock;
    newUploadId: () => string;
    /** How long an upload may rest between two requests. */
    expiryMs: number;
    /** Called when keys were discarded, so that their bytes are removed soon. */
    discarded: () => void;
  }) {
    this.#store = deps.store;
    this.#uploads = deps.uploads;
    this.#writer = deps.writer;
    this.#clock = deps.clock;
    this.#newId = deps.newUploadId;
    this.#expiryMs = deps.expiryMs;
    this.#discarded = deps.discarded;
  }

  get minChunk(): number {
    return this.#store.minChunk;
  }

  async start(
    repositoryId: string,
    subject: string,
    algorithm: DigestAlgorithm,
  ): Promise<UploadRow> {
    const now = this.#clock.now();
    const id = this.#newId();
    const expiresAt = now + this.#expiryMs;
    await this.#writer.run('StartUpload', { id, repositoryId, subject, algorithm, now, expiresAt });
    return {
      id,
      repositoryId,
      subject,
      algorithm,
      offset: 0,
      digestSoFar: undefined,
      storeState: '',
      expiresAt,
    };
  }

  /** The session, where `subject` began it in that repository; rejects with `upload-unknown` else. */
  async find(id: string, repositoryId: string, subject: string): Promise<UploadRow> {
    const row = await this.#uploads.find(id);
    const known =
      row !== undefined &&
      row.repositoryId === repositoryId &&
      row.subject === subject &&
      row.expiresAt > this.#clock.now();
    if (!known) throw unknownUpload();
    return row;
  }

  /**
   * Takes a chunk. Resolves with the new offset. Where the source fails, what came is kept and counted,
   * so the client can ask for the offset and go on.
   */
  append(row: UploadRow, source: Readable, options: ChunkOptions): Promise<number> {
    return this.#exclusively(row.id, async () => {
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
    row: UploadRow,
    digest: Digest,
    source: Readable | undefined,
    options: ChunkOptions,
  ): Promise<{ size: number }> {
    return this.#exclusively(row.id, async () => {
      // Nothing came yet: the digest's own algorithm serves, whatever the session was begun with.
      const algorithm = row.offset === 0 ? algorithmOf(digest) : row.algorithm;
      checkRange(options.range, row.offset);
      const upload = await this.#resume(row, algorithm);
      if (source) await this.#receive(row, upload, source, options);
      await this.#commit(row, upload, digest);
      return { size: upload.writer.offset };
    });
  }

  async cancel(row: UploadRow): Promise<void> {
    await this.#exclusively(row.id, async () => {
      const upload = this.#open.take(row.id);
      const storeState = upload?.writer.broken === false ? await upload.writer.state() : undefined;
      await upload?.writer.release().catch(() => {});
      await this.#writer.run('CancelUpload', {
        id: row.id,
        ...(storeState === undefined ? {} : { storeState }),
      });
      this.#discarded();
    });
  }

  async close(): Promise<void> {
    await this.#open.close();
  }

  async #exclusively<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (!this.#open.acquire(id)) {
      throw refuse(
        'upload-conflict',
        'Another request is writing to this upload.',
        'Wait for it, ask for the status (GET on the upload URL) and go on from there.',
      );
    }
    try {
      return await work();
    } finally {
      this.#open.release(id);
    }
  }

  async #resume(row: UploadRow, algorithm: DigestAlgorithm): Promise<OpenUpload> {
    const held = this.#open.take(row.id);
    if (held && held.writer.offset === row.offset) {
      if (row.offset === 0 && held.algorithm !== algorithm) {
        held.hash = newHash(algorithm);
        held.algorithm = algorithm;
      }
      return held;
    }
    await held?.writer.release();
    if (row.offset === 0 && row.storeState === '') {
      const writer = await this.#store.create(row.id, this.#record(row));
      return { writer, hash: newHash(algorithm), algorithm };
    }
    const hash = await this.#rehash(row);
    const writer = await this.#store.resume(row.id, row.storeState, this.#record(row));
    return { writer, hash, algorithm };
  }

  /** Lets the store put down its state in the middle of a request, before parts exist that only it names. */
  #record(row: UploadRow): (storeState: string) => Promise<void> {
    return async (storeState) => {
      const {
        id,
        offset,
        digestSoFar: digest,
      } = await this.find(row.id, row.repositoryId, row.subject);
      await this.#writer.run('AdvanceUpload', {
        id,
        from: offset,
        to: offset,
        digestSoFar: digest,
        storeState,
        expiresAt: this.#clock.now() + this.#expiryMs,
      });
    };
  }

  /**
   * The hash of what is stored already, where the store lets unfinished bytes be read. Bytes that are
   * not what the row says were lost in a crash: the upload must start again.
   */
  async #rehash(row: UploadRow) {
    const hash = newHash(row.algorithm);
    if (row.offset === 0) return hash;
    let stored: Readable;
    try {
      stored = await this.#store.open(row.id, { start: 0, end: row.offset - 1 });
    } catch (error) {
      if (error instanceof RegistryError && error.kind === 'blob-unknown') return undefined;
      throw error;
    }
    for await (const chunk of stored) hash.update(chunk as Buffer);
    if (row.digestSoFar && digestSoFar(row.algorithm, hash) !== row.digestSoFar) {
      throw unknownUpload();
    }
    return hash;
  }

  async #receive(
    row: UploadRow,
    upload: OpenUpload,
    source: Readable,
    options: ChunkOptions,
  ): Promise<void> {
    const { writer } = upload;
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
        failure = refuse(
          'size-invalid',
          `Content-Range promised ${expected - start} bytes, and ${writer.offset - start} came.`,
          'Ask for the status (GET on the upload URL) and go on from there.',
        );
      }
    } catch (error) {
      failure = error;
    }
    if (failure === undefined) return;
    const refused = failure instanceof RegistryError && failure.kind === 'layer-too-large';
    if (refused) await this.#drop(row, upload);
    else if (writer.broken) await writer.release().catch(() => {});
    else await this.#keep(row, upload).catch(() => {});
    throw failure;
  }

  /** Writes down how far the upload has come, and holds it for the next request. */
  async #keep(row: UploadRow, upload: OpenUpload): Promise<void> {
    const { writer, hash } = upload;
    await this.#writer.run('AdvanceUpload', {
      id: row.id,
      from: row.offset,
      to: writer.offset,
      digestSoFar: hash && digestSoFar(upload.algorithm, hash),
      storeState: await writer.state(),
      expiresAt: this.#clock.now() + this.#expiryMs,
    });
    this.#open.put(row.id, upload);
  }

  async #commit(row: UploadRow, upload: OpenUpload, digest: Digest): Promise<void> {
    const { writer, hash, algorithm } = upload;
    this.#open.take(row.id);
    const comparable = hash && algorithm === algorithmOf(digest);
    const received = comparable ? formatDigest(algorithm, hash) : undefined;
    if (received !== undefined && received !== digest) {
      await this.#drop(row, upload);
      throw mismatch(digest, received);
    }
    try {
      await writer.commit();
    } catch (error) {
      await writer.release().catch(() => {});
      throw error;
    }
    if (received === undefined) {
      const stored = await this.#hashStored(row.id, algorithmOf(digest));
      if (stored !== digest) {
        await this.#drop(row, upload);
        throw mismatch(digest, stored);
      }
    }
    const { kept } = await this.#writer.run('FinishUpload', {
      id: row.id,
      repositoryId: row.repositoryId,
      digest,
      size: writer.offset,
      now: this.#clock.now(),
    });
    if (!kept) this.#discarded();
  }

  async #hashStored(key: string, algorithm: DigestAlgorithm): Promise<Digest> {
    const hash = newHash(algorithm);
    for await (const chunk of await this.#store.open(key)) hash.update(chunk as Buffer);
    return formatDigest(algorithm, hash);
  }

  /** Ends the session for good; its bytes go. */
  async #drop(row: UploadRow, upload: OpenUpload): Promise<void> {
    await upload.writer.cancel().catch(() => {});
    await this.#writer.run('CancelUpload', { id: row.id });
    this.#discarded();
  }
}

function checkRange(range: ByteRange | undefined, offset: number): void {
  if (range && range.start !== offset) {
    throw refuse(
      'range-not-satisfiable',
      `The chunk starts at ${range.start}, and the upload stands at ${offset}: chunks come in order.`,
      'Ask for the status (GET on the upload URL) and go on from there.',
      { offset },
    );
  }
}

function mismatch(expected: Digest, received: Digest): RegistryError {
  return refuse(
    'digest-mismatch',
    `The bytes that came hash to ${received}, not to ${expected}.`,
    'Push the blob again.',
    { expected, received },
  );
}

function unknownUpload(): RegistryError {
  return refuse(
    'upload-unknown',
    'There is no such upload: it was finished, cancelled, has expired, or is not yours.',
    'Start the upload again.',
  );
}
