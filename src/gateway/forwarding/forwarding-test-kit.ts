import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { Origins } from '../../http/origin.ts';
import type { Ends } from '../world-test-kit.ts';
import { ForwardedHeaders } from './forwarded-header.ts';
import { Forwarder, type ForwardTimes } from './forwarder.ts';
import type { Owner } from './owner.ts';

export const key = randomBytes(32);

/** A process of an installation: what it forwards, and what it answers where it owns the engine. */
export interface Peer {
  readonly port: number;
  readonly origin: string;
  owner: Owner;
  /** Looks for the owner that were made. */
  looks: number;
  readonly forwarder: Forwarder;
  readonly headers: ForwardedHeaders;
  readonly origins: Origins;
  /** Stops listening and cuts what is open. */
  end(): Promise<void>;
}

export interface PeerOptions {
  owner?: Owner;
  times?: ForwardTimes;
  key?: Buffer;
  now?: () => number;
  /** In place of a port. */
  socketPath?: string;
  port?: number;
  trustedProxies?: readonly string[];
  upgrade?: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export async function startPeer(
  t: Ends,
  listener: RequestListener,
  options: PeerOptions = {},
): Promise<Peer> {
  const clock = { now: options.now ?? (() => 1_000_000) };
  const headers = new ForwardedHeaders({ key: options.key ?? key, clock });
  const { trustedProxies = [] } = options;
  const origins = new Origins({ trustedProxies, publicUrl: undefined }, headers);
  const forwarder = new Forwarder({
    headers,
    from: (req) => {
      const asked = origins.requested(req);
      return asked && { ...asked, address: origins.clientAddress(req) };
    },
    owners: {
      now: () => peer.owner,
      look: async () => {
        peer.looks++;
      },
    },
    times: options.times ?? { withinMs: 2_000, everyMs: 10 },
  });
  const server = createServer({ highWaterMark: 256 * 1024 }, (req, res) => {
    headers.receive(req);
    void forwarder.request(req, res, () => listener(req, res));
  });
  server.on('checkContinue', (req, res) => {
    headers.receive(req);
    void forwarder.request(req, res, () => listener(req, res));
  });
  server.on('upgrade', (req, socket, head) => {
    headers.receive(req);
    void forwarder.upgrade(req, socket, head, () => options.upgrade?.(req, socket, head));
  });
  if (options.socketPath) server.listen(options.socketPath);
  else server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<Duplex>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const end = async (): Promise<void> => {
    forwarder.close();
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((done) => server.close(done));
  };
  t.after(end);
  const port = options.socketPath ? 0 : (server.address() as AddressInfo).port;
  const peer: Peer = {
    ...{ port, origin: `http://127.0.0.1:${port}`, looks: 0, forwarder, headers, origins, end },
    owner: options.owner ?? { here: true },
  };
  return peer;
}
