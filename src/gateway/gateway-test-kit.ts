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
import { Pool } from 'undici';
import type {
  Deployment,
  DeploymentState,
  FunctionHost,
  Rewrite,
  Service,
  ServiceSettings,
} from '../ports/functions.ts';
import type {
  ActivationRequest,
  ActivationTarget,
  InstanceLease,
  RequestEnd,
  StartStages,
} from '../scheduler/activation.ts';
import { contractOf } from '../scheduler/contracts/contracts.ts';
import { createGateway, type Gateway, type GatewayDeps } from './gateway.ts';

export interface Ends {
  after(end: () => unknown): void;
}

export const project = {
  id: 'prj_1',
  teamId: 'team_1',
  teamSlug: 'acme',
  slug: 'shop',
  plan: 'self-hosted',
  settings: {},
  createdAt: 0,
} as const;

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

/** What is deployed, as the tests say it. */
export class World {
  readonly hosts = new Map<string, FunctionHost>();
  readonly deployments = new Map<string, Deployment>();
  readonly pointers = new Map<string, string>();
  readonly services: Service[] = [];
  now = 1_700_000_000_000;
  /** Times that hosts were asked for. */
  asked = 0;
  readonly #changes = new Set<() => void>();

  /** A ready deployment of one service, at production's host `shop` and its own, `shop-<id>`. */
  deploy(
    id: string,
    more: {
      services?: Record<string, ServiceSettings>;
      rewrites?: readonly Rewrite[];
      state?: DeploymentState;
      name?: string;
      reason?: Deployment['reason'];
    } = {},
  ): Deployment {
    const name = more.name ?? 'production';
    const environment = name === 'production' ? 'production' : 'preview';
    const state = more.state ?? 'ready';
    const services = Object.entries(more.services ?? { web: {} });
    const deployment: Deployment = {
      id,
      number: this.deployments.size + 1,
      projectId: project.id,
      teamId: project.teamId,
      environment,
      name,
      state,
      reason: more.reason,
      snapshot: {
        services: services.map(([service, settings]) => ({
          serviceId: `svc_${service}`,
          name: service,
          repositoryId: 'repo_1',
          repository: `acme/shop/${service}`,
          digest: `sha256:${'0'.repeat(64)}` as never,
          settings,
        })),
        rewrites: more.rewrites ?? [],
      },
      origin: { type: 'api' },
      host: `shop-${id}`,
      createdAt: 0,
      createdBy: 'tests',
      readyAt: 0,
    };
    this.deployments.set(id, deployment);
    const row = { custom: false, projectId: project.id, service: undefined };
    this.hosts.set(`shop-${id}`, {
      ...row,
      host: `shop-${id}`,
      deploymentId: id,
      environment: undefined,
    });
    const host = name === 'production' ? 'shop' : `shop-${name}`;
    this.hosts.set(host, {
      ...row,
      host,
      deploymentId: undefined,
      environment: { environment, name },
    });
    if (state === 'ready') this.pointers.set(name, id);
    return deployment;
  }

  /** As the deployer moves it on. */
  become(id: string, state: DeploymentState, reason?: Deployment['reason']): void {
    const deployment = { ...this.deployments.get(id)!, state, reason };
    this.deployments.set(id, deployment);
    if (state === 'ready') this.pointers.set(deployment.name, id);
    for (const change of this.#changes) change();
  }

  stores(): Pick<GatewayDeps, 'deployments' | 'services' | 'projects' | 'waitReady' | 'clock'> {
    return {
      clock: { now: () => this.now },
      projects: {
        findByIds: (ids) => (ids.includes(project.id) ? [project] : []),
        findBySlugs: (team, slug) =>
          team === project.teamSlug && slug === project.slug ? project : undefined,
      },
      services: { list: () => this.services },
      deployments: {
        findHost: (host) => {
          this.asked++;
          return this.hosts.get(host);
        },
        findById: (id) => this.deployments.get(id),
        pointer: (projectId, environment, name) =>
          this.pointers.has(name)
            ? {
                projectId,
                environment,
                name,
                deploymentId: this.pointers.get(name),
                version: 1,
                updatedAt: 0,
                updatedBy: '',
              }
            : undefined,
        page: () => [...this.deployments.values()].reverse(),
      },
      waitReady: (id, signal) =>
        new Promise((resolve, reject) => {
          const check = (): void => {
            const { state } = this.deployments.get(id)!;
            if (['queued', 'pending', 'preparing', 'probing'].includes(state)) return;
            this.#changes.delete(check);
            resolve(state);
          };
          this.#changes.add(check);
          signal.addEventListener('abort', () => {
            this.#changes.delete(check);
            reject(signal.reason);
          });
          check();
        }),
    };
  }
}

/** Leases real servers: one pool for each port. */
export class TestActivator {
  /** In the order of leases; the last one stays. */
  ports: number[];
  start: StartStages | undefined;
  labels: Record<string, string> = {};
  /** In place of a lease. */
  refuse: Error | undefined;
  /** Resolves before a lease is given. */
  gate: Promise<void> = Promise.resolve();
  readonly released: { broken: boolean }[] = [];
  readonly targets: ActivationTarget[] = [];
  held = 0;
  readonly #pools = new Map<number, Pool>();

  constructor(t: Ends, ...ports: number[]) {
    this.ports = ports;
    t.after(() => Promise.all([...this.#pools.values()].map((pool) => pool.destroy())));
  }

  async acquire(target: ActivationTarget, { signal }: ActivationRequest): Promise<InstanceLease> {
    this.targets.push(target);
    const { promise, reject } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => reject(signal.reason));
    await Promise.race([this.gate, promise]);
    if (this.refuse) throw this.refuse;
    const port = this.ports.length > 1 ? this.ports.shift()! : this.ports[0]!;
    const origin = `http://127.0.0.1:${port}`;
    const dispatcher = this.#pools.get(port) ?? new Pool(origin, { connections: 128 });
    this.#pools.set(port, dispatcher);
    this.held++;
    return {
      instanceId: `ins_${port}`,
      origin,
      address: '127.0.0.1',
      port,
      dispatcher,
      contract: contractOf(target.service.settings, this.labels),
      place: { ...target, instanceId: `ins_${port}`, region: 'test', memory: 2 ** 29, port },
      credentials: {
        oidcToken: 'jwt',
        accessKeyId: 'key',
        accessKeySecret: 'secret',
        securityToken: 'token',
      },
      queuedMs: this.start?.queue ?? 0,
      start: this.start,
      release: ({ broken = false }) => {
        this.held--;
        this.released.push({ broken });
      },
    };
  }
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
