import { randomUUIDv7 } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { isRunPath } from '../names.ts';
import { GatewayError, malformed } from '../refusal.ts';
import { writeRefusal } from '../write-refusal.ts';
import { type ForwardedFrom, type ForwardedHeaders, forwardedHeader } from './forwarded-header.ts';
import {
  ForwardedRequest,
  type ForwardOutcome,
  misdirected,
  misdirectedHeader,
} from './forwarded-request.ts';
import { ForwardedUpgrade } from './forwarded-upgrade.ts';
import { nameOf, type Owner, type Owners, type PeerAddress } from './owner.ts';
import { type ToldHeader, targetOf } from './passed-headers.ts';
import { PeerConnections } from './peer-connections.ts';

export interface ForwarderDeps {
  readonly owners: Owners;
  readonly headers: Pick<ForwardedHeaders, 'sign' | 'wasForwarded' | 'isOutOfTime'>;
  /** The client of a request that was not forwarded yet; undefined: it has no Host, or none that is a name. */
  from(req: IncomingMessage): ForwardedFrom | undefined;
  /** This process is about to end: what others forward to it goes to the next one. */
  leaving?(): boolean;
  /** Milliseconds: only differences count. */
  readonly elapsed?: () => number;
  readonly times?: ForwardTimes;
}

export interface ForwardTimes {
  /** How long a request waits for a process that takes it, and how long that may be looked for by all of them. */
  readonly withinMs: number;
  /** Between two looks for it. */
  readonly everyMs: number;
}

/** Longer than a lease is followed after its holder was killed (8 s), and functions are opened. */
export const forwardTimes: ForwardTimes = { withinMs: 20_000, everyMs: 250 };
/** Requests that wait for an owner hold their connections. */
const mostWaiting = 2_000;
/** How long one that runs functions no more may take to end its answers. */
const formerMs = 60_000;

interface Way {
  readonly signal: AbortSignal;
  attempt(address: PeerAddress, told: ToldHeader): Promise<ForwardOutcome>;
  refuse(error: unknown): void;
  release(): void;
}

/**
 * Sends requests of functions to the process that runs them: as they come, both ways, with back-pressure, and once:
 * what was forwarded to a process is not forwarded by it. While the owner changes, requests wait for the next one;
 * those of which nothing was sent are sent again.
 */
export class Forwarder {
  readonly #deps: ForwarderDeps;
  readonly #times: ForwardTimes;
  readonly #elapsed: () => number;
  readonly #connections = new PeerConnections();
  readonly #upgrades = new Set<ForwardedUpgrade>();
  /** Since when an address could not be reached, and when that was seen last, by `elapsed`. */
  readonly #failing = new Map<string, { since: number; last: number }>();
  #waiting = 0;
  #current: string | undefined;
  #cutting: NodeJS.Timeout | undefined;

  constructor(deps: ForwarderDeps) {
    this.#deps = deps;
    this.#times = deps.times ?? forwardTimes;
    this.#elapsed = deps.elapsed ?? (() => performance.now());
  }

  /** Whether functions run in this process now: then requests need not go through here. */
  get here(): boolean {
    return 'here' in this.#deps.owners.now();
  }

  /**
   * `here`: answers where this process runs functions, by now or once it does; `anyway`: also where no other can be
   * reached now. Never rejects.
   */
  async request(
    req: IncomingMessage,
    res: ServerResponse,
    here: () => void,
    options: { readonly anyway?: boolean } = {},
  ): Promise<void> {
    if (this.#takes(req)) return here();
    const id = newId();
    const sandboxed = isRunPath(targetOf(req));
    const way = new ForwardedRequest(this.#connections, { req, res, id, sandboxed });
    const { anyway = false } = options;
    await this.#lead(req, way, { here, anyway }, () => {
      way.release();
      const refusal = { ...notOwner, headers: { [misdirectedHeader]: 'true' } };
      writeRefusal(req, res, refusal, { id, sandboxed });
    });
  }

