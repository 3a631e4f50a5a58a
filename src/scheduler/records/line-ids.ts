import { randomBytes } from 'node:crypto';

/**
 * Makes ids `log_…` (UUIDv7 in 32 hex digits) that grow with each call: a follower goes on behind one of
 * them, so none may come later and be less. Within a millisecond they count; past 4096, or where the clock
 * goes back, they run ahead of it.
 */
export function lineIds(now: () => number): () => string {
  let last = 0;
  let count = 0;
  return () => {
    const at = Math.floor(now());
    if (at > last) [last, count] = [at, 0];
    else if (++count > 0xfff) [last, count] = [last + 1, 0];
    const random = randomBytes(8);
    // The variant of RFC 9562.
    random[0] = (random[0]! & 0x3f) | 0x80;
    const time = last.toString(16).padStart(12, '0');
    return `log_${time}7${count.toString(16).padStart(3, '0')}${random.toString('hex')}`;
  };
}
