/** What the rows of functions share: the order of the bench, the engine by itself, Gantry by its gateway. */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Outcome } from '../bench.ts';
import type { EngineAlone } from './engine-alone.ts';

/** What the part inside the network is told. */
export interface Order {
  readonly socket: string;
  /** `http://127.0.0.1:<port>`, as seen inside. */
  readonly origin: string;
  readonly registry: string;
  readonly teamId: string;
  readonly teamSlug: string;
  readonly projectSlug: string;
  readonly token: string;
  readonly gantryPid: number;
  /** Repositories that hold an image each: see main.ts. */
  readonly repositories: Readonly<Record<RepositoryName, { readonly digest: string }>>;
  /** Names at which the gateway answers with them. */
  readonly hosts: Readonly<Record<RepositoryName, string>>;
  readonly only: readonly string[];
  readonly scale: FunctionsScale;
}

export type RepositoryName = 'cold' | 'burst' | 'frozen' | 'warm' | 'gzip' | 'zstd';

export interface FunctionsScale {
  /** Starts of each kind. */
  readonly starts: number;
  /** Requests one after another, for the overhead. */
  readonly requests: number;
  /** Of each turn under load. */
  readonly seconds: number;
  readonly rounds: number;
  /** Instances at once. */
  readonly burst: number;
  /** Bytes of the image that is pulled. */
  readonly pullBytes: number;
  readonly pulls: number;
  /** Requests while it is frozen and thawed again and again. */
  readonly thawRequests: number;
}

export interface FunctionsRow {
  readonly name: string;
  readonly title: string;
  run(rig: Rig): Promise<Outcome>;
}

export interface Asking {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly firstByteMs: number;
}

export class Rig {
  readonly order: Order;
  readonly engine: EngineAlone;
  readonly kept = new Agent({ keepAlive: true });

  constructor(order: Order, engine: EngineAlone) {
    this.order = order;
    this.engine = engine;
  }

  /** `127.0.0.1:<port>/team/project/name@sha256:…`, as an engine names it. */
  reference(name: RepositoryName): string {
    const { registry, repositories } = this.order;
    return `${registry}/${this.repository(name)}@${repositories[name].digest}`;
  }

  repository(name: string): string {
    return `${this.order.teamSlug}/${this.order.projectSlug}/${name}`;
  }

  /** One request to an address; by a kept connection where `agent` is given. */
  ask(
    origin: string,
    path: string,
    options: {
      readonly method?: string;
      readonly host?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly agent?: Agent;
    } = {},
  ): Promise<Asking> {
    const url = new URL(path, origin);
    const { method = 'GET', host, headers = {}, body, agent } = options;
    const begun = performance.now();
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          ...{ host: url.hostname, port: url.port, path: url.pathname + url.search, method },
          headers: { ...(host === undefined ? {} : { host }), ...headers },
          agent: agent ?? false,
        },
        (response) => {
          const firstByteMs = performance.now() - begun;
          let text = '';
          response.setEncoding('utf8').on('data', (piece: string) => {
            text += piece;
          });
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: text,
              firstByteMs,
            }),
          );
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }

  async api<T>(method: string, path: string, body?: unknown): Promise<T> {
    const { origin, token } = this.order;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer = await this.ask(origin, `/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(text === undefined
          ? {}
          : {
              'content-type': 'application/json',
              'content-length': String(Buffer.byteLength(text)),
            }),
      },
      ...(text === undefined ? {} : { body: text }),
    });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return (answer.body === '' ? undefined : JSON.parse(answer.body)) as T;
  }
}

/** Asks again until it is so. */
export async function until<T>(
  look: () => Promise<T | undefined>,
  what: string,
  withinMs = 120_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`never in ${withinMs} ms: ${what}`);
    await delay(10);
  }
}

export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
