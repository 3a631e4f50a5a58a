/** JSON from strangers: what came of it, or what is wrong with it, for use after "the manifest …". */
export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const quote = 0x22;
const backslash = 0x5c;

/**
 * Parses UTF-8 JSON (RFC 8259) whose arrays and objects nest at most `maxDepth` deep. The depth is
 * counted on the bytes, so that a deep document never reaches a recursive parser. The size is the
 * caller's to bound. Never throws.
 */
export function parseBoundedJson(bytes: Uint8Array, maxDepth: number): JsonResult {
  if (isDeeperThan(bytes, maxDepth)) {
    return { ok: false, problem: `nests deeper than ${maxDepth} levels` };
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return { ok: false, problem: 'is not valid UTF-8' };
  }
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false, problem: 'is not valid JSON' };
  }
}

export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Opening brackets outside of strings; right for valid JSON, and for anything else the parser fails later. */
export function isDeeperThan(bytes: Uint8Array, maxDepth: number): boolean {
  let depth = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === quote) {
      i = endOfString(bytes, i);
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxDepth) return true;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
    }
  }
  return false;
}

/** Index of the quote that ends the string which starts at `start`, or the length where none does. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let i = start + 1; i < bytes.length; i++) {
    if (bytes[i] === quote) return i;
    if (bytes[i] === backslash) i++;
  }
  return bytes.length;
}
