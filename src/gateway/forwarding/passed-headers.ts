import type { IncomingMessage } from 'node:http';
import { malformed, unsupportedCoding } from '../refusal.ts';
import { hasBody } from '../request-body.ts';
import { connectionTokens, isHopByHop } from '../request-headers.ts';

/** What the next process is told of the client: a header of ours, and its value. */
export type ToldHeader = readonly [name: string, value: string];

/** The target of a request, also where a router has cut it. */
export function targetOf(req: IncomingMessage): string {
  return (req as { originalUrl?: string }).originalUrl ?? req.url ?? '/';
}

/** Methods that have a body as a rule: one without a body says so. */
const bodied: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/**
 * The head of a request as the next process is to get it: as it came, but for what is of the connection alone.
 * Pairs in one list. Throws `GatewayError` where it could not be passed on as it is.
 */
export function passedRequestHeaders(req: IncomingMessage, told: ToldHeader): string[] {
  const coding = req.headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    throw unsupportedCoding(coding);
  }
  const kept = withoutHops(req.rawHeaders, req.headers.connection);
  let hosts = 0;
  for (let at = 0; at < kept.length; at += 2) if (/^host$/i.test(kept[at]!)) hosts++;
  if (hosts !== 1) throw malformed('The request has no Host header, or more than one.');
  if (req.headers.te?.includes('trailers')) kept.push('te', 'trailers');
  if (coding !== undefined) kept.push('transfer-encoding', 'chunked');
  else if (!hasBody(req) && bodied.has(req.method!) && req.headers['content-length'] === undefined)
    kept.push('content-length', '0');
  kept.push(...told);
  return kept;
}

/** The head of the answer for the client, as pairs in one list. */
export function passedAnswerHeaders(answer: IncomingMessage): string[] {
  return withoutHops(answer.rawHeaders, answer.headers.connection);
}

function withoutHops(raw: readonly string[], connection: string | undefined): string[] {
  const named = connectionTokens(connection);
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    // Of the body's end, as trailers are sent on.
    if (isHopByHop(name) && name !== 'trailer') continue;
    if (named?.has(name) && !isKept(name)) continue;
    kept.push(raw[at]!, raw[at + 1]!);
  }
  return kept;
}

/** Who names these as the connection's own would change whose request it is, or where it ends. */
function isKept(name: string): boolean {
  return name === 'host' || name === 'content-length' || name.startsWith('x-forwarded-');
}
