import { extract, type Header } from 'tar-stream';
import { type RegistryError, refuse } from '../../oci/errors.ts';
import { quote } from '../../oci/quote.ts';

export type Entry =
  | {
      readonly type: 'file';
      /** Of its first byte, in the uncompressed archive. */
      readonly offset: number;
      readonly size: number;
      /** The archive has more than one file of this name: readers differ on which one counts. */
      readonly repeated: boolean;
    }
  | { readonly type: 'link'; readonly target: string };

/** Names as they are looked up: `manifest.json`, `blobs/sha256/<hex>`. */
export type Entries = ReadonlyMap<string, Entry>;

export const limits = {
  entries: 100_000,
  /** Of all names together. */
  nameBytes: 16 * 2 ** 20,
  oneName: 1024,
  /** Extended headers and padding between one entry's content and the next one's. */
  headerBytes: 128 * 1024,
  paxRecords: 64,
} as const;

const slice = 64 * 1024;

/**
 * Notes where the files of a tar archive lie, while it streams by. Nothing is ever unpacked: names are
 * keys of a map, and links are followed among those keys.
 */
export class TarIndexer {
  readonly #extract = extract();
  readonly #entries = new Map<string, Entry>();
  #seen = 0;
  #nameBytes = 0;
  #position = 0;
  #contentEnd = 0;
  #failure: unknown;

  constructor() {
    this.#extract.on('entry', (header, content, next) => {
      try {
        this.#take(header);
      } catch (error) {
        this.#extract.destroy(error as Error);
        return;
      }
      content.on('error', () => {});
      content.on('end', () => next(null));
      content.resume();
    });
    this.#extract.on('error', (error) => {
      this.#failure ??= error;
    });
  }

  /** Keeps parts of `chunk`. Rejects with `invalid` where it is no tar archive, or one that hides something. */
  async feed(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += slice) {
      const piece = chunk.subarray(at, at + slice);
      const before = this.#position;
      this.#position += piece.length;
      if (!this.#extract.write(piece)) await this.#settled('drain');
      if (this.#failure !== undefined) throw refusal(this.#failure);
      // tar-stream reads extended headers of megabytes, and merges global ones into each of the next.
      const unnamed = this.#position - this.#contentEnd;
      if (unnamed > limits.headerBytes + slice && !(before >= this.#contentEnd && isZero(piece))) {
        throw notTaken('it has too many bytes of extended headers, or bytes after its end');
      }
    }
  }

  async end(): Promise<Entries> {
    this.#extract.end(null);
    await this.#settled('finish');
    if (this.#failure !== undefined) throw refusal(this.#failure);
    return this.#entries;
  }

  destroy(): void {
    this.#extract.destroy();
  }

  #settled(event: 'drain' | 'finish'): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#extract.off(event, done);
        this.#extract.off('close', done);
        resolve();
      };
      this.#extract.on(event, done);
      this.#extract.on('close', done);
      if (this.#extract.destroyed) done();
    });
  }

  #take(header: Header & { byteOffset?: number }): void {
    const { name, type, size = 0, byteOffset = 0, linkname, pax } = header;
    if (++this.#seen > limits.entries) throw notTaken(`it has more than ${limits.entries} entries`);
    if (!Number.isSafeInteger(size)) throw notTaken('an entry has an impossible size');
    if (pax && Object.keys(pax).length > limits.paxRecords) {
      throw notTaken(`${quote(name)} has more than ${limits.paxRecords} extended attributes`);
    }
    this.#contentEnd = byteOffset + Math.ceil(size / 512) * 512;
    const key = keyOf(name);
    this.#nameBytes += Buffer.byteLength(name) + Buffer.byteLength(linkname ?? '');
    if (this.#nameBytes > limits.nameBytes) throw notTaken('its names are too long');
    if (type === 'directory') return;
    if (type === 'symlink' || type === 'link') {
      const folder = type === 'symlink' ? key.split('/').slice(0, -1) : [];
      this.#entries.set(key, { type: 'link', target: resolve(folder, linkname ?? '', name) });
      return;
    }
    if (type !== 'file' && type !== 'contiguous-file') {
      throw notTaken(`${quote(name)} is ${type ? `a ${type}` : 'of a kind that is not read'}`);
    }
    if (pax && Object.keys(pax).some((record) => record.startsWith('GNU.sparse'))) {
      throw notTaken(`${quote(name)} is a sparse file`);
    }
    const repeated = this.#entries.get(key)?.type === 'file';
    this.#entries.set(key, { type: 'file', offset: byteOffset, size, repeated });
  }
}

function keyOf(name: string): string {
  if (name.startsWith('/')) throw outside(name);
  return resolve([], name, name);
}

/** `path` from `folder`, within the archive. */
function resolve(folder: readonly string[], path: string, name: string): string {
  if (path.length > limits.oneName || path.startsWith('/') || path.includes('\0')) {
    throw outside(name);
  }
  const parts = [...folder];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw outside(name);
  }
  return parts.join('/');
}

function outside(name: string): RegistryError {
  return notTaken(`${quote(name)} names or links to a place outside of it, or is too long`);
}

function notTaken(problem: string): RegistryError {
  return refuse(
    'invalid',
    `The archive is not taken: ${problem}.`,
    'Make it anew with docker save, or with a tool that writes OCI layouts.',
  );
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

function refusal(error: unknown): unknown {
  if (!(error instanceof Error) || error.name === 'RegistryError') return error;
  const cut = error.message === 'Unexpected end of data';
  return refuse(
    'invalid',
    cut ? 'The archive ends too early.' : 'The file is no tar archive, or a damaged one.',
    'Send what docker save wrote, or the tar of an OCI layout: plain, or compressed with gzip or zstd.',
  );
}
