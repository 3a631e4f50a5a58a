import { lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net';
import type { Agent } from 'undici';
import { RegistryError, refuse } from '../oci/errors.ts';

export interface OutboundRequest {
  /** For the whole exchange, from the name's look-up to the last byte. */
  readonly timeoutMs: number;
  /** Of the answer's body; a longer one fails the request. */
  readonly maxBytes: number;
  /** A longer body is cut there, and does not fail. */
  readonly truncate?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent by POST; GET without one. */
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface OutboundResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** The way to every address that somebody else named: issuers, webhooks, upstreams. */
export interface OutboundGuard {
  /**
   * Judges what the URL's text shows; what a name resolves to is judged by `fetch`, at each connection.
   * @throws RegistryError `invalid`: not https, no plain host, or an inner address
   */
  check(url: string | URL): void;
  /**
   * Redirects are not followed: they come back as they are, and following one is another `fetch`.
   * @throws RegistryError `invalid` as `check` does, `unavailable` where there is no whole answer in time
   */
  fetch(url: string | URL, request: OutboundRequest): Promise<OutboundResponse>;
  /** Ends open connections; requests under way fail. */
  close(): Promise<void>;
}

export interface OutboundGuardOptions {
  /**
   * The operator's exceptions (GANTRY_OUTBOUND_ALLOW): `loopback`, an address, a CIDR, or host[:port].
   * They may be reached over http, too; a name needs an entry of its own for that.
   */
  readonly allow: readonly string[];
  /** Name look-up; the system's unless given. */
  readonly lookup?: LookupFunction;
}

/** IANA's special-purpose registries: what is not the public internet, or leads out of it again. */
const innerIPv4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** All that is global lies here, so ::1, ::ffff:, 64:ff9b::, fc00::, fe80:: and ff00:: need no naming. */
const globalIPv6 = ['2000::/3'];
const innerIPv6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];
const loopback = ['127.0.0.0/8', '::1/128'];

const notLoaded = 'The client for outbound requests could not be loaded.';
const permissionHint =
  'Use a public https address; the operator of this registry can allow others in GANTRY_OUTBOUND_ALLOW.';

/** @throws RegistryError `invalid` for an entry of `allow` that is none of its forms */
export function createOutboundGuard(options: OutboundGuardOptions): OutboundGuard {
  const allowed = parseAllow(options.allow);
  const inner4 = rangesOf(innerIPv4);
  const inner6 = rangesOf(innerIPv6);
  const global6 = rangesOf(globalIPv6);

  const reachable = (address: string): boolean => {
    const family = isIP(address);
    if (family === 4) return allowed.ipv4.check(address) || !inner4.check(address);
    if (family !== 6) return false;
    // Kept apart by family: a BlockList lets IPv4 rules speak for ::ffff: addresses.
    if (allowed.ipv6.check(address, 'ipv6')) return true;
    return global6.check(address, 'ipv6') && !inner6.check(address, 'ipv6');
  };

  /** The look-up of one connection: hands on only addresses that may be reached, so nothing can change between. */
  const guardedLookup = (host: string, port: string): LookupFunction => {
    const named = allowed.hosts.has(host) || allowed.hosts.has(`${host}:${port}`);
    return (hostname, lookupOptions, callback) => {
      const find = options.lookup ?? (systemLookup as LookupFunction);
      find(hostname, { ...lookupOptions, all: true }, (error, found) => {
        if (error) return callback(error, '', 0);
        const every = Array.isArray(found) ? found : [{ address: found, family: isIP(found) }];
        const addresses = named ? every : every.filter(({ address }) => reachable(address));
        const first = addresses[0];
        if (first === undefined) return callback(innerAddress(hostname), '', 0);
        if (lookupOptions.all) return callback(null, addresses);
        callback(null, first.address, first.family);
      });
    };
  };

  let closed = false;
  let agent: Promise<Agent> | undefined;
  const openAgent = async (): Promise<Agent> => {
    // By the first request, or the next one where it fails: many installations send none, and undici takes 9 MB.
    const { createOutboundAgent } = await import('./outbound-agent.ts').catch((cause: unknown) => {
      agent = undefined;
      throw new RegistryError({ kind: 'unavailable', message: notLoaded }, { cause });
    });
    const opened = createOutboundAgent(({ hostname, port, protocol }) =>
      guardedLookup(hostname, port || portOf(protocol)),
    );
    if (closed) await opened.destroy();
    return opened;
  };

  const inspect = (input: string | URL): URL => {
    const url = parsePlainUrl(String(input));
    const host = bareHost(url);
    const port = url.port || portOf(url.protocol);
    const named = allowed.hosts.has(host) || allowed.hosts.has(`${host}:${port}`);
    const literal = isIP(host) !== 0;
    const local = /(^|\.)localhost\.?$/.test(host);
    if (!named && ((literal && !reachable(host)) || (local && !allowed.loopback))) {
      throw innerAddress(host);
    }
    const excepted =
      named || (local && allowed.loopback) || (literal && isAllowedLiteral(allowed, host));
    if (url.protocol === 'http:' && !excepted) {
      throw refuse(
        'invalid',
        `The URL of host ${host} must start with https://: http is not protected on its way.`,
        permissionHint,
      );
    }
    return url;
  };

  return {
    check(url) {
      inspect(url);
    },
    async fetch(input, { timeoutMs, maxBytes, truncate = false, headers, body, signal }) {
      const url = inspect(input);
      agent ??= openAgent();
      const sender = await agent;
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        const response = await sender.request({
          origin: url.origin,
          path: url.pathname + url.search,
          method: body === undefined ? 'GET' : 'POST',
          ...(body !== undefined && { body }),
          headers: { accept: 'application/json', 'accept-encoding': 'identity', ...headers },
          signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
        });
        const chunks: Buffer[] = [];
        let size = 0;
        for await (const chunk of response.body as AsyncIterable<Buffer>) {
          const room = maxBytes - size;
          if (chunk.length > room && !truncate) {
            throw new RangeError(`the answer is over ${maxBytes} bytes`);
          }
          chunks.push(chunk.subarray(0, room));
          size += Math.min(chunk.length, room);
          // Leaving the loop ends the connection.
          if (chunk.length > room) break;
        }
        return {
          status: response.statusCode,
          headers: response.headers,
          body: Buffer.concat(chunks, size),
        };
      } catch (error) {
        if (error instanceof RegistryError) throw error;
        const reason = timeout.aborted ? `no answer within ${timeoutMs} ms` : messageOf(error);
        throw new RegistryError(
          { kind: 'unavailable', message: `${url.host} could not be read: ${reason}.` },
          { cause: error },
        );
      }
    },
    async close() {
      closed = true;
      await (await agent?.catch(() => undefined))?.destroy();
    },
  };
}

