import { type FileHandle, mkdir, open, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type RegistryError, refuse } from '../../oci/errors.ts';

/** What the disk must still have when all uploads under way have come. */
const margin = 64 * 2 ** 20;
const readChunk = 256 * 1024;

/*
 * <data>/spool/<n>.tar   an archive that is being received or read; nothing of it outlives its request,
 *                        and what a process that was killed left is removed at the next start
 */

/** Told of the bytes of each buffer that may now die, so that dead ones do not pile up. */
export type Passed = (bytes: number) => void;

/** Keeps archives on disk for as long as their requests last. */
export class Spool {
  readonly #folder: string;
  readonly #open = new Set<SpoolFile>();
  #made = 0;

  readonly #passed: Passed;

  private constructor(folder: string, passed: Passed) {
    this.#folder = folder;
    this.#passed = passed;
  }

  /** Removes what an earlier process left in `folder`, which no other process may be using. */
  static async open(folder: string, passed: Passed): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      await rm(join(folder, name), { recursive: true, force: true });
    }
    return new Spool(folder, passed);
  }

  /** Archives that are on disk now. */
  get size(): number {
    return this.#open.size;
  }

  /** An empty file. Rejects with `storage-full` where `expected` bytes (0: unknown) do not fit beside the others. */
  async create(expected: number): Promise<SpoolFile> {
    const { bavail, bsize } = await statfs(this.#folder);
    let promised = expected;
    for (const file of this.#open) promised += Math.max(0, file.expected - file.size);
    if (promised + margin > bavail * bsize) throw full();
    const path = join(this.#folder, `${++this.#made}.tar`);
    const handle = await open(path, 'wx+', 0o600);
    const file = new SpoolFile(path, handle, expected, this.#passed, () => this.#open.delete(file));
    this.#open.add(file);
    return file;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((file) => file.remove()));
  }
}

export class SpoolFile {
  readonly expected: number;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #passed: Passed;
  readonly #removed: () => void;
  #size = 0;
  #ended = false;

  constructor(
    path: string,
    handle: FileHandle,
    expected: number,
    passed: Passed,
    removed: () => void,
  ) {
    this.#passed = passed;
    this.#path = path;
    this.#handle = handle;
    this.expected = expected;
    this.#removed = removed;
  }

  get size(): number {
    return this.#size;
  }

  /** Rejects with `storage-full`. The chunk is the caller's again afterwards. */
  async append(chunk: Uint8Array): Promise<void> {
    let written = 0;
    try {
      while (written < chunk.length) {
        const { bytesWritten } = await this.#handle.write(chunk, written, chunk.length - written);
        written += bytesWritten;
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      throw ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code) ? full() : error;
    }
    this.#size += written;
    this.#passed(written);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await this.#handle.read(bytes, 0, length, offset);
    if (bytesRead !== length) throw new Error('the spooled archive is shorter than it was');
    return bytes;
  }

  /** Each chunk is its reader's alone. */
  stream(offset: number, length: number): Readable {
    return Readable.from(this.#chunks(offset, offset + length), { objectMode: false });
  }

  /** Closes and removes the file; a second call does nothing. */
  async remove(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#handle.close().catch(() => {});
    await rm(this.#path, { force: true });
    this.#removed();
  }

  async *#chunks(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; ) {
      const length = Math.min(readChunk, end - at);
      const { bytesRead, buffer } = await this.#handle.read(
        ...([Buffer.allocUnsafeSlow(length), 0, length, at] as const),
      );
      if (bytesRead === 0) throw new Error('the spooled archive is shorter than it was');
      at += bytesRead;
      this.#passed(bytesRead);
      yield buffer.subarray(0, bytesRead);
    }
  }
}

function full(): RegistryError {
  return refuse(
    'storage-full',
    'The registry has no space left to take the archive in.',
    'Ask the operator to free or add disk space, then send it again.',
  );
}
