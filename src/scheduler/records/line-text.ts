/** Bytes of a line that are kept. */
export const mostLineBytes = 16 << 10;

/** A line as it is kept: not longer than `mostLineBytes`, with a mark where it was cut, and without NUL. */
export function lineText(text: string): string {
  const clean = text.replace(/\r$/, '').replaceAll('\u0000', '\ufffd');
  if (clean.length * 3 <= mostLineBytes) return clean;
  const bytes = Buffer.from(clean);
  if (bytes.length <= mostLineBytes) return clean;
  // The last character may be cut in two.
  const kept = bytes
    .subarray(0, mostLineBytes)
    .toString()
    .replace(/\ufffd{1,3}$/, '');
  return `${kept} … [cut: the line has ${bytes.length} bytes]`;
}
