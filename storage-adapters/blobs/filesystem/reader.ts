import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { RegistryError } from '../../../src/oci/errors.ts';
import { passed } from '../young-garbage.ts';
import { translate } from './errors.ts';

/** Bytes of one read: 64 KiB, the default of Node's streams, gives a third of the throughput. */
const readBytes = 1 << 20;

/**
 * Streams bytes `start` to `end`, inclusive, of `file`, and closes it at the end, on failure and when
 * destroyed. A file that ends before `end` is a failure: a short body must not pass for the blob.
 */
export function readFileRange(file: FileHandle, start: number, end: number): Readable {
  let position = start;
  const stream = new Readable({
    highWaterMark: readBytes,
    read() {
      const length = Math.min(readBytes, end + 1 - position);
      if (length <= 0) {
        this.push(null);
        return;
      }
      // Not from the pool and never reused: the socket may hold the buffer after the next read.
      file.read(Buffer.allocUnsafeSlow(length), 0, length, position).then(
        ({ bytesRead, buffer }) => {
          if (bytesRead === 0) {
            this.destroy(tooShort(position, end));
            return;
          }
          position += bytesRead;
          passed(bytesRead);
          this.push(bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead));
        },
        (error) => this.destroy(translate(error)),
      );
    },
    destroy(error, done) {
      file.close().then(
        () => done(error),
        (closeError) => done(error ?? translate(closeError)),
      );
    },
  });
  return stream;
}

function tooShort(position: number, end: number): RegistryError {
  return new RegistryError({
    kind: 'unavailable',
    message: `The stored file ends at byte ${position}, before byte ${end} that was asked for.`,
    hint: 'The file was damaged outside of the registry: restore it from a backup or push it again.',
  });
}
