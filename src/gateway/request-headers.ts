/** Of one connection alone: RFC 9110 7.6.1, and what older programs put there. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Said anew for the container, or dealt with here. */
const ours: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'expect',
  'x-real-ip',
  'forwarded',
]);

/** Who sent a request is for Gantry to say; a container believes these. */
const identity = ['x-forwarded', 'x-gantry-', 'x-vercel-', 'x-fc-', 'proxy-'] as const;

export function isHopByHop(name: string): boolean {
  return hopByHop.has(name) || name.startsWith('proxy-');
}

/** Names in a Connection header, in lower case; undefined: none beside the usual two. */
export function connectionTokens(value: string | undefined): ReadonlySet<string> | undefined {
  if (value === undefined) return undefined;
  const tokens = value.toLowerCase();
  if (tokens === 'keep-alive' || tokens === 'close') return undefined;
  return new Set(tokens.split(',').map((token) => token.trim()));
}

/**
 * What of the client's headers goes to the container, as pairs in one list: nothing of the connection, and
 * nothing that says who the client is. CGI and its heirs read `_` as `-`, so both are looked at.
 */
export function cleanRequestHeaders(
  raw: readonly string[],
  connection: string | undefined,
  isReservedCookie: (name: string) => boolean,
): string[] {
  const named = connectionTokens(connection);
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    const plain = name.includes('_') ? name.replaceAll('_', '-') : name;
    if (hopByHop.has(plain) || ours.has(plain) || isIdentity(plain) || named?.has(name)) continue;
    let value = raw[at + 1]!;
    if (name === 'cookie') {
      value = withoutCookies(value, isReservedCookie);
      if (value === '') continue;
    }
    kept.push(name, value);
  }
  return kept;
}

function isIdentity(name: string): boolean {
  const first = name.charCodeAt(0);
  // x and p.
  if (first !== 120 && first !== 112) return false;
  return identity.some((prefix) => name.startsWith(prefix));
}

/** A Cookie header without the cookies that are Gantry's own. */
export function withoutCookies(header: string, isReserved: (name: string) => boolean): string {
  const pairs = header.split(';');
  const kept = pairs.filter((pair) => !isReserved(cookieName(pair)));
  return kept.length === pairs.length ? header : kept.join(';').trim();
}

/** Of `name=value` or `name=value; Path=…`. */
export function cookieName(pair: string): string {
  const end = pair.search(/[=;]/);
  return (end < 0 ? pair : pair.slice(0, end)).trim();
}
