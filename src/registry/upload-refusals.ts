import type { Digest } from '../oci/digest.ts';
import { type RegistryError, refuse } from '../oci/errors.ts';
import type { ByteRange } from '../oci/range.ts';

const goOn = 'Ask for the status (GET on the upload URL) and go on from there.';

/** Throws where the chunk does not start where the upload stands. */
export function checkRange(range: ByteRange | undefined, offset: number): void {
  if (range && range.start !== offset) {
    throw refuse(
      'range-not-satisfiable',
      `The chunk starts at ${range.start}, and the upload stands at ${offset}: chunks come in order.`,
      goOn,
      { offset },
    );
  }
}

export function shortChunk(promised: number, came: number): RegistryError {
  return refuse(
    'size-invalid',
    `Content-Range promised ${promised} bytes, and ${came} came.`,
    goOn,
  );
}

export function digestMismatch(expected: Digest, received: Digest): RegistryError {
  return refuse(
    'digest-mismatch',
    `The bytes that came hash to ${received}, not to ${expected}.`,
    'Push the blob again.',
    { expected, received },
  );
}

export function busyUpload(): RegistryError {
  return refuse(
    'upload-conflict',
    'Another request is writing to this upload.',
    `Wait for it. ${goOn}`,
  );
}

export function unknownUpload(): RegistryError {
  return refuse(
    'upload-unknown',
    'There is no such upload: it was finished, cancelled, has expired, or is not yours.',
    'Start the upload again.',
  );
}
