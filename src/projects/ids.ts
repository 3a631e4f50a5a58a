import { randomUUIDv7 } from 'node:crypto';

/** What an id is of, as its prefix tells people who see one in a log. */
export type IdPrefix =
  | 'acc'
  | 'att'
  | 'aud'
  | 'col'
  | 'dlv'
  | 'dpl'
  | 'evt'
  | 'ins'
  | 'inv'
  | 'itk'
  | 'key'
  | 'log'
  | 'mtr'
  | 'pol'
  | 'prj'
  | 'ref'
  | 'rep'
  | 'repo'
  | 'req'
  | 'sbx'
  | 'scr'
  | 'sec'
  | 'ses'
  | 'svc'
  | 'team'
  | 'tok'
  | 'upl'
  | 'vol'
  | 'whk';

/**
 * A new id: prefix, `_` and a UUIDv7 (RFC 9562) in 32 hex digits, such as
 * `team_019a3c5e7f217b609d435f0c86a1e24b`. Ids sort by their age, to the millisecond.
 */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${randomUUIDv7().replaceAll('-', '')}`;
}

/** Whether `text` has the shape of an id of that kind. */
export function isId(text: string, prefix: IdPrefix): boolean {
  return text.startsWith(`${prefix}_`) && /^[0-9a-f]{32}$/.test(text.slice(prefix.length + 1));
}
