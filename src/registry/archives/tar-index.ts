import { setImmediate as immediate } from 'node:timers/promises';
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
  /** Of extended headers before one entry. */
  headerBytes: 128 * 1024,
  paxRecords: 64,
} as const;

const block = 512;
const zeros = Buffer.alloc(64 * 1024);

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
  /** Bytes that are not of a file, since the last one. */
  #headers = 0;
  #zeros = 0;
  #failure: unknown;

  constructor() {
    this.#extract.on('entry', (header, content, next) => {
      // It fails with the archive, which says why.
      content.on('error', () => {});
      try {
        this.#take(header);
      } catch (error) {
        this.#extract.destroy(error as Error);
        return;
      }
      content.on('end', () => next(null));
      content.resume();
    });
    this.#extract.on('error', (error) => {
      this.#failure ??= error;
    });
  }

  /** The chunk is the caller's again afterwards. Rejects with `invalid` where it is no tar archive, or hides something. */
  async feed(chunk: Buffer): Promise<void> {
    // Two blocks of zeros end an archive, whatever may be behind them.
    for (let at = 0; at < chunk.length && this.#zeros < 2 * block; ) {
      const inContent = this.#contentEnd - this.#position;
      // What a file holds is not looked at; a header is known before what follows it is handed on.
      const length = Math.min(
        chunk.length - at,
        inContent > 0 ? Math.min(inContent, zeros.length) : block - (this.#position % block),
      );
      const header = inContent > 0 ? undefined : Buffer.from(chunk.subarray(at, at + length));
      if (!this.#extract.write(header ?? zeros.subarray(0, length))) await this.#settled('drain');
      if (header) await immediate();
      if (this.#failure !== undefined) throw refusal(this.#failure);
      at += length;
      this.#position += length;
      this.#zeros = header?.every((byte) => byte === 0) ? this.#zeros + length : 0;
      if (header) this.#headers += length;
      // tar-stream reads extended headers of megabytes, and merges global ones into each of the next.
      if (this.#headers > limits.headerBytes) throw notTaken('its extended headers are too long');
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
    this.#contentEnd = byteOffset + Math.ceil(size / block) * block;
    this.#headers = 0;
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

function refusal(error: unknown): unknown {
  if (!(error instanceof Error) || error.name === 'RegistryError') return error;
  const cut = error.message === 'Unexpected end of data';
  return refuse(
    'invalid',
    cut ? 'The archive ends too early.' : 'The file is no tar archive, or a damaged one.',
    'Send what docker save wrote, or the tar of an OCI layout: plain, or compressed with gzip or zstd.',
  );
}
