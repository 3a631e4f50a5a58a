import type { Readable } from 'node:stream';
import { type RegistryError, refuse } from '../../src/oci/errors.ts';
import type { BlobWriter } from '../../src/ports/blob-store.ts';
import { both, receive } from './receive.ts';

/**
 * What an adapter does with the bytes of one upload. The writer sees to the rest of the port: one call
 * at a time, sources that fail, calls that are interrupted. Any rejection breaks the writer.
 */
export interface Sink {
  /** Takes a chunk; the promise, where there is one, resolves when there is room for more. */
  take(chunk: Buffer): Promise<void> | undefined;
  /** Resolves when all that was taken is with the store. */
  flush(): Promise<void>;
  /** Makes all that was taken durable, and gives what a resume needs. */
  checkpoint(): Promise<string>;
  /** Makes the bytes durable and visible, and frees what is held. */
  commit(): Promise<void>;
  /** Makes a `take` or `flush` that waits end soon, in whatever way. `free` follows. */
  interrupt(): void;
  /** Stops what runs and frees what is held. */
  free(): Promise<void>;
  /** Removes the bytes, after `free`. */
  remove(): Promise<void>;
  /** A failure in the port's words. */
  translate(error: unknown): RegistryError;
}

export function createWriter(key: string, offset: number, sink: Sink): BlobWriter {
  return new SinkWriter(key, offset, sink);
}

class SinkWriter implements BlobWriter {
  readonly key: string;
  readonly #sink: Sink;
  #offset: number;
  #broken = false;
  #ended: 'committed' | 'cancelled' | 'released' | undefined;
  #running: Promise<unknown> = Promise.resolve();
  readonly #stop = new AbortController();

  constructor(key: string, offset: number, sink: Sink) {
    this.key = key;
    this.#offset = offset;
    this.#sink = sink;
  }

  get offset(): number {
    return this.#offset;
  }

  get broken(): boolean {
    return this.#broken;
  }

  append(source: Readable, observe: (chunk: Buffer) => void | Promise<void>): Promise<void> {
    const take = (chunk: Buffer) => {
      const observed = observe(chunk);
      this.#offset += chunk.length;
      return both(observed, this.#take(chunk));
    };
    return this.#one(async () => {
      const { signal } = this.#stop;
      const interrupt = () => this.#sink.interrupt();
      signal.addEventListener('abort', interrupt);
      try {
        await this.#receive(source, take);
      } catch (error) {
        throw signal.aborted ? signal.reason : error;
      } finally {
        signal.removeEventListener('abort', interrupt);
      }
    });
  }

  async #receive(
    source: Readable,
    take: (chunk: Buffer) => Promise<void> | undefined,
  ): Promise<void> {
    const failure = await receive(source, take, this.#stop.signal).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    // What came before a failure of the source is kept. After one of the store nothing is.
    if (!this.#broken && !this.#stop.signal.aborted) await this.#store(() => this.#sink.flush());
    if (failure) throw failure.error;
  }

  state(): Promise<string> {
    return this.#one(() => this.#store(() => this.#sink.checkpoint()));
  }

  commit(): Promise<void> {
    return this.#one(async () => {
      await this.#store(() => this.#sink.commit());
      this.#ended = 'committed';
    });
  }

  async cancel(): Promise<void> {
    if (await this.#end('cancelled', 'upload-unknown')) {
      await this.#store(() => this.#sink.remove());
    }
  }

  async release(): Promise<void> {
    await this.#end('released', 'unavailable');
  }

  #take(chunk: Buffer): Promise<void> | undefined {
    try {
      const room = this.#sink.take(chunk);
      return room && this.#store(() => room);
    } catch (error) {
      throw this.#break(error);
    }
  }

  /** Runs a call of the port, unless the writer is past it. */
  #one<T>(work: () => Promise<T>): Promise<T> {
    const refusal = this.#refusal();
    if (refusal) return Promise.reject(refusal);
    const running = work();
    this.#running = running.catch(() => {});
    return running;
  }

  #refusal(): unknown {
    if (this.#ended) return refuse('internal', `The writer was ${this.#ended} before.`);
    if (this.#stop.signal.aborted) return this.#stop.signal.reason;
    if (this.#broken) return refuse('unavailable', 'The upload broke on a failure of the store.');
    return undefined;
  }

  async #store<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#break(error);
    }
  }

  #break(error: unknown): RegistryError {
    this.#broken = true;
    return this.#sink.translate(error);
  }

  /** Stops a call that runs and frees what is held. False where the writer had ended before. */
  async #end(how: 'cancelled' | 'released', kind: 'upload-unknown' | 'unavailable') {
    this.#stop.abort(refuse(kind, `The upload was ${how} while its bytes came.`));
    await this.#running;
    if (this.#ended) return false;
    this.#ended = how;
    await this.#store(() => this.#sink.free());
    return true;
  }
}
