/**
 * A process that moves bytes through a blob store and prints the most memory that it held: run by
 * memory.test.ts, so that nothing else counts. Its argument is JSON: { folder } or { s3: options }.
 */
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BlobStore } from '../../src/ports/blob-store.ts';
import { createFilesystemBlobStore } from './filesystem/store.ts';
import type { S3BlobStoreOptions } from './s3/options.ts';

export interface ProbeResult {
  /** Bytes of resident memory at the highest, after one blob of 2 GiB. */
  readonly one: number;
  /** The same after four more of 256 MiB at once. */
  readonly four: number;
}

type Place = { readonly folder: string } | { readonly s3: S3BlobStoreOptions };

const MiB = 1 << 20;
const chunkBytes = 64 << 10;

async function openStore(place: Place): Promise<BlobStore> {
  if ('folder' in place) return createFilesystemBlobStore(place);
  const { createS3BlobStore } = await import('./s3/store.ts');
  return createS3BlobStore(place.s3);
}

/** Chunks as a socket gives them: each in memory of its own. */
function source(size: number): Readable {
  let left = size;
  return new Readable({
    highWaterMark: chunkBytes,
    read() {
      const length = Math.min(chunkBytes, left);
      left -= length;
      this.push(length > 0 ? Buffer.alloc(length, 7) : null);
    },
  });
}

async function roundTrip(store: BlobStore, key: string, size: number): Promise<void> {
  const writer = await store.create(key);
  await writer.append(source(size), () => {});
  await writer.commit();
  let read = 0;
  const count = new Writable({
    write(chunk: Buffer, _encoding, done) {
      read += chunk.length;
      done();
    },
  });
  await pipeline(await store.open(key), count);
  await store.delete(key);
  if (read !== size) throw new Error(`read ${read} of ${size} bytes`);
}

const key = (index: number) => `upl_${index.toString(16).padStart(32, '0')}`;
const peak = () => process.resourceUsage().maxRSS * 1024;

const store = await openStore(JSON.parse(process.argv[2] ?? '{}') as Place);
await roundTrip(store, key(0), 2048 * MiB);
const one = peak();
await Promise.all([1, 2, 3, 4].map((index) => roundTrip(store, key(index), 256 * MiB)));
await store.close();
process.stdout.write(JSON.stringify({ one, four: peak() } satisfies ProbeResult));
