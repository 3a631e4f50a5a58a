import type { LayerCompression } from '../oci/media-types.ts';

/*
 * What the measuring process is told, on its standard input, once a layer:
 *
 *   frame of a MeasureJob as JSON · frames of the layer's bytes · empty frame
 *
 * where a frame is its length as 4 bytes, big-endian, and as many bytes. What it tells, on its standard
 * output: one WorkerMessage as JSON a line. A verdict may come before the layer's last byte was sent; then
 * the process takes no further layer.
 */

export interface MeasureJob {
  readonly compression: LayerCompression;
  /** Uncompressed bytes past which nothing is inflated. */
  readonly cap: number;
}

export type Verdict =
  | { readonly state: 'measured'; readonly uncompressedSize: number }
  | { readonly state: 'over' | 'mismatch'; readonly reason: string };

export type WorkerMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'progress' }
  | { readonly type: 'verdict'; readonly verdict: Verdict };

const headerSize = 4;

export const endOfLayer = frameHeader(0);

export function frameHeader(length: number): Buffer {
  const header = Buffer.allocUnsafe(headerSize);
  header.writeUInt32BE(length);
  return header;
}

/** Reads frames from a stream of chunks, whose borders mean nothing. */
export class FrameReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** The next frame as a whole, for short ones; undefined where the stream ended before it. */
  async frame(): Promise<Buffer | undefined> {
    if (this.#rest.length === 0 && !(await this.#more())) return undefined;
    return await this.#exactly(await this.#length());
  }

  /** The bytes of all frames up to the next empty one. */
  async *untilEmpty(): AsyncGenerator<Buffer> {
    for (let left = await this.#length(); left > 0; left = await this.#length()) {
      while (left > 0) {
        if (this.#rest.length === 0) await this.#need();
        const piece = this.#rest.subarray(0, left);
        this.#rest = this.#rest.subarray(piece.length);
        left -= piece.length;
        yield piece;
      }
    }
  }

  /** Takes and drops everything up to the stream's end. */
  async discard(): Promise<void> {
    do this.#rest = Buffer.alloc(0);
    while (await this.#more());
  }

  async #length(): Promise<number> {
    return (await this.#exactly(headerSize)).readUInt32BE();
  }

  async #exactly(length: number): Promise<Buffer> {
    while (this.#rest.length < length) await this.#need();
    const bytes = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return bytes;
  }

  async #need(): Promise<void> {
    if (!(await this.#more())) throw new Error('the stream ended within a frame');
  }

  async #more(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done) return false;
    this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value]);
    return true;
  }
}
