import type { FileHandle } from 'node:fs/promises';
import { spent } from '../spent.ts';

/** Bytes of one write call. Smaller ones halve the throughput. */
const batchBytes = 1 << 20;
/** Buffers of one write call: a body cut into single bytes must not hold a million of them. */
const batchPieces = 1024;
const maxInFlight = 4;
/** Bytes after which write-back to the disk begins while more come, so that the last sync finds little left. */
const syncEvery = 32 << 20;

/**
 * Positional writes to one open file, several at a time, with write-back in the background.
 * The first failure sticks: later calls reject with it, since after a failed sync the kernel may hold
 * lost pages as clean, and another sync would report success.
 */
export class FileOutput {
  readonly #file: FileHandle;
  #position: number;
  #batch: Buffer[] = [];
  #batched = 0;
  readonly #inFlight = new Set<Promise<void>>();
  #written = 0;
  #synced = 0;
  #syncing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(file: FileHandle, position: number) {
    this.#file = file;
    this.#position = position;
  }

  /** Takes a chunk; the promise, where there is one, resolves when there is room for more. */
  take(chunk: Buffer): Promise<void> | undefined {
    this.#check();
    this.#batch.push(chunk);
    this.#batched += chunk.length;
    if (this.#batched < batchBytes && this.#batch.length < batchPieces) return undefined;
    this.#dispatch();
    return this.#inFlight.size < maxInFlight ? undefined : this.#room();
  }

  /** Resolves when all that was taken is written. */
  async flush(): Promise<void> {
    if (this.#batched > 0) this.#dispatch();
    await Promise.all(this.#inFlight);
    this.#check();
  }

  /** Resolves when all that was taken is on the disk. */
  async sync(): Promise<void> {
    await this.flush();
    await this.#syncing;
    this.#check();
    if (this.#synced < this.#written) {
      this.#startSync();
      await this.#syncing;
      this.#check();
    }
  }

  /** Waits for calls that run and closes the file. */
  async close(): Promise<void> {
    this.#batch = [];
    this.#batched = 0;
    await Promise.all(this.#inFlight);
    await this.#syncing;
    await this.#file.close();
  }

  async #room(): Promise<void> {
    await Promise.race(this.#inFlight);
    this.#check();
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  #dispatch(): void {
    const batch = this.#batch;
    const position = this.#position;
    this.#position += this.#batched;
    this.#batch = [];
    this.#batched = 0;
    const writing = this.#write(batch, position)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#inFlight.delete(writing));
    this.#inFlight.add(writing);
  }

  async #write(batch: Buffer[], start: number): Promise<void> {
    let pieces = batch;
    let position = start;
    while (pieces.length > 0) {
      const { bytesWritten } = await this.#file.writev(pieces, position);
      position += bytesWritten;
      pieces = after(pieces, bytesWritten);
    }
    for (const piece of batch) spent(piece);
    this.#written += position - start;
    if (this.#written - this.#synced >= syncEvery && !this.#syncing) this.#startSync();
  }

  #startSync(): void {
    const covers = this.#written;
    this.#syncing = this.#file
      .datasync()
      .then(
        () => {
          this.#synced = covers;
        },
        (error) => {
          this.#failure ??= { error };
        },
      )
      .finally(() => {
        this.#syncing = undefined;
      });
  }
}

/** What is left of `pieces` after their first `count` bytes: a disk that fills up takes part of a write. */
function after(pieces: Buffer[], count: number): Buffer[] {
  let skip = count;
  let index = 0;
  while (index < pieces.length && skip >= pieces[index]!.length) {
    skip -= pieces[index]!.length;
    index += 1;
  }
  const rest = pieces.slice(index);
  if (skip > 0) rest[0] = rest[0]!.subarray(skip);
  return rest;
}
