import { readFileSync } from 'node:fs';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { listenPrivately } from '../config/private-socket.ts';
import { awaitingContinue } from './body.ts';
import { Connections } from './connections.ts';

export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  /** In place of both: a socket in the file system, for this user alone. */
  readonly socketPath?: string | undefined;
  /** Other processes of this server listen there, too, and the system gives each connection to one of them. */
  readonly shared?: boolean;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly headersTimeoutMs: number;
  readonly keepAliveMs: number;
}

/** Takes connections that become something else than HTTP, such as WebSockets. */
export interface Upgrades {
  /** Whether this request's wish is granted; else it is answered as a plain request. */
  takes(req: IncomingMessage): boolean;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
}

export interface RunningServer {
  /** Where it listens, as a client on this machine reaches it; empty for a socket in the file system. */
  readonly url: string;
  /**
   * Stops listening, and waits for requests under way, and for a moment for those that come on connections that
   * clients were told they may go on using; up to `timeoutMs`, then cuts what is left. Connections that were upgraded
   * stay.
   */
  drain(timeoutMs: number): Promise<void>;
  /** Waits for a moment for connections that were upgraded to end, then cuts them. After `drain`. */
  close(): Promise<void>;
}

/** How long a kept connection stays open for one more request, once the server stops. */
const graceMs = 500;
/** How long connections that were cut may take to close; one that is still in its TLS handshake may not. */
const closingMs = 1_000;

/** JWTs travel in Basic headers, and a manifest PUT may carry many tags. */
const maxHeaderSize = 64 * 1024;

export async function listen(
  listener: RequestListener,
  settings: ServerSettings,
  upgrades?: Upgrades,
): Promise<RunningServer> {
  const options = {
    maxHeaderSize,
    headersTimeout: settings.headersTimeoutMs,
    // Layers take as long as they take: bodies are held to progress, not to a total (body.ts).
    requestTimeout: 0,
    keepAliveTimeout: settings.keepAliveMs,
    connectionsCheckingInterval: Math.min(5_000, Math.ceil(settings.headersTimeoutMs / 4)),
    highWaterMark: 256 * 1024,
    noDelay: true,
    shouldUpgradeCallback: (req: IncomingMessage) => upgrades?.takes(req) ?? false,
  };
  const connections = new Connections(graceMs);
  const upgraded = new Set<Duplex>();
  const answer: RequestListener = (req, res) => {
    connections.answering(req, res);
    listener(req, res);
  };
  const server = settings.tls
    ? createHttpsServer(
        {
          ...options,
          cert: readFileSync(settings.tls.cert),
          key: readFileSync(settings.tls.key),
          minVersion: 'TLSv1.2',
        },
        answer,
      )
    : createHttpServer(options, answer);
  server.on(settings.tls ? 'secureConnection' : 'connection', (socket: Socket) =>
    connections.opened(socket),
  );
  server.on('checkContinue', (req, res) => {
    awaitingContinue.add(req);
    answer(req, res);
  });
  if (upgrades) {
    server.on('upgrade', (req, socket, head) => {
      connections.upgraded(req.socket);
      upgraded.add(socket);
      socket.once('close', () => upgraded.delete(socket));
      upgrades.upgrade(req, socket, head);
    });
  }
  server.on('clientError', refuseMalformed);
  if (settings.socketPath !== undefined) await listenPrivately(server, settings.socketPath);
  else {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const { port, host } = settings;
      const shared = settings.shared && { reusePort: true, exclusive: true };
      server.listen({ port, host, ...shared }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  }
  const bound = server.address() as AddressInfo | string;
  const url = typeof bound === 'string' ? '' : urlOf(bound, settings.tls !== undefined);
  const closed = Promise.withResolvers<void>();
  return {
    url,
    async drain(timeoutMs) {
      // Not the HTTP server's own: see Connections.
      NetServer.prototype.close.call(server, () => closed.resolve());
      await within(timeoutMs, connections.drain());
      connections.cut();
    },
    async close() {
      await within(closingMs, closed.promise);
      for (const socket of upgraded) socket.destroy();
      connections.cut();
      await within(closingMs, closed.promise);
    },
  };
}

async function within(ms: number, ended: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, ms);
  await Promise.race([ended, late.promise]);
  clearTimeout(timer);
}

function urlOf({ address, family, port }: AddressInfo, encrypted: boolean): string {
  const host = family === 'IPv6' ? `[${address}]` : address;
  const reachable = host === '0.0.0.0' || host === '[::]' ? 'localhost' : host;
  return `${encrypted ? 'https' : 'http'}://${reachable}:${port}`;
}

/** How long a client may take to close a connection that was refused; it could hold it for ever. */
const lingerMs = 2_000;

const statusOf: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What never became a request still gets the error JSON, and its connection closes. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = statusOf[error.code ?? ''] ?? '400 Bad Request';
  const body = JSON.stringify({
    errors: [{ code: 'UNSUPPORTED', message: `The request was refused: ${status}.`, detail: {} }],
  });
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  setTimeout(() => socket.destroy(), lingerMs).unref();
}
