import { randomUUID } from 'node:crypto';
import type { RecordState } from '../../../src/ports/blob-store.ts';
import { spent } from '../spent.ts';
import type { Sink } from '../writer.ts';
import type { Part } from './bucket.ts';
import { dropUpload } from './drop-upload.ts';
import { translate } from './errors.ts';
import type { S3Keys } from './keys.ts';
import { PartBuffer } from './part-buffer.ts';
import { PartSender, type Shared } from './part-sender.ts';
import { formatState, type S3State } from './state.ts';

export interface UploadContext extends Shared {
  readonly keys: S3Keys;
}

/** What a resumed upload has: its state, its whole parts and the bytes after them. */
export interface Resumed {
  readonly state: S3State;
  readonly parts: readonly Part[];
  readonly rest: Buffer;
}

/** Tails that stay while an upload runs: the recorded state names the last, or the one before it. */
const keptTails = 2;

/**
 * One blob: in one PUT where it fits in a part, else as parts that are sent while more bytes come.
 * A part is sent when a byte comes that does not fit in it, so the last one is known to be the last.
 */
export class UploadSink implements Sink {
  readonly #context: UploadContext;
  readonly #key: string;
  readonly #name: string;
  readonly #record: RecordState | undefined;
  readonly #resumed: boolean;
  readonly #part: PartBuffer;
  readonly #sender: PartSender;
  readonly #stop = new AbortController();
  readonly #tails: (string | undefined)[] = [];
  #state: S3State;
  #taken: number;
  /** True where the server may hold something of this upload. */
  #left: boolean;
  /** True where the server may have begun a multipart upload whose id never came. */
  #unnamed = false;

  constructor(
    context: UploadContext,
    key: string,
    record: RecordState | undefined,
    resumed?: Resumed,
  ) {
    this.#context = context;
    this.#key = key;
    this.#name = context.keys.blob(key);
    this.#record = record;
    this.#resumed = resumed !== undefined;
    this.#left = this.#resumed;
    this.#state = resumed?.state ?? { offset: 0, partSize: context.pool.size };
    this.#taken = this.#state.offset;
    this.#tails.push(this.#state.tail);
    this.#part = new PartBuffer(context.pool, this.#state.partSize);
    if (resumed) this.#part.add(resumed.rest);
    this.#sender = new PartSender(context, this.#name, resumed?.parts ?? [], this.#stop.signal);
  }

  take(chunk: Buffer): Promise<void> | undefined {
    this.#sender.check();
    this.#taken += chunk.length;
    if (chunk.length > this.#part.room) return this.#takeLong(chunk);
    this.#part.add(chunk);
    spent(chunk);
    return undefined;
  }

  async #takeLong(chunk: Buffer): Promise<void> {
    let rest = chunk.subarray(this.#part.add(chunk));
    while (rest.length > 0) {
      await this.#send();
      rest = rest.subarray(this.#part.add(rest));
    }
    spent(chunk);
  }

  async flush(): Promise<void> {
    await this.#sender.settled();
  }

  async checkpoint(): Promise<string> {
    await this.#sender.settled();
    if (this.#state.offset !== this.#taken) {
      if (this.#sender.count === 0) await this.#keepWhole();
      else await this.#keepTail();
    }
    return formatState(this.#state);
  }

  async commit(): Promise<void> {
    const { upload } = this.#state;
    if (this.#sender.count > 0) {
      if (this.#part.length > 0) await this.#send();
      await this.#complete(upload!);
    } else if (!this.#state.whole || this.#state.offset !== this.#taken) {
      await this.#put(this.#name);
    }
    this.#context.pool.give(this.#part.detach().buffer, true);
    await this.#tidy();
  }

  interrupt(): void {
    this.#stop.abort();
  }

  async free(): Promise<void> {
    this.#stop.abort();
    await this.#sender.idle();
    this.#context.pool.give(this.#part.detach().buffer, false);
  }

  async remove(): Promise<void> {
    if (this.#left) await dropUpload(this.#context, this.#key, this.#state.upload);
  }

  translate = translate;

  /** Sends the part that fills. The first one begins the multipart upload. */
  async #send(): Promise<void> {
    await this.#sender.send(this.#state.upload ?? (await this.#begin()), this.#part);
  }

  async #begin(): Promise<string> {
    this.#left = true;
    const { id, retried } = await this.#context.bucket.createUpload(this.#name);
    this.#unnamed = retried;
    this.#state = { ...this.#state, upload: id };
    await this.#record?.(formatState(this.#state));
    return id;
  }

  async #put(name: string): Promise<void> {
    this.#left = true;
    await this.#context.bucket.put(name, this.#part.bytes, this.#stop.signal);
  }

  async #keepWhole(): Promise<void> {
    await this.#put(this.#name);
    this.#state = { ...this.#state, offset: this.#taken, whole: true };
  }

  async #keepTail(): Promise<void> {
    if (this.#part.room === 0) {
      await this.#send();
      await this.#sender.settled();
    }
    const { partSize, upload } = this.#state;
    const tail = this.#part.length > 0 ? randomUUID() : undefined;
    if (tail !== undefined) await this.#put(this.#context.keys.tail(this.#key, tail));
    this.#state = { offset: this.#taken, partSize, upload: upload!, ...(tail && { tail }) };
    this.#tails.push(tail);
    while (this.#tails.length > keptTails) await this.#deleteTail(this.#tails.shift());
  }

  /**
   * Joins the parts. Where the answer is a failure or never comes, the parts may be joined all the same,
   * and a second try finds no upload: then the object itself says what happened. No other upload writes
   * to this name, so one of the full size is this one's.
   */
  async #complete(upload: string): Promise<void> {
    const { bucket } = this.#context;
    const parts = await this.#sender.settled();
    try {
      await bucket.completeUpload(this.#name, upload, parts);
    } catch (error) {
      const size = await bucket.size(this.#name).catch(() => undefined);
      if (size !== this.#taken) throw error;
    }
  }

  /**
   * Removes what the blob no longer needs. The bytes are safe by now, so a failure here is none of the
   * push: what stays behind is small and the bucket's lifecycle rules remove it.
   */
  async #tidy(): Promise<void> {
    const { bucket, keys } = this.#context;
    const work: Promise<unknown>[] = [];
    if (this.#resumed) work.push(bucket.deleteAll(keys.tails(this.#key)));
    else work.push(...this.#tails.map((tail) => this.#deleteTail(tail)));
    if (this.#state.upload !== undefined && this.#sender.count === 0) {
      work.push(bucket.abortUpload(this.#name, this.#state.upload));
    }
    if (this.#unnamed) work.push(bucket.abortUploads(this.#name));
    await Promise.allSettled(work);
  }

  async #deleteTail(tail: string | undefined): Promise<void> {
    if (tail === undefined) return;
    const { bucket, keys } = this.#context;
    await bucket.delete(keys.tail(this.#key, tail)).catch(() => {});
  }
}
