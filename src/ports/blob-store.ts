import type { Readable } from 'node:stream';
import type { ByteRange } from '../oci/range.ts';

/**
 * Bytes by key. A key is the id of the upload that wrote it, never a digest; what a key means is a row
 * in SQL. Errors: every method may reject with `RegistryError` of kind `unavailable` (the store cannot
 * be reached, retry later) or `storage-full`.
 */
export interface BlobStore {
  /** For logs and metrics: `filesystem`, `s3`. */
  readonly name: string;
  /** Bytes from which a chunk of an upload costs no extra work; shorter ones are taken, too. 0 where any will do. */
  readonly minChunk: number;

  /**
   * Size in bytes of what was committed under `key`, or undefined where nothing was. For an unfinished
   * upload a store may show its bytes so far, its first bytes, or nothing.
   */
  stat(key: string): Promise<{ size: number } | undefined>;

  /**
   * The bytes, or those in `range`, which lies within the blob. Rejects with kind `blob-unknown` where
   * the key holds nothing. The stream fails, rather than end early, where the store gives fewer bytes.
   * Destroying it frees what it holds.
   * Each chunk is its reader's alone, who may free its memory.
   */
  open(key: string, range?: ByteRange): Promise<Readable>;

  /** A writer of a new key. Nothing is visible to `stat`, `open` and `list` before `commit`, as far as the store can. */
  create(key: string, record?: RecordState): Promise<BlobWriter>;

  /**
   * The writer of a key that `create` began, in this process or one that ended, at the offset that
   * `state` (from `BlobWriter.state`) names; what was written past it is dropped.
   * Rejects with kind `upload-unknown` where the bytes are gone.
   */
  resume(key: string, state: string, record?: RecordState): Promise<BlobWriter>;

  /** Removes what `stat`, `open` and `list` find under `key`. No error where there is nothing. */
  delete(key: string): Promise<void>;

  /**
   * Drops all that an upload left which never finished, by its recorded state (of any age; `''` where none
   * was recorded): its parts, and what is under `key`. No error where there is nothing.
   */
  abandon(key: string, state: string): Promise<void>;

  /**
   * All committed keys after `after`, in an order that is the store's own and does not change, so that a
   * walk can stop and go on. A store that cannot tell gives keys of unfinished uploads, too.
   */
  list(after?: string): AsyncIterable<string>;

  /**
   * A URL, good for minutes, where a client that was granted the blob can fetch it; undefined where the
   * store has none to give (then bytes are proxied).
   */
  link?(key: string): Promise<URL | undefined>;

  /** Ends what the store itself holds open (connections); streams and writers belong to their callers. */
  close(): Promise<void>;
}

/**
 * Puts a state with the upload's row, as after `BlobWriter.state`. A store calls it by itself, in the
 * middle of `append`, `state` or `commit`, before it puts bytes where only a recorded state lets them be
 * found again (an S3 multipart upload); the state is then one at the offset of the last one. Where it
 * rejects, the writer is `broken`. Without it a crash at that moment can leave parts that nothing names.
 */
export type RecordState = (state: string) => Promise<void>;

/**
 * Writes one blob in order, one call at a time, except that `cancel` and `release` may come at any
 * moment and end a running `append` (which rejects with `upload-unknown` or `unavailable`).
 */
export interface BlobWriter {
  readonly key: string;
  /** Bytes taken so far. */
  readonly offset: number;

  /**
   * Takes all of `source`, calling `observe` with each chunk in order before it is written, and keeps
   * at most a few MiB in memory. Resolves when every byte is with the store (not yet durable).
   * Where `source` fails or closes before its end, what came before is kept, `offset` says how much, and
   * the call rejects with the source's error: the upload can go on from `offset`. Where `observe` throws,
   * likewise, without that chunk, and `source` is left paused. Where `observe` gives a promise, no more
   * is read until it resolves (so another thread can hash with bounded memory), and its rejection ends the call.
   * Where the store fails, rejects with `unavailable` or `storage-full`, and the writer is `broken`.
   */
  append(source: Readable, observe: (chunk: Buffer) => void | Promise<void>): Promise<void>;

  /** True after a failure of the store: only `cancel` and a new `resume` from recorded state are left. */
  readonly broken: boolean;

  /**
   * Makes what was taken so far durable, and gives what `resume` needs to go on from `offset`, to be kept
   * with the upload's row. Costs a sync (filesystem) or up to a request (S3), so an upload that is
   * committed in one go does not ask. The same errors as `append`.
   */
  state(): Promise<string>;

  /** Makes the bytes durable and visible, and frees what is held. Only after this may a row name the key. */
  commit(): Promise<void>;

  /** Gives up: frees what is held and removes the bytes. Does nothing after `commit`: then it is `delete`. */
  cancel(): Promise<void>;

  /** Frees what is held (descriptors, buffers) without removing anything, so that `resume` can go on later. */
  release(): Promise<void>;
}
