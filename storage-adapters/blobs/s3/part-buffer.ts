/** Blobs up to this many bytes never take a part's buffer. */
const smallBytes = 64 << 10;

/**
 * Buffers of one part's size, used again while uploads run: allocating one a part leaves hundreds of MiB
 * to the collector. When the last one comes back, all are dropped.
 */
export class BufferPool {
  readonly size: number;
  readonly #keep: number;
  readonly #out = new Set<Buffer>();
  #free: Buffer[] = [];

  /** Holds on to at most `keep` unused buffers. */
  constructor(size: number, keep: number) {
    this.size = size;
    this.#keep = keep;
  }

  take(): Buffer {
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.size);
    this.#out.add(buffer);
    return buffer;
  }

  /** Takes a buffer back, `usable` again or not. Others than its own it leaves to the collector. */
  give(buffer: Buffer, usable: boolean): void {
    if (!this.#out.delete(buffer)) return;
    if (this.#out.size === 0) this.#free = [];
    else if (usable && this.#free.length < this.#keep) this.#free.push(buffer);
  }
}

/** The part that fills. */
export class PartBuffer {
  readonly #pool: BufferPool;
  readonly #capacity: number;
  #buffer: Buffer | undefined;
  #length = 0;

  /** `capacity` is the pool's, except for an upload that began under another setting. */
  constructor(pool: BufferPool, capacity: number) {
    this.#pool = pool;
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#length;
  }

  get room(): number {
    return this.#capacity - this.#length;
  }

  get bytes(): Buffer {
    return this.#buffer?.subarray(0, this.#length) ?? Buffer.alloc(0);
  }

  /** Copies as much of `chunk` as fits, and gives how many bytes that was. */
  add(chunk: Buffer): number {
    const count = Math.min(chunk.length, this.room);
    this.#reserve(this.#length + count).set(
      count === chunk.length ? chunk : chunk.subarray(0, count),
      this.#length,
    );
    this.#length += count;
    return count;
  }

  /** The bytes, and the buffer to give back to the pool when they have been sent. The part is empty then. */
  detach(): { bytes: Buffer; buffer: Buffer } {
    const bytes = this.bytes;
    const buffer = this.#buffer ?? bytes;
    this.#buffer = undefined;
    this.#length = 0;
    return { bytes, buffer };
  }

  #reserve(length: number): Buffer {
    const present = this.#buffer;
    if (present && present.length >= length) return present;
    const small = Math.min(smallBytes, this.#capacity);
    const pooled = this.#capacity === this.#pool.size;
    const next =
      length <= small
        ? Buffer.allocUnsafeSlow(small)
        : pooled
          ? this.#pool.take()
          : Buffer.allocUnsafeSlow(this.#capacity);
    if (present) next.set(present.subarray(0, this.#length));
    this.#buffer = next;
    return next;
  }
}
