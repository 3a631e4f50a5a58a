import { refuse } from '../../src/oci/errors.ts';

const pattern =
  /^[a-z]{1,16}_(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/** True for a prefixed UUID, with dashes or without: the ids that uploads have. */
export function isKey(name: string): boolean {
  return pattern.test(name);
}

/** Throws kind `internal` where `key` is none of ours: no other text may become part of a path. */
export function checkKey(key: string): string {
  if (!isKey(key)) throw refuse('internal', 'The storage key is malformed.', undefined, { key });
  return key;
}
