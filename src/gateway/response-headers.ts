import { connectionTokens, cookieName, isHopByHop } from './request-headers.ts';

/** What an answer's headers are held to. */
export interface AnswerPlace {
  /** Below `/run/`: what is put before paths. */
  readonly prefix: string | undefined;
  /** A name under the functions domain: its cookies are for itself alone. */
  readonly shared: boolean;
  readonly isReservedCookie: (name: string) => boolean;
}

/**
 * On the registry's own origin, pages of functions are of no origin: they reach nothing with the visitor's
 * session. The browser takes all policies of an answer together, so a function can only tighten it.
 */
export const sandbox =
  'sandbox allow-downloads allow-forms allow-modals allow-orientation-lock allow-pointer-lock allow-popups allow-presentation allow-scripts allow-top-navigation-by-user-activation';

/** What would change how browsers treat the whole origin, which is the registry's. */
const ofTheOrigin: ReadonlySet<string> = new Set([
  'accept-ch',
  'alt-svc',
  'clear-site-data',
  'critical-ch',
  'nel',
  'origin-agent-cluster',
  'public-key-pins',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'set-login',
  'strict-transport-security',
  'use-as-dictionary',
  'www-authenticate',
]);

/**
 * What of a container's headers goes to the client, as pairs in one list, followed by `added` (lower-case
 * names), which a container cannot send itself.
 */
export function cleanResponseHeaders(
  raw: readonly Buffer[] | readonly string[],
  status: number,
  place: AnswerPlace,
  added: Readonly<Record<string, string>>,
): string[] {
  const kept: string[] = [];
  let named: ReadonlySet<string> | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    const given = textOf(raw[at]!);
    const name = given.toLowerCase();
    const value = textOf(raw[at + 1]!);
    if (isHopByHop(name)) {
      if (name === 'connection') named = union(named, connectionTokens(value));
      // Of the body, as trailers are sent on.
      if (name !== 'trailer') continue;
    }
    if (name.startsWith('x-gantry-') || name in added) continue;
    // RFC 9110 8.6: no length where there can be no content.
    if (name === 'content-length' && status === 204) continue;
    if (place.prefix !== undefined && ofTheOrigin.has(name)) continue;
    if (name === 'set-cookie') {
      const cookie = confineCookie(value, place);
      if (cookie !== undefined) kept.push(given, cookie);
    } else if (name === 'location' && place.prefix !== undefined) {
      kept.push(given, confinePath(value, place.prefix));
    } else {
      kept.push(given, value);
    }
  }
  const all = named ? without(kept, named) : kept;
  if (place.prefix !== undefined) all.push('content-security-policy', sandbox);
  for (const name in added) all.push(name, added[name]!);
  return all;
}

/** One of the container's trailers, or of its 1xx answers: nothing that means the connection or Gantry. */
export function cleanFields(raw: readonly Buffer[] | readonly string[]): [string, string][] {
  const kept: [string, string][] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = textOf(raw[at]!).toLowerCase();
    const never = name === 'content-length' || name === 'set-cookie' || name === 'trailer';
    if (isHopByHop(name) || never || name.startsWith('x-gantry-')) continue;
    kept.push([name, textOf(raw[at + 1]!)]);
  }
  return kept;
}

function textOf(value: Buffer | string): string {
  return typeof value === 'string' ? value : value.toString('latin1');
}

function union(
  one: ReadonlySet<string> | undefined,
  other: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  return one && other ? new Set([...one, ...other]) : (one ?? other);
}

/** A function that names its own headers in Connection means them for the hop. */
function without(pairs: readonly string[], named: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let at = 0; at < pairs.length; at += 2) {
    const name = pairs[at]!.toLowerCase();
    // Without it the answer's end would be told by another length than the container's.
    if (name === 'content-length' || !named.has(name)) kept.push(pairs[at]!, pairs[at + 1]!);
  }
  return kept;
}

/** Undefined: the cookie is not sent at all. */
function confineCookie(cookie: string, place: AnswerPlace): string | undefined {
  const name = cookieName(cookie);
  // A cookie without a name is sent back as its value alone, which may look like one with a name.
  if (name === '' || place.isReservedCookie(name)) return undefined;
  if (place.prefix === undefined && !place.shared) return cookie;
  const [pair, ...attributes] = cookie.split(';');
  let path: string | undefined;
  const kept = attributes.filter((attribute) => {
    const [key = '', value = ''] = attribute.split('=', 2);
    switch (key.trim().toLowerCase()) {
      case 'domain':
        return false;
      case 'path':
        path = value.trim();
        return place.prefix === undefined;
      default:
        return true;
    }
  });
  if (place.prefix === undefined) return [pair, ...kept].join(';');
  // The browser takes a path that does not begin with a slash for none.
  const given = path?.startsWith('/') ? path : '/';
  return [pair, ...kept, ` Path=${below(place.prefix, given)}`].join(';');
}

/** A Location: what is a path of the host for the container is below the prefix for the client. */
function confinePath(location: string, prefix: string): string {
  return location.startsWith('/') && !/^\/[/\\]/.test(location)
    ? below(prefix, location)
    : location;
}

function below(prefix: string, path: string): string {
  return path === prefix || path.startsWith(`${prefix}/`) ? path : `${prefix}${path}`;
}
