import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Refusal } from './refusal.ts';
import { awaitsContinue, endUnread, hasBody } from './request-body.ts';
import { sandbox } from './response-headers.ts';

/** `sandboxed`: below `/run/`. */
export function writeRefusal(
  req: IncomingMessage,
  res: ServerResponse,
  { status, headers, body, code }: Refusal,
  { id, sandboxed }: { id: string; sandboxed: boolean },
): void {
  for (const name in headers) res.setHeader(name, headers[name]!);
  res.setHeader('x-gantry-id', id);
  res.setHeader('cache-control', 'no-store');
  res.setHeader('content-length', Buffer.byteLength(body));
  if (sandboxed) res.setHeader('content-security-policy', sandbox);
  const unread = hasBody(req) && (!req.complete || awaitsContinue(req));
  // A server that stops cuts its connections next: none is to be used again.
  if (unread || code === 'STOPPING') res.setHeader('connection', 'close');
  res.writeHead(status);
  if (req.method === 'HEAD') res.flushHeaders();
  else res.write(body);
  endUnread(req, res);
}
