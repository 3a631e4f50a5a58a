import { Agent, request } from 'node:http';

export interface Asked {
  readonly method: string;
  /** Path and query, sent as they are. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  /** The answer has no end: its head is all that is looked at. */
  readonly stream?: boolean | undefined;
}

export interface Answered {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const within = 20_000;

/** Plain HTTP/1.1 with any method, no redirects, no checks. */
export class Asker {
  readonly #origin: URL;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  constructor(origin: string) {
    this.#origin = new URL(origin);
  }

  close(): void {
    this.#agent.destroy();
  }

  ask({ method, target, headers = {}, body, stream = false }: Asked): Promise<Answered> {
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    const length =
      body !== undefined
        ? { 'content-length': String(Buffer.byteLength(body)) }
        : method === 'GET' || method === 'HEAD'
          ? {}
          : { 'content-length': '0' };
    const outgoing = request({
      ...{ method, path: target, agent: this.#agent, timeout: within },
      ...{ host: this.#origin.hostname, port: this.#origin.port },
      headers: { ...length, ...headers },
    });
    outgoing.on('response', (incoming) => {
      const head = { status: incoming.statusCode!, headers: flat(incoming.headers) };
      if (stream && incoming.statusCode === 200) {
        incoming.on('error', () => {});
        outgoing.destroy();
        resolve({ ...head, body: '' });
        return;
      }
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => resolve({ ...head, body: Buffer.concat(chunks).toString() }));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${target}: no answer`)));
    outgoing.on('error', reject);
    outgoing.end(body);
    return promise;
  }
}

function flat(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
