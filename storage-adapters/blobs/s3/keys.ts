import { checkKey } from '../keys.ts';

/**
 * Where bytes lie in the bucket, `<prefix>/` being empty where none is set:
 *
 *   <prefix>/
 *     upl_019a3c5e-7f21-7b60-9d43-5f0c86a1e24b           a blob, or the multipart upload that becomes it
 *     tails/
 *       upl_019a3c5e-7f21-7b60-9d43-5f0c86a1e24b.<uuid>  the bytes of an upload past its last whole part
 *
 * A blob is uploaded to the name where it stays: nothing is ever copied. S3 takes no part under 5 MiB
 * before the last and shows no part of an unfinished upload. So between two chunks the bytes short of a
 * part lie in a tail, named in the upload's state; before the first part they lie under the blob's own
 * name, where they may be all that there will be. A tail is never overwritten: the recorded state may
 * still name the one before. All of an upload's tails go when it is finished or dropped.
 */
export interface S3Keys {
  readonly blob: (key: string) => string;
  readonly tail: (key: string, id: string) => string;
  /** What all tails of `key` begin with. */
  readonly tails: (key: string) => string;
  /** What all blobs begin with. */
  readonly root: string;
}

export function s3Keys(prefix: string): S3Keys {
  const trimmed = prefix.replace(/^\/+|\/+$/g, '');
  const root = trimmed === '' ? '' : `${trimmed}/`;
  const tails = (key: string) => `${root}tails/${checkKey(key)}.`;
  return {
    blob: (key) => `${root}${checkKey(key)}`,
    tail: (key, id) => `${tails(key)}${id}`,
    tails,
    root,
  };
}
