import { buffer } from 'node:stream/consumers';
import { RegistryError } from '../../../src/oci/errors.ts';
import { isMissing } from './errors.ts';
import type { S3State } from './state.ts';
import type { Resumed, UploadContext } from './upload-sink.ts';

/**
 * Finds what `state` names. `finished` where the blob is whole under its name already: the process that
 * joined the parts ended before it could say so. Rejects with kind `upload-unknown` where bytes are gone.
 */
export async function findUpload(
  context: UploadContext,
  key: string,
  state: S3State,
): Promise<Resumed | 'finished'> {
  const { bucket, keys } = context;
  const { offset, partSize, upload } = state;
  const held = upload === undefined ? undefined : await bucket.parts(keys.blob(key), upload);
  // An upload that is gone is named no more: a new one is begun when it is needed.
  const { upload: _, ...unnamed } = state;
  const present = held ? state : unnamed;
  if (offset === 0) return { state: present, parts: [], rest: Buffer.alloc(0) };
  if (state.whole) {
    const rest = await read(context, keys.blob(key), offset);
    return { state: present, parts: [], rest };
  }
  if (!held) {
    if ((await bucket.size(keys.blob(key))) === offset) return 'finished';
    throw uploadGone();
  }
  const count = Math.floor(offset / partSize);
  const parts = held.filter((part) => part.PartNumber <= count);
  if (parts.length !== count || parts.some((part) => part.size !== partSize)) throw uploadGone();
  const length = offset % partSize;
  if (length === 0) return { state, parts, rest: Buffer.alloc(0) };
  if (state.tail === undefined) throw uploadGone();
  return { state, parts, rest: await read(context, keys.tail(key, state.tail), length) };
}

/** The first `length` bytes of an object; rejects with `upload-unknown` where it has fewer. */
async function read({ bucket }: UploadContext, name: string, length: number): Promise<Buffer> {
  const found = await bucket.get(name, `bytes=0-${length - 1}`).catch((error: unknown) => {
    throw isMissing(error) ? uploadGone(error) : error;
  });
  const bytes = await buffer(found.body);
  if (bytes.length !== length) throw uploadGone();
  return bytes;
}

export function uploadGone(cause?: unknown): RegistryError {
  return new RegistryError(
    {
      kind: 'upload-unknown',
      message: 'The bytes of this upload are no longer there.',
      hint: 'Start the upload again: push once more.',
    },
    { cause },
  );
}
