import assert from 'node:assert/strict';
import { Agent, type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { checkAnswer } from './check.ts';

export type Body = Uint8Array | string | AsyncIterable<Uint8Array>;

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Bytes are sent with their length, an iterable in chunked transfer coding. */
  readonly body?: Body;
  /** Repeated where a value is an array. */
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  /** False: what every answer must keep to is not looked at. */
  readonly check?: boolean;
}

/** A whole answer. Header names in any case. */
export class Answer {
  readonly method: string;
  readonly url: URL;
  readonly status: number;
  readonly rawHeaders: readonly (readonly [string, string])[];
  readonly body: Buffer;

  constructor(
    method: string,
    url: URL,
    status: number,
    rawHeaders: readonly (readonly [string, string])[],
    body: Buffer,
  ) {
    this.method = method;
    this.url = url;
    this.status = status;
    this.rawHeaders = rawHeaders;
    this.body = body;
  }

  get path(): string {
    return this.url.pathname;
  }

  /** The request, for messages. */
  get what(): string {
    return `${this.method} ${this.url.pathname}${this.url.search}`.slice(0, 400);
  }

  headerValues(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.rawHeaders
      .filter(([key]) => key.toLowerCase() === wanted)
      .map(([, value]) => value);
  }

  header(name: string): string | undefined {
    const values = this.headerValues(name);
    return values.length > 0 ? values.join(', ') : undefined;
  }

  text(): string {
    return this.body.toString('utf8');
  }

  json(): unknown {
    try {
      return JSON.parse(this.text());
    } catch {
      return assert.fail(`${this.what}: not JSON: ${this.text().slice(0, 200)}`);
    }
  }

  /** The Location header against the request's own URL. */
  location(): string {
    const value = this.header('location');
    assert.ok(value, `${this.what}: no Location header`);
    return new URL(value, this.url).href;
  }

  /** The URL of the Link header of relation `next`, or undefined. */
  nextPage(): string | undefined {
    const value = this.header('link');
    if (value === undefined) return undefined;
    const match = /^<([^>]+)>\s*;\s*rel="?next"?$/.exec(value);
    assert.ok(match, `${this.what}: Link is not one of RFC 5988 with rel="next": ${value}`);
    return new URL(match[1]!, this.url).href;
  }
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** A client that sends paths exactly as given and one Authorization header, or none. */
export class Registry {
  readonly origin: string;
  readonly authorization: string | undefined;
  readonly #agent: Agent;

  constructor(origin: string, authorization?: string, agent?: Agent) {
    this.origin = origin;
    this.authorization = authorization;
    this.#agent = agent ?? new Agent({ keepAlive: true, maxSockets: 16 });
  }

  as(authorization: string | undefined): Registry {
    return new Registry(this.origin, authorization, this.#agent);
  }

  close(): void {
    this.#agent.destroy();
  }

  get(target: string, options?: AskOptions): Promise<Answer> {
    return this.ask('GET', target, options);
  }

  head(target: string, options?: AskOptions): Promise<Answer> {
    return this.ask('HEAD', target, options);
  }

  delete(target: string, options?: AskOptions): Promise<Answer> {
    return this.ask('DELETE', target, options);
  }

  /** `target`: a path on the registry, or a URL as a Location or Link header gave it. */
  async ask(method: string, target: string, options: AskOptions = {}): Promise<Answer> {
    const url = addQuery(/^https?:/.test(target) ? target : this.origin + target, options.query);
    let answer = await this.#send(method, url, options);
    // "API": status codes are those after redirects, and credentials stay on their own host.
    for (let hops = 0; [301, 302, 303, 307, 308].includes(answer.status); hops++) {
      assert.ok(hops < 5 && method === 'GET', `${answer.what}: redirected`);
      answer = await this.#send(method, answer.location(), options);
    }
    if (options.check !== false) checkAnswer(answer);
    return answer;
  }

  #send(method: string, href: string, options: AskOptions): Promise<Answer> {
    const url = new URL(href);
    const home = url.origin === this.origin;
    const headers: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(options.headers ?? {}))
      headers[name] = typeof value === 'string' ? value : [...value];
    if (home && this.authorization) headers.authorization ??= this.authorization;
    const { body } = options;
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    if (bytes instanceof Uint8Array) headers['content-length'] ??= String(bytes.length);
    else if (bytes === undefined && method !== 'GET' && method !== 'HEAD')
      headers['content-length'] ??= '0';
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const send = url.protocol === 'https:' ? secureRequest : request;
    const outgoing = send({
      method,
      host: url.hostname,
      port: url.port,
      path: href.slice(url.origin.length),
      headers,
      ...(home ? { agent: this.#agent } : { agent: false }),
    });
    outgoing.on('response', (incoming) => collect(method, url, incoming).then(resolve, reject));
    // Once an answer is there, a body that could not be sent to its end is no failure.
    outgoing.on('error', reject);
    if (bytes === undefined || bytes instanceof Uint8Array) outgoing.end(bytes);
    else pipeline(bytes, outgoing).catch(reject);
    return promise;
  }
}

async function collect(method: string, url: URL, incoming: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const headers: [string, string][] = [];
  for (let at = 0; at < incoming.rawHeaders.length; at += 2)
    headers.push([incoming.rawHeaders[at]!, incoming.rawHeaders[at + 1]!]);
  return new Answer(method, url, incoming.statusCode!, headers, Buffer.concat(chunks));
}

/** `href` with more parameters, and what it has left untouched. */
export function addQuery(
  href: string,
  query: Readonly<Record<string, string | readonly string[]>> = {},
): string {
  const added = new URLSearchParams();
  for (const [name, values] of Object.entries(query))
    for (const value of typeof values === 'string' ? [values] : values) added.append(name, value);
  if (added.size === 0) return href;
  return `${href}${href.includes('?') ? '&' : '?'}${added}`;
}
