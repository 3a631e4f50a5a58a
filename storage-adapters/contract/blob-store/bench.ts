import assert from 'node:assert/strict';
import { createCipheriv, createHash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { type ErrorKind, RegistryError } from '../../../src/oci/errors.ts';
import type { BlobStore, BlobWriter } from '../../../src/ports/blob-store.ts';

/** One place for bytes, under test. Each test begins and ends with it empty. */
export interface Subject {
  /** A store on that place, as a process that starts would open it. */
  open(): Promise<BlobStore>;
  /** Bytes around whose multiples the store changes what it does: its part or write size. */
  readonly unit: number;
  /** When an unfinished upload can be seen under its key at the earliest. */
  readonly unfinishedShows: 'from the first byte' | 'from the first state';
  /** All that lies in the place, blobs by their key, anything else in words: a tail, a multipart upload. */
  held(): Promise<string[]>;
  /** Empties the place, without the store, so that a test that fails does not fail the next. */
  clear(): Promise<void>;
  /** Descriptors of this process that are open in the place, where that can be told. */
  openDescriptors(): Promise<string[]>;
}

/** What a test works with. */
export interface Bench extends Omit<Subject, 'open' | 'clear'> {
  readonly store: BlobStore;
  /** Another store on the same place. */
  reopen(): Promise<BlobStore>;
}

export function newKey(): string {
  return `upl_${randomUUID()}`;
}

/** `size` bytes that never repeat in a pattern of the store's, the same for the same seed. */
export function bytesOf(size: number, seed = 'a'): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

export interface SourceOptions {
  /** Bytes of each chunk. */
  readonly chunk?: number;
  /** How it ends after its bytes: with this error, or closed without a word, or held open. */
  readonly ends?: Error | 'closes' | 'stays open';
}

export function sourceOf(bytes: Buffer, { chunk = 64 << 10, ends }: SourceOptions = {}): Readable {
  let position = 0;
  return new Readable({
    highWaterMark: chunk,
    read() {
      if (position < bytes.length) {
        const end = Math.min(position + chunk, bytes.length);
        this.push(bytes.subarray(position, end));
        position = end;
      } else if (ends === undefined) {
        this.push(null);
      } else if (ends === 'closes') {
        this.destroy();
      } else if (ends !== 'stays open') {
        this.destroy(ends);
      }
    },
  });
}

export async function append(writer: BlobWriter, bytes: Buffer, options?: SourceOptions) {
  const hash = createHash('sha256');
  const before = writer.offset;
  await writer.append(sourceOf(bytes, options), (chunk) => {
    hash.update(chunk);
  });
  assert.equal(writer.offset, before + bytes.length, 'offset after append');
  assert.equal(hash.digest('hex'), sha256(bytes), 'what observe saw');
}

/** Uploads in one go. */
export async function put(store: BlobStore, key: string, bytes: Buffer): Promise<void> {
  const writer = await store.create(key);
  await append(writer, bytes);
  await writer.commit();
}

export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Asserts that `key` holds exactly `bytes`, by every way to ask. */
export async function holds(store: BlobStore, key: string, bytes: Buffer): Promise<void> {
  assert.deepEqual(await store.stat(key), { size: bytes.length });
  const found = await readAll(await store.open(key));
  // Not deepEqual: its report of two buffers of megabytes takes minutes.
  assert.equal(found.length, bytes.length, 'length of what was read');
  assert.ok(found.equals(bytes), 'bytes read are the bytes written');
}

export function rejectsWith(work: Promise<unknown>, kind: ErrorKind): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.ok(error instanceof RegistryError, `a RegistryError, not ${String(error)}`);
    assert.equal(error.kind, kind);
    return true;
  });
}

export async function keysOf(keys: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const key of keys) found.push(key);
  return found;
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
