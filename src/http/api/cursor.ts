import { createHmac, timingSafeEqual } from 'node:crypto';
import { refuse } from '../../oci/errors.ts';

const macBytes = 16;

interface CursorKey {
  /** 32 bytes. */
  readonly bytes: Buffer;
}

/** Signed places in a list: a client can hand one back, and cannot make one up. */
export class Cursors {
  readonly #keys: Iterable<CursorKey>;

  /** The first signs, all verify. */
  constructor(keys: Iterable<CursorKey>) {
    this.#keys = keys;
  }

  /** `scope` names the list (and its order), so that a cursor is good for that list alone. */
  sign(scope: string, after: readonly (string | number)[]): string {
    const payload = Buffer.from(JSON.stringify(after));
    const [key] = this.#keys;
    return Buffer.concat([mac(key!, scope, payload), payload]).toString('base64url');
  }

  /** The place that a cursor stands for; undefined for none. Throws `invalid`. */
  read(scope: string, cursor: unknown): (string | number)[] | undefined {
    if (cursor === undefined) return undefined;
    const bytes = Buffer.from(String(cursor), 'base64url');
    const payload = bytes.subarray(macBytes);
    const given = bytes.subarray(0, macBytes);
    const isOurs = [...this.#keys].some(
      (key) => bytes.length > macBytes && timingSafeEqual(given, mac(key, scope, payload)),
    );
    if (isOurs) {
      return JSON.parse(payload.toString()) as (string | number)[];
    }
    throw refuse(
      'invalid',
      'The cursor is not one that this list gave out.',
      'Begin without a cursor, and hand back "next" of each page unchanged.',
    );
  }

  /** A page of at most `limit` of `items`, of which one more was asked for. */
  page<T>(
    scope: string,
    items: readonly T[],
    limit: number,
    place: (item: T) => readonly (string | number)[],
  ): { items: readonly T[]; next: string | null } {
    const shown = items.slice(0, limit);
    const last = shown.at(-1);
    const more = items.length > limit && last !== undefined;
    return { items: shown, next: more ? this.sign(scope, place(last)) : null };
  }
}

function mac(key: CursorKey, scope: string, payload: Buffer): Buffer {
  return createHmac('sha256', key.bytes)
    .update(`${scope}\n`)
    .update(payload)
    .digest()
    .subarray(0, macBytes);
}
