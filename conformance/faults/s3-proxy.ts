/** A proxy between a blob store and an S3 server that breaks requests as it is told. */
import { once } from 'node:events';
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';
import { operationOf, type S3Operation } from './s3-operation.ts';

export type Fault =
  /** An error in S3's form, without asking the server: 503 SlowDown, 507 QuotaExceeded … */
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string }
  /** Never answers, and never asks the server. */
  | { readonly kind: 'hang' }
  /** Closes the connection after that many bytes of the body; the server gets no more than these. */
  | { readonly kind: 'cut'; readonly after: number }
  /** Flips a bit of the body's first byte on its way to the server. */
  | { readonly kind: 'corrupt' }
  /** The server does its work; its answer never comes, the connection closes. */
  | { readonly kind: 'lose answer' }
  /** The answer ends, by a closed connection, after that many bytes of its body. */
  | { readonly kind: 'truncate answer'; readonly after: number }
  /** The answer goes silent after that many bytes of its body. */
  | { readonly kind: 'stall answer'; readonly after: number };

export interface Rule {
  readonly on: S3Operation;
  /** Part of the request's path, where only some objects are meant. */
  readonly path?: string;
  readonly fault: Fault;
  /** How often; each time without it. */
  readonly times?: number;
}

export interface Seen {
  readonly operation: S3Operation;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly fault: Fault['kind'] | undefined;
}

export interface S3Proxy {
  readonly endpoint: string;
  /** The requests so far, in the order in which they came. */
  readonly seen: readonly Seen[];
  /** The most requests of that operation that were open at once. */
  mostAtOnce(operation: S3Operation): number;
  /** Resolves when a request comes that is broken in that way. */
  struck(kind: Fault['kind']): Promise<void>;
  /** Breaks what matches, until `heal` or as often as the rule says. The first rule that matches acts. */
  break(...rules: Rule[]): void;
  heal(): void;
  close(): Promise<void>;
}

export const slowDown: Fault = { kind: 'refuse', status: 503, code: 'SlowDown' };

/** `upstream` is the server's URL without a path. The Host header stays the client's: it is signed. */
export async function startS3Proxy(upstream: string): Promise<S3Proxy> {
  const { hostname, port } = new URL(upstream);
  const agent = new Agent({ keepAlive: true });
  const seen: Seen[] = [];
  const open = new Map<S3Operation, number>();
  const most = new Map<S3Operation, number>();
  const waiting: { kind: Fault['kind']; resolve: () => void }[] = [];
  let rules: { rule: Rule; left: number }[] = [];

  const faultFor = (operation: S3Operation, path: string): Fault | undefined => {
    const found = rules.find(
      ({ rule, left }) => left > 0 && rule.on === operation && path.includes(rule.path ?? ''),
    );
    if (!found) return undefined;
    found.left -= 1;
    const { fault } = found.rule;
    for (const waiter of waiting) if (waiter.kind === fault.kind) waiter.resolve();
    return fault;
  };

  const count = (operation: S3Operation, by: number) => {
    const now = (open.get(operation) ?? 0) + by;
    open.set(operation, now);
    most.set(operation, Math.max(now, most.get(operation) ?? 0));
  };

  const server = createServer((message, answer) => {
    const { method = '', url: path = '', headers } = message;
    const operation = operationOf(method, path);
    const fault = faultFor(operation, path);
    seen.push({ operation, path, headers, fault: fault?.kind });
    count(operation, 1);
    answer.on('close', () => count(operation, -1));
    message.on('error', () => {});
    answer.on('error', () => {});
    if (fault?.kind === 'hang') return void message.resume();
    if (fault?.kind === 'refuse') return refuse(message, answer, fault.status, fault.code);
    const forwarded = httpRequest({ hostname, port, method, path, headers, agent });
    forwarded.on('error', () => answer.destroy());
    answer.on('close', () => forwarded.destroy());
    forwarded.on('response', (reply) => relay(reply, answer, fault));
    const body = alter(message, fault, () => answer.destroy());
    body.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    mostAtOnce: (operation) => most.get(operation) ?? 0,
    struck(kind) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ kind, resolve });
      return promise;
    },
    break: (...more) => {
      rules.push(...more.map((rule) => ({ rule, left: rule.times ?? Number.POSITIVE_INFINITY })));
    },
    heal: () => {
      rules = [];
    },
    close: async () => {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function refuse(message: IncomingMessage, answer: ServerResponse, status: number, code: string) {
  message.resume();
  message.on('end', () => {
    answer.writeHead(status, { 'content-type': 'application/xml' });
    answer.end(
      `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
    );
  });
}

/** The request's body on its way to the server. `cut` closes both connections. */
function alter(message: IncomingMessage, fault: Fault | undefined, cut: () => void) {
  if (fault?.kind !== 'cut' && fault?.kind !== 'corrupt') return message;
  let passed = 0;
  return message.pipe(
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        const first = passed === 0;
        passed += chunk.length;
        if (fault.kind === 'corrupt') {
          if (first) chunk[0] = chunk[0]! ^ 1;
          return done(null, chunk);
        }
        if (passed < fault.after) return done(null, chunk);
        cut();
      },
      flush: (done) => {
        if (fault.kind === 'cut') cut();
        else done();
      },
    }),
  );
}

function relay(reply: IncomingMessage, answer: ServerResponse, fault: Fault | undefined) {
  reply.on('error', () => answer.destroy());
  if (fault?.kind === 'lose answer') {
    reply.resume();
    reply.on('end', () => answer.destroy());
    return;
  }
  answer.writeHead(reply.statusCode ?? 502, reply.headers);
  if (fault?.kind !== 'truncate answer' && fault?.kind !== 'stall answer') {
    reply.pipe(answer);
    return;
  }
  let left = fault.after;
  reply.on('data', (chunk: Buffer) => {
    if (left <= 0) return;
    answer.write(chunk.subarray(0, left), () => {
      if (left <= 0 && fault.kind === 'truncate answer') answer.destroy();
    });
    left -= chunk.length;
  });
}
