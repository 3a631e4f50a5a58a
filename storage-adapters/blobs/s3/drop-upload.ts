import type { Bucket } from './bucket.ts';
import type { S3Keys } from './keys.ts';

/**
 * Removes all that an unfinished upload may have left: the multipart upload that its state names, one
 * that was begun when a crash came before its id was recorded, tails, and an object under its name.
 */
export async function dropUpload(
  { bucket, keys }: { readonly bucket: Bucket; readonly keys: S3Keys },
  key: string,
  upload: string | undefined,
): Promise<void> {
  const name = keys.blob(key);
  if (upload !== undefined) await bucket.abortUpload(name, upload);
  await Promise.all([
    bucket.abortUploads(name),
    bucket.deleteAll(keys.tails(key)),
    bucket.delete(name),
  ]);
}
