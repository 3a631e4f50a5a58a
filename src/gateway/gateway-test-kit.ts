import { once } from 'node:events';
import {
  type Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
} from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { RequestEnd } from '../scheduler/activation.ts';
import { createGateway, type Gateway, type GatewayDeps } from './gateway.ts';
import { type Ends, type TestActivator, World } from './world-test-kit.ts';

export { type Ends, project, TestActivator, World } from './world-test-kit.ts';

/** A world whose first deployment is ready. */
export function deployedWorld(): World {
  const made = new World();
  made.deploy('1');
  return made;
}

/** Of a request to its project. */
export const shopRequest = {
  ...{ host: '127.0.0.1', headers: { host: 'shop.localhost' }, agent: false },
} as const;

export async function answerOf(req: ReturnType<typeof request>): Promise<IncomingMessage> {
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  return res;
}

/** A server in the place of a container. */
export async function container(t: Ends, listener: RequestListener): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 60_000 }, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

/** The same, byte by byte. */
export async function rawContainer(t: Ends, taken: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    taken(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export function portOfServer(server: Server): number {
  return (server.address() as AddressInfo).port;
}

export interface Running {
  readonly gateway: Gateway;
  readonly port: number;
  readonly server: Server;
  /** Requests that ended; `until` resolves once there are so many. */
  readonly ended: RequestEnd[];
  until(count: number): Promise<void>;
  readonly started: string[];
  readonly failures: unknown[];
}

/** A gateway behind a real server on a free port. */
export async function gatewayFor(
  t: Ends,
  world: World,
  activator: TestActivator,
  more: Partial<Omit<GatewayDeps, 'limits'>> & { limits?: Partial<GatewayDeps['limits']> } = {},
): Promise<Running> {
  const ended: RequestEnd[] = [];
  const started: string[] = [];
  const failures: unknown[] = [];
  const waiting = new Set<() => void>();
  const gateway = createGateway({
    ...world.stores(),
    activator,
    observer: {
      started: ({ requestId }) => started.push(requestId),
      ended: (event) => {
        ended.push(event);
        for (const check of waiting) check();
      },
    },
    origins: {
      requested: (req) => ({ host: req.headers.host ?? '', proto: 'http' }),
      clientAddress: (req) => req.socket.remoteAddress ?? '',
    },
    domain: 'localhost',
    address: () => 'localhost',
    ownHosts: new Set(['registry.localhost']),
    ownCookies: ['gantry_session', 'gantry_signin'],
    waitMs: 10_000,
    failed: (error) => failures.push(error),
    ...more,
    limits: { request: 2 ** 40, response: 2 ** 40, timeoutMs: 10_000, ...more.limits },
  });
  const options = {
    highWaterMark: 256 * 1024,
    shouldUpgradeCallback: (req: IncomingMessage) => gateway.upgrades(req),
  };
  const server = createServer(options, (req, res) => gateway.request(req, res));
  server.on('checkContinue', (req, res) => gateway.request(req, res));
  server.on('upgrade', (req, socket, head) => gateway.upgrade(req, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    gateway.close();
    server.closeAllConnections();
    server.close();
  });
  const until = (count: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = (): void => {
      if (ended.length < count) return;
      waiting.delete(check);
      resolve();
    };
    waiting.add(check);
    check();
    return promise;
  };
  return { gateway, port: portOfServer(server), server, ended, until, started, failures };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly trailers: NodeJS.Dict<string>;
  readonly body: string;
}

/** One request by Node's own client. */
export async function ask(
  port: number,
  options: {
    host?: string;
    path?: string;
    method?: string;
    headers?: Record<string, string | string[]> | readonly string[];
    body?: string | Buffer;
    agent?: Agent | false;
  } = {},
): Promise<Answer> {
  const { host = 'shop.localhost', body, headers = {}, agent = false } = options;
  const req = request({
    host: '127.0.0.1',
    port,
    path: options.path ?? '/',
    method: options.method ?? 'GET',
    headers: Array.isArray(headers) ? ['host', host, ...headers] : { host, ...headers },
    agent,
  });
  req.end(body);
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  const answer = await text(res);
  return {
    status: res.statusCode!,
    headers: res.headers,
    rawHeaders: res.rawHeaders,
    trailers: res.trailers,
    body: answer,
  };
}

/** Sends bytes as they are and gives all that came until the connection ended. */
export async function exchangeRaw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.setEncoding('latin1');
  socket.write(bytes, 'latin1');
  let all = '';
  for await (const chunk of socket) all += chunk;
  return all;
}

/** A container that tells what it was sent. */
export const echo: RequestListener = (req, res) => {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    res.setHeader('content-type', 'application/json');
    res.end(
      JSON.stringify({
        method: req.method,
        url: req.url,
        headers: req.headers,
        rawHeaders: req.rawHeaders,
        body: Buffer.concat(chunks).toString(),
      }),
    );
  });
};
