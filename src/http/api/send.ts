import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorInfo } from '../../oci/errors.ts';
import { hasBody } from '../body.ts';
import { endRefusal } from '../send-error.ts';
import { toApiError } from './errors.ts';
import type { Reply } from './route.ts';

/** Nothing of the API is for caches that others share, and nothing of it is a page. */
const common = {
  'Cache-Control': 'private, no-cache',
  'X-Content-Type-Options': 'nosniff',
} as const;

export function sendReply(res: ServerResponse, reply: Reply, json: string | undefined): void {
  const headers: Record<string, string | number> = { ...common, ...reply.headers };
  if (json !== undefined) {
    headers['Content-Type'] = 'application/json';
    headers['Content-Length'] = Buffer.byteLength(json);
  }
  res.writeHead(reply.status, headers).end(res.req.method === 'HEAD' ? undefined : json);
}

/** Where the answer has begun, all that is left is to cut the connection. */
export function sendApiError(req: IncomingMessage, res: ServerResponse, info: ErrorInfo): void {
  if (res.writableFinished) return;
  if (res.headersSent) return void res.destroy();
  const { status, body } = toApiError(info);
  const headers: Record<string, string> = {};
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer realm="gantry"';
  const after = info.detail?.retryAfter;
  if (status === 429 || status === 503) headers['Retry-After'] = String(after ?? 5);
  const json = JSON.stringify(body);
  if (req.complete || !hasBody(req)) {
    sendReply(res, { status, headers }, json);
    return;
  }
  // What was not read of a body is not waited for.
  const head = { ...common, ...headers, Connection: 'close', 'Content-Type': 'application/json' };
  res.writeHead(status, { ...head, 'Content-Length': Buffer.byteLength(json) });
  endRefusal(req, res, json);
}
