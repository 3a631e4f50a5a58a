/** Requests to functions: by Host header, whatever the name resolves to. */
import { type Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface Asked {
  readonly method?: string;
  /** Name of the function, without a port. Absent: the origin's own. */
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Connections are kept and shared; unless given, each request has its own. */
  readonly agent?: Agent;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly bytes: Buffer;
  /** Milliseconds to the first byte of the answer, and to its end. */
  readonly firstByteMs: number;
  readonly totalMs: number;
}

/** Rejects where the connection breaks, or the answer is not whole. */
export function ask(origin: string, path: string, asked: Asked = {}): Promise<Answer> {
  const { method = 'GET', host, headers = {}, body, signal, timeoutMs = 60_000, agent } = asked;
  const url = new URL(path, origin);
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: url.hostname,
        port: url.port,
        path: `${url.pathname}${url.search}`,
        method,
        headers: {
          ...(host === undefined ? {} : { host: `${host}:${url.port}` }),
          ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
        agent: agent ?? false,
        timeout: timeoutMs,
        ...(signal ? { signal } : {}),
      },
      (response) => {
        const firstByteMs = performance.now() - begun;
        const parts: Buffer[] = [];
        response.on('data', (bytes: Buffer) => parts.push(bytes));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(parts);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: bytes.toString(),
            bytes,
            firstByteMs,
            totalMs: performance.now() - begun,
          });
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer in time`)));
    sent.on('error', reject);
    sent.end(body);
  });
}