  /** The same for a connection that is to become something else than HTTP. */
  async upgrade(
    req: IncomingMessage,
    client: Duplex,
    head: Buffer,
    here: () => void,
  ): Promise<void> {
    if (this.#takes(req)) return here();
    const way = new ForwardedUpgrade(this.#connections, { req, client, head, id: newId() });
    this.#upgrades.add(way);
    client.once('close', () => this.#upgrades.delete(way));
    await this.#lead(req, way, { here, anyway: false }, () => {
      way.release();
      client.on('error', () => {});
      client.end(
        `HTTP/1.1 ${misdirected} Misdirected Request\r\n${misdirectedHeader}: true\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      );
    });
  }

  /** Cuts all. */
  close(): void {
    clearTimeout(this.#cutting);
    for (const upgrade of this.#upgrades) upgrade.cut();
    this.#connections.close();
  }

  /** What is open to one that ran functions before ends after a while: it may be gone without a word. */
  #goesTo(name: string): void {
    if (name === this.#current) return;
    if (this.#current !== undefined) {
      clearTimeout(this.#cutting);
      this.#cutting = setTimeout(() => {
        this.#connections.keepOnly(this.#current);
        for (const other of this.#failing.keys()) {
          if (other !== this.#current) this.#failing.delete(other);
        }
      }, formerMs).unref();
    }
    this.#current = name;
  }

  #takes(req: IncomingMessage): boolean {
    const { headers, leaving } = this.#deps;
    if (!this.here || headers.isOutOfTime(req)) return false;
    return !headers.wasForwarded(req) || !leaving?.();
  }

  async #lead(
    req: IncomingMessage,
    way: Way,
    { here, anyway }: { here: () => void; anyway: boolean },
    misdirect: () => void,
  ): Promise<void> {
    try {
      const { headers } = this.#deps;
      if (headers.isOutOfTime(req)) throw clocksDiffer();
      const forwarded = headers.wasForwarded(req);
      if (forwarded && this.#deps.leaving?.()) return misdirect();
      const began = this.#elapsed();
      for (;;) {
        if (anyway && 'none' in this.#deps.owners.now()) {
          way.release();
          return here();
        }
        const owner = await this.#owner(way.signal, began);
        if (way.signal.aborted) return;
        if ('here' in owner) {
          way.release();
          return here();
        }
        if (forwarded) return misdirect();
        this.#goesTo(nameOf(owner.address));
        const from = this.#deps.from(req);
        if (!from) throw noHost();
        const { address } = owner;
        const told = [
          forwardedHeader,
          headers.sign({ method: req.method, url: targetOf(req) }, from),
        ] as const;
        if ((await way.attempt(address, told)) === 'done') {
          this.#failing.delete(nameOf(address));
          return;
        }
        if (anyway) {
          way.release();
          return here();
        }
        const name = nameOf(address);
        const since = this.#failed(name);
        const next = this.#deps.owners.now();
        // At once where it is another by now.
        if ('address' in next && nameOf(next.address) === name) {
          if (this.#isOver(began, since)) throw unreachable();
          await this.#pause(way.signal);
        }
      }
    } catch (error) {
      way.refuse(error);
    }
  }

  /** Waits for one. Rejects with `GatewayError` where there is none in time. */
  async #owner(signal: AbortSignal, began: number): Promise<Exclude<Owner, { none: string }>> {
    for (;;) {
      const owner = this.#deps.owners.now();
      if (signal.aborted || !('none' in owner)) return owner as Exclude<Owner, { none: string }>;
      if (owner.final || this.#isOver(began, this.#elapsed() - owner.sinceMs)) {
        throw noOwner(owner.none);
      }
      await this.#pause(signal);
    }
  }

  #failed(name: string): number {
    const last = this.#elapsed();
    const known = this.#failing.get(name);
    // A failure of long ago says nothing of this one.
    const since = known && last - known.last < this.#times.withinMs ? known.since : last;
    this.#failing.set(name, { since, last });
    return since;
  }

  #isOver(began: number, since: number): boolean {
    return this.#elapsed() - Math.min(began, since) >= this.#times.withinMs;
  }

  async #pause(signal: AbortSignal): Promise<void> {
    if (this.#waiting >= mostWaiting) throw noOwner('Too many requests wait for another replica.');
    this.#waiting++;
    try {
      await Promise.all([this.#deps.owners.look(), pause(this.#times.everyMs, signal)]);
    } finally {
      this.#waiting--;
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (): void => {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    resolve();
  };
  const timer = setTimeout(end, ms);
  signal.addEventListener('abort', end);
  return promise;
}

function newId(): string {
  return `req_${randomUUIDv7().replaceAll('-', '')}`;
}

const notOwner = {
  ...{ status: misdirected, code: 'NOT_OWNER' },
  body: `${JSON.stringify({ code: 'NOT_OWNER', message: 'Functions run at another replica.', hint: 'Try again.' })}\n`,
};

function noOwner(cause: string): GatewayError {
  return new GatewayError(503, 'NO_OWNER', cause, 'Try again in a moment.', {
    retryAfterSeconds: 5,
  });
}

function unreachable(): GatewayError {
  return new GatewayError(
    503,
    'OWNER_UNREACHABLE',
    'The replica that runs functions cannot be reached from this one.',
    'The operator sees whether its GANTRY_PEER_URL is where others reach it.',
    { retryAfterSeconds: 5 },
  );
}

function clocksDiffer(): GatewayError {
  return new GatewayError(
    503,
    'CLOCKS_DIFFER',
    'The request was forwarded by a replica whose clock is more than 30 s from this one.',
    'The operator sets the clocks of the replicas by NTP.',
    { retryAfterSeconds: 30 },
  );
}

function noHost(): GatewayError {
  return malformed('The Host header is missing or is no host name.');
}
