import type { Dispatcher } from 'undici';
import type { Digest } from '../../oci/digest.ts';
import type { ServiceSettings } from '../../ports/functions.ts';
import type { ActivationTarget, InstanceLease } from '../activation.ts';
import type { Contract } from '../contracts/contract.ts';
import type { InstanceObserver, InstanceState } from '../instance.ts';
import { createFunctionPool, type FunctionPool } from '../pool/function-pool.ts';
import { defaultPoolSettings, type PoolDeps, type PoolSettings } from '../pool/pool-deps.ts';
import { SimulatedDriver } from './simulated-driver.ts';
import { SimulatedTime } from './simulated-time.ts';

/** What a pool tells of one instance, in order. */
export interface ToldState {
  readonly instanceId: string;
  readonly state: InstanceState;
  readonly reason: string | undefined;
  readonly at: number;
}

export interface Simulation {
  readonly time: SimulatedTime;
  readonly driver: SimulatedDriver;
  readonly pool: FunctionPool;
  readonly told: ToldState[];
  /** Ready deployments: key `deployment/service`. */
  readonly deployed: Map<string, ActivationTarget>;
  readonly live: Set<string>;
  /** By key; what the fingerprint of a service is. */
  readonly fingerprints: Map<string, string>;
  /** As a process that begins anew on the same engine and database. */
  again(): Simulation;
}

/** Of the figures that a contract has, only those that the pool reads. */
const contract = {
  name: 'vercel',
  defaultPort: 80,
  defaultConcurrency: 50,
  environment: () => ({}),
  requestHeaders: () => ({}),
  responseHeaders: () => ({}),
  startFailure: (failure) => ({
    status: 502,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ reason: failure.reason, dial: failure.dial, logs: failure.logs }),
  }),
  isFunctionError: () => false,
  logBrackets: () => [],
} satisfies Contract;

const silent = { error() {}, warn() {}, info() {}, debug() {}, writes: () => false };

/** A pool on simulated time and a simulated engine. */
export function simulate(
  options: {
    settings?: Partial<PoolSettings>;
    deps?: Partial<PoolDeps>;
    on?: Pick<Simulation, 'time' | 'driver' | 'deployed' | 'live' | 'fingerprints'>;
  } = {},
): Simulation {
  const time = options.on?.time ?? new SimulatedTime();
  const driver = options.on?.driver ?? new SimulatedDriver(time);
  const deployed = options.on?.deployed ?? new Map<string, ActivationTarget>();
  const live = options.on?.live ?? new Set<string>();
  const fingerprints = options.on?.fingerprints ?? new Map<string, string>();
  const told: ToldState[] = [];
  const observer: InstanceObserver = {
    changed: ({ view, at }) => {
      told.push({ instanceId: view.instanceId, state: view.state, reason: view.reason, at });
    },
    pulled() {},
  };
  const fingerprint = async (target: ActivationTarget) =>
    fingerprints.get(keyOf(target)) ?? target.service.digest;
  const pool = createFunctionPool({
    driver,
    clock: { now: () => 1_700_000_000_000 + time.now() },
    timers: time,
    environment: {
      fingerprint,
      resolve: async (target) => ({
        env: { PORT: '80' },
        fingerprint: await fingerprint(target),
        mounts: [],
        files: [],
      }),
      release() {},
    },
    pullCredentials: { mint: async () => ({ username: 'u', password: 'p' }) },
    identities: {
      issue: async () => ({
        oidcToken: 'o',
        accessKeyId: 'a',
        accessKeySecret: 's',
        securityToken: 't',
        expiresAt: Number.MAX_SAFE_INTEGER,
      }),
    },
    contracts: { contractOf: () => contract, portOf: () => 80 },
    machines: { of: () => ({ name: 'S', cpus: 1, memory: 2e9, gpu: undefined }) },
    deployed: {
      live: () => [...live].map((key) => deployed.get(key)!),
      find: (deploymentId, service) => deployed.get(`${deploymentId}/${service}`),
    },
    observer,
    log: silent,
    newInstanceId: () => `ins_${crypto.randomUUID()}`,
    installation: 'here',
    region: 'local',
    settings: { ...defaultPoolSettings, ...options.settings },
    connect: () => new SimulatedConnections() as unknown as Dispatcher,
    ...options.deps,
  });
  const parts = { time, driver, deployed, live, fingerprints };
  return { ...parts, pool, told, again: () => simulate({ ...options, on: parts }) };
}

/** Whether connections were closed or broken, for tests to ask. */
export class SimulatedConnections {
  closed = false;
  broken = false;
  async close(): Promise<void> {
    this.closed = true;
  }
  async destroy(): Promise<void> {
    this.broken = true;
  }
}

export function keyOf(target: ActivationTarget): string {
  return `${target.deploymentId}/${target.service.name}`;
}

export function simulatedTarget(
  of: {
    deploymentId?: string;
    name?: string;
    digest?: string;
    environment?: 'production' | 'preview';
    settings?: ServiceSettings;
  } = {},
): ActivationTarget {
  const name = of.name ?? 'web';
  return {
    deploymentId: of.deploymentId ?? 'dpl_1',
    teamId: 'team_1',
    teamSlug: 'team',
    projectId: 'prj_1',
    projectSlug: 'project',
    environment: of.environment ?? 'production',
    host: `${name}.localhost`,
    service: {
      serviceId: `svc_${name}`,
      name,
      repositoryId: 'repo_1',
      repository: 'team/project/web',
      digest: (of.digest ?? `sha256:${'a'.repeat(64)}`) as Digest,
      settings: of.settings ?? {},
    },
  };
}

export interface Asked {
  readonly lease: Promise<InstanceLease>;
  readonly abort: AbortController;
  /** Once it is known. */
  result: InstanceLease | undefined;
  error: unknown;
}

let requests = 0;

/** A request that waits for a place; its outcome is noted as it comes. */
export function ask(pool: FunctionPool, target: ActivationTarget): Asked {
  const abort = new AbortController();
  const lease = pool.acquire(target, { id: `req_${++requests}`, signal: abort.signal });
  const asked: Asked = { lease, abort, result: undefined, error: undefined };
  lease.then(
    (result) => {
      asked.result = result;
    },
    (error: unknown) => {
      asked.error = error;
    },
  );
  return asked;
}
