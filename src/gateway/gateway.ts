import { randomUUIDv7 } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Awaitable } from '../ports/awaitable.ts';
import type { RequestEnd, RequestObserver } from '../scheduler/activation.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeDeps } from './exchange-deps.ts';
import { FunctionHosts } from './function-hosts.ts';
import { isRunPath } from './names.ts';
import { Placement, type PlacementDeps } from './placement.ts';
import { GatewayError } from './refusal.ts';
import { Tunnel } from './tunnel.ts';

export interface GatewayDeps extends PlacementDeps, Omit<ExchangeDeps, 'now'> {}

/** What the server asks before anything else, and gives requests of functions to. */
export interface Gateway {
  /** Whether requests to this Host are for functions alone, there or not. */
  isFunctionHost(host: string | undefined): Awaitable<boolean>;
  /** By host, or by a path below `/run/`. */
  takes(req: IncomingMessage): Awaitable<boolean>;
  request(req: IncomingMessage, res: ServerResponse): void;
  /**
   * Whether a request's wish for another protocol is granted: one for a function, and not for HTTP/2, which would
   * go past all that is looked at here. Custom names that are not known yet are asked for in `upgrade`.
   */
  upgrades(req: IncomingMessage): boolean;
  /** A connection that becomes something else than HTTP. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** What names lead to has changed: nothing that was known is used any more. */
  changed(): void;
  /**
   * From here on requests are refused. Resolves once none is under way, connections that were upgraded aside, or
   * after `withinMs`.
   */
  drain(withinMs?: number): Promise<void>;
  /** Ends connections that were upgraded. */
  close(): void;
  /** Requests and upgraded connections under way. */
  readonly inFlight: number;
}

export function createGateway(deps: GatewayDeps): Gateway {
  const hosts = new FunctionHosts(deps);
  const placement = new Placement(deps, hosts);
  const observer = guarded(deps);
  const exchange: ExchangeDeps = { ...deps, observer, now: () => deps.clock.now() };
  const tunnels = new Set<Tunnel>();
  let requests = 0;
  let drained: PromiseWithResolvers<void> | undefined;

  const ended = (): void => {
    requests--;
    if (requests === 0) drained?.resolve();
  };

  async function answer(run: Exchange, req: IncomingMessage): Promise<void> {
    try {
      if (drained) throw stopping();
      const placed = await placement.place(req, run.id, run.signal);
      if ('redirect' in placed) run.redirect(placed.redirect);
      else await run.forward(placed);
    } catch (error) {
      run.refuse(error);
    }
  }

  return {
    isFunctionHost: (host) => hosts.has(host),
    takes: (req) => {
      const ours = hosts.has(deps.origins.requested(req)?.host);
      const byPath = isRunPath(req.url ?? '');
      return typeof ours === 'boolean' ? ours || byPath : ours.then((found) => found || byPath);
    },
    request: (req, res) => {
      requests++;
      const run = new Exchange(exchange, newId(), req, res, ended);
      void answer(run, req);
    },
    upgrades: (req) => {
      const wanted = (req.headers.upgrade ?? '').toLowerCase();
      if (wanted === '' || /\bh2c?\b/.test(wanted)) return false;
      return isRunPath(req.url ?? '') || hosts.has(deps.origins.requested(req)?.host) !== false;
    },
    upgrade: (req, socket, head) => {
      const tunnel = new Tunnel(exchange, newId(), req, socket, head, () => tunnels.delete(tunnel));
      tunnels.add(tunnel);
      if (drained) tunnel.refuse(stopping());
      else void tunnel.open((id, signal) => placement.place(req, id, signal));
    },
    changed: () => {
      hosts.changed();
      placement.changed();
    },
    drain: async (withinMs) => {
      drained ??= Promise.withResolvers<void>();
      const { promise, resolve } = drained;
      if (requests === 0) resolve();
      const timer = withinMs === undefined ? undefined : setTimeout(resolve, withinMs);
      await promise;
      clearTimeout(timer);
    },
    close: () => {
      for (const tunnel of tunnels) tunnel.close();
    },
    get inFlight() {
      return requests + tunnels.size;
    },
  };
}

/** What is told of requests must not end them, nor the process. */
function guarded({ observer, failed }: Pick<GatewayDeps, 'observer' | 'failed'>): RequestObserver {
  const guard =
    <E extends { readonly requestId: string }>(tell: (event: E) => void) =>
    (event: E): void => {
      try {
        tell(event);
      } catch (error) {
        failed(error, event.requestId);
      }
    };
  return {
    started: guard((event: Parameters<RequestObserver['started']>[0]) => observer.started(event)),
    ended: guard((event: RequestEnd) => observer.ended(event)),
  };
}

function newId(): string {
  return `req_${randomUUIDv7().replaceAll('-', '')}`;
}

function stopping(): GatewayError {
  return new GatewayError(
    503,
    'STOPPING',
    'This server is about to stop.',
    'Try again: another one answers, or this one once it is back.',
    { retryAfterSeconds: 1 },
  );
}
