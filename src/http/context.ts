import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { Session } from '../auth/authenticator.ts';
import type { RepositoryPath } from '../oci/reference.ts';
import type { RegistryRequest } from './parse-request.ts';
import type { Services } from './services.ts';

/** One request on its way through a handler. */
export interface Context {
  readonly req: IncomingMessage;
  readonly res: Answer;
  readonly request: RegistryRequest;
  readonly session: Session;
  /** The request's name, parsed and checked; undefined for routes without one. */
  readonly path: RepositoryPath | undefined;
  readonly services: Services;
}

export type Handler = (context: Context & { path: RepositoryPath }) => Promise<void>;

export type Headers = Record<string, OutgoingHttpHeader>;

/** A response, and the id by which the log knows its request. */
export interface Answer extends ServerResponse {
  requestId: string;
}

export function withRequestId(res: ServerResponse, requestId: string): Answer {
  const answer = res as Answer;
  answer.requestId = requestId;
  return answer;
}

/**
 * Sends status and headers; `names and values` in turn where it is a list. All at once: a header that was
 * set before makes Node merge both, which costs more than all else that a short answer needs.
 */
export function sendHead(res: Answer, status: number, headers: Headers | string[]): Answer {
  if (Array.isArray(headers)) headers.push('X-Request-Id', res.requestId);
  else headers['X-Request-Id'] = res.requestId;
  return res.writeHead(status, headers);
}

/** Answers without a body. */
export function answer(res: Answer, status: number, headers: Headers): void {
  // RFC 9110, section 8.6: a 204 has no Content-Length.
  sendHead(res, status, status === 204 ? headers : { 'Content-Length': 0, ...headers }).end();
}

export function answerJson(
  res: Answer,
  status: number,
  body: unknown,
  headers: Headers = {},
): void {
  const text = JSON.stringify(body);
  sendHead(res, status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  }).end(text);
}

/** `Warning` header values of the distribution-spec ("Warnings"): 299, agent `-`, at most 4096 bytes. */
export function warningHeaders(texts: readonly string[]): Headers {
  if (texts.length === 0) return {};
  const values: string[] = [];
  let total = 0;
  for (const text of texts) {
    const value = `299 - "${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, "'")}"`;
    total += value.length;
    if (total > 4096) break;
    values.push(value);
  }
  return { Warning: values };
}
