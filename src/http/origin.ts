import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { refuse } from '../oci/errors.ts';
import { directClient } from './direct-client.ts';

/** Where a request came from and by which URL, as far as the connection and trusted proxies tell. */
export interface Origin {
  /** `http://host[:port]`, as the client used it, or the public URL. */
  readonly url: string;
  /** Host and port of `url`. */
  readonly host: string;
}

const hostPattern = /^(?:[a-zA-Z0-9._-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?$/;

/** Whose request it is that another process of this installation forwarded; undefined: none did. */
export interface ForwardedRequests {
  of(
    req: IncomingMessage,
  ):
    | { readonly address: string; readonly host: string; readonly proto: 'http' | 'https' }
    | undefined;
}

export class Origins {
  readonly #proxies = new BlockList();
  readonly #publicUrl: string | undefined;
  readonly #forwarded: ForwardedRequests | undefined;

  /** `trustedProxies`: addresses and CIDR ranges whose X-Forwarded headers are believed. */
  constructor(
    options: { trustedProxies: readonly string[]; publicUrl: string | undefined },
    forwarded?: ForwardedRequests,
  ) {
    this.#publicUrl = options.publicUrl;
    this.#forwarded = forwarded;
    for (const range of options.trustedProxies) {
      const [address, bits] = range.split('/') as [string, string | undefined];
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      this.#proxies.addSubnet(address, bits ? Number(bits) : family === 'ipv6' ? 128 : 32, family);
    }
  }

  get publicUrl(): string | undefined {
    return this.#publicUrl;
  }

  /** Rejects a Host that is missing or no host: it would be echoed into headers. */
  of(req: IncomingMessage): Origin {
    if (this.#publicUrl) return { url: this.#publicUrl, host: new URL(this.#publicUrl).host };
    const asked = this.requested(req);
    if (!asked) throw refuse('invalid', 'The Host header is missing or is no host name.');
    return { url: `${asked.proto}://${asked.host}`, host: asked.host };
  }

  /** What the client asked for, whatever the public URL is; undefined where the Host is missing or no host. */
  requested(
    req: IncomingMessage,
  ): { readonly host: string; readonly proto: 'http' | 'https' } | undefined {
    const forwarded = this.#forwarded?.of(req);
    if (forwarded) return { host: forwarded.host, proto: forwarded.proto };
    const client = directClient(req);
    const trusted = this.#isProxy(client.address);
    const host = (trusted && firstOf(req.headers['x-forwarded-host'])) || req.headers.host || '';
    if (!hostPattern.test(host)) return undefined;
    const told = trusted ? firstOf(req.headers['x-forwarded-proto']) : undefined;
    const proto = told === 'https' || told === 'http' ? told : client.encrypted ? 'https' : 'http';
    return { host, proto };
  }

  /** The client's address: the last one that no trusted proxy added. */
  clientAddress(req: IncomingMessage): string {
    const forwarded = this.#forwarded?.of(req);
    if (forwarded) return forwarded.address;
    const { address: direct } = directClient(req);
    if (!this.#isProxy(direct)) return direct;
    const hops = String(req.headers['x-forwarded-for'] ?? '')
      .split(',')
      .map((hop) => hop.trim());
    for (const hop of hops.reverse()) {
      if (isIP(hop) === 0) break;
      if (!this.#isProxy(hop)) return hop;
    }
    return direct;
  }

  #isProxy(address: string | undefined): boolean {
    if (!address) return false;
    const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
    const family = isIP(plain);
    return family !== 0 && this.#proxies.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  }
}

function firstOf(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  return text?.split(',')[0]?.trim();
}
