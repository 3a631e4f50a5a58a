/** A span of bytes, both ends inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * A `Range` header against a body of `size` bytes (RFC 9110, section 14).
 * 'ignore': not a bytes range, malformed, or several ranges: the whole body is a right answer.
 * 'unsatisfiable': starts past the end, or ends before it starts (which may be rejected, section 14.2).
 */
export function parseRange(header: string, size: number): ByteRange | 'ignore' | 'unsatisfiable' {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(header.trim());
  if (!match) return 'ignore';
  const [, first, last] = match as unknown as [string, string, string];
  if (first === '') {
    if (last === '') return 'ignore';
    const length = Number(last);
    if (length === 0 || size === 0) return 'unsatisfiable';
    return { start: Math.max(0, size - length), end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (start >= size || (last !== '' && Number(last) < start)) return 'unsatisfiable';
  return { start, end };
}

/**
 * A chunk's `Content-Range`: `<start>-<end>` as the distribution-spec has it ("Pushing a blob in chunks"),
 * or `bytes <start>-<end>/<size|*>` as HTTP has it and some clients send.
 */
export function parseContentRange(header: string): ByteRange | undefined {
  const match = /^(?:bytes\s+)?(\d{1,16})-(\d{1,16})(?:\/(?:\d+|\*))?$/.exec(header.trim());
  if (!match) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2]);
  return end < start ? undefined : { start, end };
}
