import type { Bucket, Part } from './bucket.ts';
import type { BufferPool, PartBuffer } from './part-buffer.ts';
import type { Slots } from './slots.ts';

/** What the uploads of one store share. */
export interface Shared {
  readonly bucket: Bucket;
  readonly pool: BufferPool;
  /** Bounds the parts of all uploads that travel at once. */
  readonly slots: Slots;
  readonly concurrency: number;
}

/**
 * Sends the parts of one multipart upload, several at a time. The first failure sticks, and its buffer
 * is not used again: a connection that was given up may still read from it.
 */
export class PartSender {
  readonly #shared: Shared;
  readonly #name: string;
  readonly #sent: Part[];
  readonly #inFlight = new Set<Promise<void>>();
  readonly #stop: AbortSignal;
  #count: number;
  #failure: { readonly error: unknown } | undefined;

  /** `sent` are the parts from 1 on that the server holds. */
  constructor(shared: Shared, name: string, sent: readonly Part[], stop: AbortSignal) {
    this.#shared = shared;
    this.#name = name;
    this.#sent = [...sent];
    this.#count = sent.length;
    this.#stop = stop;
  }

  /** Parts that were begun. */
  get count(): number {
    return this.#count;
  }

  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Sends what `part` holds as the next part. Resolves when it is on its way, with `part` empty. */
  async send(uploadId: string, part: PartBuffer): Promise<void> {
    while (this.#inFlight.size >= this.#shared.concurrency) await Promise.race(this.#inFlight);
    this.check();
    const { bucket, pool, slots } = this.#shared;
    await slots.take();
    this.#count += 1;
    const number = this.#count;
    const { bytes, buffer } = part.detach();
    const sending = bucket
      .uploadPart(this.#name, uploadId, number, bytes, this.#stop)
      .then((sent) => {
        if (sent.ETag === undefined) throw new Error('S3 took a part without naming its ETag');
        this.#sent.push(sent);
        pool.give(buffer, true);
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
        pool.give(buffer, false);
      })
      .finally(() => {
        slots.give();
        this.#inFlight.delete(sending);
      });
    this.#inFlight.add(sending);
  }

  /** All parts, in order, when the server holds them. */
  async settled(): Promise<readonly Part[]> {
    await Promise.all(this.#inFlight);
    this.check();
    return this.#sent.sort((a, b) => a.PartNumber - b.PartNumber);
  }

  /** Resolves when no request runs, however it ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#inFlight);
  }
}
