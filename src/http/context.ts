import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { Session } from '../auth/authenticator.ts';
import type { RepositoryPath } from '../oci/reference.ts';
import type { RegistryRequest } from './parse-request.ts';
import type { Services } from './services.ts';

/** One request on its way through a handler. */
export interface Context {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly request: RegistryRequest;
  readonly session: Session;
  /** The request's name, parsed and checked; undefined for routes without one. */
  readonly path: RepositoryPath | undefined;
  readonly services: Services;
}

export type Handler = (context: Context & { path: RepositoryPath }) => Promise<void>;

export type Headers = Record<string, OutgoingHttpHeader>;

/** Answers without a body. */
export function answer(res: ServerResponse, status: number, headers: Headers): void {
  res.writeHead(status, { 'Content-Length': 0, ...headers });
  res.end();
}

export function answerJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Headers = {},
): void {
  const text = JSON.stringify(body);
  res.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  });
  res.end(text);
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
