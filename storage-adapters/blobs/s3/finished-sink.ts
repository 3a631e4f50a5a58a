import { refuse } from '../../../src/oci/errors.ts';
import type { Sink } from '../writer.ts';
import { dropUpload } from './drop-upload.ts';
import { translate } from './errors.ts';
import type { UploadContext } from './upload-sink.ts';

/** An upload whose parts were joined by a process that ended before it could say so: only `commit` is left. */
export class FinishedSink implements Sink {
  readonly #context: UploadContext;
  readonly #key: string;
  readonly #state: string;

  constructor(context: UploadContext, key: string, state: string) {
    this.#context = context;
    this.#key = key;
    this.#state = state;
  }

  take(): undefined {
    throw refuse(
      'upload-unknown',
      'This upload was finished before and takes no more bytes.',
      'Start the upload again: push once more.',
    );
  }

  async flush(): Promise<void> {}

  async checkpoint(): Promise<string> {
    return this.#state;
  }

  async commit(): Promise<void> {
    const { bucket, keys } = this.#context;
    await bucket.deleteAll(keys.tails(this.#key)).catch(() => {});
  }

  interrupt(): void {}

  async free(): Promise<void> {}

  async remove(): Promise<void> {
    await dropUpload(this.#context, this.#key, undefined);
  }

  translate = translate;
}
