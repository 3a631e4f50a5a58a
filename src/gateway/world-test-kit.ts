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
  StartStages,
} from '../scheduler/activation.ts';
import { contractOf } from '../scheduler/contracts/contracts.ts';
import type { GatewayDeps } from './gateway.ts';

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
      origin?: Deployment['origin'];
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
      origin: more.origin ?? { type: 'api' },
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

  /** Requests that wait for a deployment. */
  get waiting(): number {
    return this.#changes.size;
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
        latestOf: ({ name, serviceId }) =>
          [...this.deployments.values()]
            .reverse()
            .find(
              ({ name: own, origin }) =>
                own === name && origin.type === 'push' && origin.serviceId === serviceId,
            ),
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
