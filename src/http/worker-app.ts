import { randomUUIDv7 } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { forwardedHeader } from '../gateway/forwarding/forwarded-header.ts';
import { ForwardedRequest } from '../gateway/forwarding/forwarded-request.ts';
import { ForwardedUpgrade } from '../gateway/forwarding/forwarded-upgrade.ts';
import type { PeerAddress } from '../gateway/forwarding/owner.ts';
import { PeerConnections } from '../gateway/forwarding/peer-connections.ts';
import { isRunPath } from '../gateway/names.ts';
import { GatewayError } from '../gateway/refusal.ts';
import { describe } from '../oci/errors.ts';
import type { Awaitable } from '../ports/awaitable.ts';
import { createRegistryApp, isOfRegistry } from './app.ts';
import { directClientHeader, tellDirectClient, withoutHeader } from './direct-client.ts';
import type { Origins } from './origin.ts';
import type { Upgrades } from './server.ts';
import type { Services } from './services.ts';

/** What a worker listens with. */
export interface WorkerApp {
  readonly listener: RequestListener;
  readonly upgrades: Upgrades;
  /** Cuts what is on its way to the primary. */
  close(): void;
}

export interface WorkerAppOptions {
  readonly draining: () => boolean;
  /** Whether requests to this Host are for functions. */
  readonly isFunctionHost: (host: string | undefined) => Awaitable<boolean>;
  readonly primary: PeerAddress;
}

/** Answers clients of the registry here; everything else is the primary's, which gets it as it came. */
export function createWorkerApp(services: Services, options: WorkerAppOptions): WorkerApp {
  const { isFunctionHost, primary } = options;
  const { origins, logger } = services;
  const own = createRegistryApp(services, { draining: options.draining });
  const connections = new PeerConnections();
  const tunnels = new Set<ForwardedUpgrade>();

  const pass = (req: IncomingMessage, res: ServerResponse): void => {
    const way = new ForwardedRequest(connections, { req, res, id: newId(), sandboxed: false });
    lead(way, req).catch((error: unknown) => {
      logger.error('request could not be passed on', { cause: describe(error) });
      res.destroy();
    });
  };
  const lead = async (way: ForwardedRequest | ForwardedUpgrade, req: IncomingMessage) => {
    withoutHeader(req, directClientHeader);
    const told = [directClientHeader, tellDirectClient(req)] as const;
    if ((await way.attempt(primary, told)) === 'unreached') way.refuse(unreached());
  };
  return {
    listener(req, res) {
      // Of another replica: whose it is, the primary reads.
      const forwarded = req.headers[forwardedHeader] !== undefined;
      if (forwarded || !isOfRegistry(req.url ?? '')) return pass(req, res);
      const ours = isFunctionHost(hostOf(origins, req));
      if (typeof ours === 'boolean') return ours ? pass(req, res) : own(req, res);
      ours.then(
        (found) => (found ? pass(req, res) : own(req, res)),
        // What cannot be looked up is answered here, with the reason why it cannot.
        () => own(req, res),
      );
    },
    upgrades: {
      takes(req) {
        const wanted = (req.headers.upgrade ?? '').toLowerCase();
        if (wanted === '' || /\bh2c?\b/.test(wanted)) return false;
        const forwarded = req.headers[forwardedHeader] !== undefined;
        if (forwarded || isRunPath(req.url ?? '')) return true;
        return isFunctionHost(hostOf(origins, req)) !== false;
      },
      upgrade(req: IncomingMessage, client: Duplex, head: Buffer) {
        const way = new ForwardedUpgrade(connections, { req, client, head, id: newId() });
        tunnels.add(way);
        client.once('close', () => tunnels.delete(way));
        lead(way, req).catch(() => client.destroy());
      },
    },
    close() {
      for (const tunnel of tunnels) tunnel.cut();
      connections.close();
    },
  };
}

function hostOf(origins: Origins, req: IncomingMessage): string | undefined {
  return origins.requested(req)?.host;
}

function newId(): string {
  return `req_${randomUUIDv7().replaceAll('-', '')}`;
}

function unreached(): GatewayError {
  return new GatewayError(
    503,
    'STOPPING',
    'This server is about to stop, or has just begun.',
    'Try again in a moment.',
    { retryAfterSeconds: 1 },
  );
}
