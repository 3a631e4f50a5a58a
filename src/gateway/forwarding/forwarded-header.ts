import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../ports/clock.ts';

/** What a process that forwards a request knows of it, and the next one cannot see. */
export interface ForwardedFrom {
  /** The client's address. */
  readonly address: string;
  /** Host, with its port where there is one, and scheme, as the client used them. */
  readonly host: string;
  readonly proto: 'http' | 'https';
}

/** One header, signed; never passed on to a function, and clients that send it are not believed. */
export const forwardedHeader = 'x-gantry-forwarded';

/** How long a signed header is good for, and how far clocks of replicas may be apart: milliseconds. */
const goodForMs = 30_000;
const mostBytes = 2048;

/** Of the key that all processes of an installation share. */
export function forwardingKey(secret: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'gantry forwarded requests', 32));
}

/**
 * Signs and reads the header by which one process of an installation tells another whose request it forwards. The
 * signature binds it to method, target, host, client and time.
 */
export class ForwardedHeaders {
  readonly #key: Buffer;
  readonly #clock: Clock;
  /** Undefined: forwarded by one of ours, but too long ago, or by another clock. */
  readonly #seen = new WeakMap<IncomingMessage, ForwardedFrom | undefined>();

  constructor(options: { key: Buffer; clock: Clock }) {
    this.#key = options.key;
    this.#clock = options.clock;
  }

  /** For one request, which may be forwarded within 30 s. */
  sign(req: Pick<IncomingMessage, 'method' | 'url'>, from: ForwardedFrom): string {
    const { address, host, proto } = from;
    const facts = JSON.stringify([this.#clock.now(), address, host, proto]);
    const said = Buffer.from(facts).toString('base64url');
    return `${said}.${this.#mac(req, said).toString('base64url')}`;
  }

  /**
   * Before anything else looks at a request: takes the header off it, and keeps what it says where one of ours signed
   * it. A header that nobody of ours signed is dropped as if it had not been sent.
   */
  receive(req: IncomingMessage): void {
    const value = req.headers[forwardedHeader];
    if (value === undefined) return;
    delete req.headers[forwardedHeader];
    const { rawHeaders } = req;
    for (let at = rawHeaders.length - 2; at >= 0; at -= 2) {
      if (rawHeaders[at]!.toLowerCase() === forwardedHeader) rawHeaders.splice(at, 2);
    }
    if (typeof value !== 'string' || value.length > mostBytes) return;
    const [said = '', mac = '', ...more] = value.split('.');
    const given = Buffer.from(mac, 'base64url');
    const own = this.#mac(req, said);
    if (more.length > 0 || given.length !== own.length || !timingSafeEqual(given, own)) return;
    const [at, address, host, proto] = JSON.parse(Buffer.from(said, 'base64url').toString());
    const fresh = Math.abs(this.#clock.now() - at) <= goodForMs;
    this.#seen.set(req, fresh ? { address, host, proto } : undefined);
  }

  /** Whose request it is, where another process forwarded it here. */
  of(req: IncomingMessage): ForwardedFrom | undefined {
    return this.#seen.get(req);
  }

  /** Whether it was forwarded once: then it is not a second time. */
  wasForwarded(req: IncomingMessage): boolean {
    return this.#seen.has(req);
  }

  /** Whether its header is of another time than this process has: a copy, or a clock that is wrong. */
  isOutOfTime(req: IncomingMessage): boolean {
    return this.#seen.has(req) && this.#seen.get(req) === undefined;
  }

  #mac(req: Pick<IncomingMessage, 'method' | 'url'>, said: string): Buffer {
    // None of the three can hold a line end: a parser has seen them.
    return createHmac('sha256', this.#key)
      .update(`${req.method}\n${req.url}\n${said}`, 'latin1')
      .digest();
  }
}
