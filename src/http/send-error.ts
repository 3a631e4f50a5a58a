import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorInfo } from '../oci/errors.ts';
import { awaitingContinue, contentLength } from './body.ts';
import type { Answer } from './context.ts';
import { toErrorResponse } from './errors.ts';
import type { Services } from './services.ts';

/** How long a client may go on sending a body that was refused, so that it can read the answer. */
const lingerMs = 2_000;

/**
 * Bytes. A refused body that is no longer is read before the answer: nginx tells a client that is answered earlier to
 * keep its connection, and closes it.
 */
const readFirst = 8 * 1024 * 1024;

/**
 * Answers with the spec's error JSON. Where the answer has begun, all that is left is to cut the
 * connection; where the body was not read to its end, the connection closes after the answer.
 */
export function sendError(req: IncomingMessage, res: Answer, info: ErrorInfo): void {
  const { status, body } = toErrorResponse(info);
  if (res.headersSent || res.destroyed) {
    // Nobody hears of it; the log and the metrics still tell it from an answer that went well.
    if (!res.headersSent) res.statusCode = status;
    res.destroy();
    return;
  }
  res.setHeader('X-Request-Id', res.requestId);
  res.setHeader('Content-Type', 'application/json');
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.setHeader('X-Content-Type-Options', 'nosniff');
  if (status === 503) res.setHeader('Retry-After', '5');
  if (status === 429) res.setHeader('Retry-After', String(info.detail?.retryAfter ?? 10));
  if (!req.complete) res.setHeader('Connection', 'close');
  res.writeHead(status);
  endRefusal(req, res, req.method === 'HEAD' ? '' : body);
}

/** Ends an answer whose head is written, and that does not wait for the rest of the request's body. */
export function endRefusal(req: IncomingMessage, res: ServerResponse, text: string): void {
  if (req.complete) {
    res.end(text);
  } else if (awaitingContinue.delete(req) || res.statusCode === 408) {
    res.end(text);
    req.on('error', () => {});
    req.socket.end();
    setTimeout(() => req.socket.destroy(), 100).unref();
  } else {
    linger(req, res, text);
  }
}

/**
 * Reads on for a moment: a reset at once would take the answer away from a client that is still sending.
 * The answer is sent whole, but ended later: Node destroys the socket when a closing answer ends.
 */
function linger(req: IncomingMessage, res: ServerResponse, text: string): void {
  req.on('error', () => {});
  const answer = () => {
    if (req.complete) {
      res.end(text);
      return;
    }
    if (text === '') res.flushHeaders();
    else res.write(text);
    readOn(req, () => res.end());
  };
  if ((contentLength(req) ?? Number.POSITIVE_INFINITY) <= readFirst) readOn(req, answer);
  else answer();
}

/** Until the body ends, its connection closes, or `lingerMs` have passed. */
function readOn(req: IncomingMessage, then: () => void): void {
  const done = () => {
    clearTimeout(timer);
    req.off('end', done).off('close', done);
    then();
  };
  const timer = setTimeout(done, lingerMs);
  timer.unref();
  req.once('end', done).once('close', done).resume();
}

/** Says where to get a token, at the host and scheme that the client itself used: some refuse any other. */
export function challenge(
  req: IncomingMessage,
  res: ServerResponse,
  services: Pick<Services, 'origins'>,
  scope: string | undefined,
  sentCredentials: boolean,
): void {
  let origin: { url: string; host: string };
  try {
    origin = services.origins.of(req);
  } catch {
    return;
  }
  const parts = [`realm="${origin.url}/token"`, `service="${origin.host}"`];
  // A name that is not plain is no repository's, and must not break out of the quotes.
  if (scope !== undefined && /^[a-z0-9._/:,* -]+$/.test(scope)) parts.push(`scope="${scope}"`);
  if (sentCredentials) {
    parts.push(`error="${scope === undefined ? 'invalid_token' : 'insufficient_scope'}"`);
  }
  res.setHeader('WWW-Authenticate', `Bearer ${parts.join(',')}`);
  res.setHeader('Docker-Distribution-API-Version', 'registry/2.0');
}