/** The message holds no resolved address: who may only name hosts must not learn the inner network's. */
function innerAddress(host: string): RegistryError {
  return refuse(
    'invalid',
    `Host ${host} is not on the public internet (loopback, private, link-local and other special addresses are refused).`,
    permissionHint,
  );
}

function parsePlainUrl(text: string): URL {
  const written = /^https?:\/\/([^/?#]+)/i.exec(text)?.[1];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: URL() drops them silently
  const url = /[\s\\\u0000-\u001f]/.test(text) || text.length > 2048 ? null : URL.parse(text);
  if (written === undefined || url === null) {
    throw refuse('invalid', 'An outbound URL must be a plain https:// address of a host.');
  }
  if (url.username || url.password || written.includes('@')) {
    throw refuse('invalid', 'An outbound URL must not carry a user name or password.');
  }
  const host = bareHost(url);
  const plain = written.replace(/:\d*$/, '');
  // URL() reads 2130706433, 0x7f.1, 0177.0.0.1 and %31.2.3.4 as addresses; people do not.
  if (isIPv4(host) && plain !== host) {
    throw refuse('invalid', `Write the IPv4 address ${host} as four decimal numbers.`);
  }
  return url;
}

function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function portOf(protocol: string): string {
  return protocol === 'https:' ? '443' : '80';
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

interface Allowed {
  loopback: boolean;
  readonly ipv4: BlockList;
  readonly ipv6: BlockList;
  /** `host` (any port) or `host:port`; IPv6 without brackets. */
  readonly hosts: Set<string>;
}

function isAllowedLiteral(allowed: Allowed, host: string): boolean {
  return isIPv4(host) ? allowed.ipv4.check(host) : allowed.ipv6.check(host, 'ipv6');
}

function parseAllow(entries: readonly string[]): Allowed {
  const allowed: Allowed = {
    loopback: false,
    ipv4: new BlockList(),
    ipv6: new BlockList(),
    hosts: new Set(),
  };
  for (const entry of entries) {
    const text = entry.trim().toLowerCase();
    if (text === 'loopback') {
      allowed.loopback = true;
      for (const range of loopback) addRange(range, allowed);
    } else if (isIP(text)) {
      addRange(`${text}/${isIPv4(text) ? 32 : 128}`, allowed);
    } else if (!addRange(text, allowed) && !addHost(text, allowed)) {
      throw refuse(
        'invalid',
        `GANTRY_OUTBOUND_ALLOW has ${JSON.stringify(entry)}, which is none of: loopback, an IP address, a CIDR such as 10.1.0.0/16, host or host:port.`,
      );
    }
  }
  return allowed;
}

function addRange(text: string, to: { ipv4?: BlockList; ipv6?: BlockList }): boolean {
  const [, address, prefix] = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(text) ?? [];
  const family = isIP(address ?? '');
  if (!address || !family || Number(prefix) > (family === 4 ? 32 : 128)) return false;
  if (family === 4) to.ipv4?.addSubnet(address, Number(prefix));
  else to.ipv6?.addSubnet(address, Number(prefix), 'ipv6');
  return true;
}

function addHost(text: string, allowed: Allowed): boolean {
  const [, bracketed, name, port] =
    /^(?:\[([0-9a-f:.]+)\]|([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?))(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (bracketed !== undefined && isIP(bracketed) !== 6) return false;
  const host = bracketed === undefined ? name : bareHost(new URL(`http://[${bracketed}]`));
  if (host === undefined) return false;
  if (Number(port ?? 1) < 1 || Number(port ?? 1) > 65535) return false;
  allowed.hosts.add(port === undefined ? host : `${host}:${port}`);
  return true;
}

function rangesOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) addRange(range, { ipv4: list, ipv6: list });
  return list;
}
