/** The part of the composition that runs functions: compose.ts alone uses it. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { MintedCredentials } from './auth/minted-credentials.ts';
import type { OutboundGuard } from './auth/outbound-guard.ts';
import type { Sealer } from './auth/sealer.ts';
import type { Config } from './config/config.ts';
import { functionLimits } from './config/function-limits.ts';
import { ownHosts } from './config/own-hosts.ts';
import type { Plans } from './config/plans.ts';
import { createGateway, type Gateway } from './gateway/gateway.ts';
import { createFunctionServices, type FunctionServices } from './http/api/function-services.ts';
import type { RuntimeServices } from './http/api/runtime-services.ts';
import type { Origins } from './http/origin.ts';
import { sessionCookie } from './http/session-cookies.ts';
import { flowCookie } from './http/sign-in-endpoints.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';
import { describe, refuse } from './oci/errors.ts';
import type { Clock } from './ports/clock.ts';
import type { DeploymentPlanner } from './ports/deployment-planner.ts';
import type { DeployedService } from './ports/functions.ts';
import type { Metadata } from './ports/metadata.ts';
import { type RuntimeDriver, RuntimeError } from './ports/runtime-driver.ts';
import { newId } from './projects/ids.ts';
import { openDockerDriver } from './runtimes/docker/open-docker.ts';
import type { Activator } from './scheduler/activation.ts';
import { contractOf, portOf } from './scheduler/contracts/contracts.ts';
import { createDeployed } from './scheduler/deployed.ts';
import { DeploymentWatch } from './scheduler/deployments/deployment-watch.ts';
import { functionUrl, withPort } from './scheduler/host-labels.ts';
import { ImageCache, observedBy } from './scheduler/image-cache.ts';
import { InvocationQueue } from './scheduler/invoke/invocation-queue.ts';
import { Invoker } from './scheduler/invoke/invoker.ts';
import { createKeepers } from './scheduler/keepers.ts';
import { findMachine, machineTypes } from './scheduler/machine-types.ts';
import type { FunctionPool } from './scheduler/pool/function-pool.ts';
import { defaultPoolSettings } from './scheduler/pool/pool-deps.ts';
import { openRecords, type Records } from './scheduler/records/open-records.ts';
import { createDeploymentPlanner } from './scheduler/reserve.ts';
import { systemTimers } from './scheduler/timers.ts';
import type { VolumeKeeper } from './scheduler/volume-keeper.ts';

export interface FunctionsDeps {
  readonly config: Config;
  readonly metadata: Metadata;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly plans: Plans;
  readonly credentials: MintedCredentials;
  readonly sealer: Sealer;
  readonly origins: Origins;
  readonly metrics: Metrics;
  readonly outbound: OutboundGuard;
  readonly wrappingKey: Buffer;
  /** Where the server listens or is reached; known once it listens. */
  readonly url: () => string;
  /** Another replica runs them, or may soon: this one takes pushes for it. `missing`: why none run here. */
  readonly elsewhere?: { readonly runs: () => boolean; readonly missing: string };
}

export interface Functions {
  readonly planner: DeploymentPlanner;
  readonly gateway: Gateway;
  readonly watch: DeploymentWatch;
  /** Undefined: there is no engine, and `missing` says why. */
  readonly pool: FunctionPool | undefined;
  readonly driver: RuntimeDriver | undefined;
  readonly missing: string | undefined;
  readonly volumes: VolumeKeeper | undefined;
  readonly records: Records;
  /** For the API; undefined without an engine. */
  readonly runtime: RuntimeServices | undefined;
  readonly api: FunctionServices;
  /** The URL of a label under the functions domain, or of a custom domain. */
  urlOf(host: string): string;
  /** Once the server listens. */
  start(): Promise<void>;
  /** New requests are refused, those under way end. */
  drain(): Promise<void>;
  /** `keep`: what runs goes on, for who comes next. */
  close(options?: { keep?: boolean }): Promise<void>;
}

/** Undefined: functions are off. Rejects where they have to be on, and no engine is there. */
export async function openFunctions(
  deps: FunctionsDeps,
  opened: (() => Promise<unknown> | unknown)[],
): Promise<Functions | undefined> {
  const { config, metadata, clock, logger, url } = deps;
  const { mode, domain, isolation, scaling } = config.functions;
  if (mode === 'off') return undefined;
  const installation = createHash('sha256')
    .update('installation')
    .update(deps.wrappingKey)
    .digest('hex')
    .slice(0, 16);
  const openDriver = () =>
    openDockerDriver({
      ...{ dockerHost: config.functions.dockerHost, env: process.env, installation },
      pullAddress: () => config.functions.pullAddress ?? new URL(url()).host,
      network: { pool: isolation.network, subnetBits: isolation.subnetBits },
      dns: isolation.dns,
      bucketFolder: join(config.data, 'buckets'),
      fileFolders: [join(config.data, 'run'), join(config.data, 'tools')],
      isolation: {
        ...isolation,
        publicUrls: config.publicUrl ? [config.publicUrl] : [],
        tell: (message) => logger.warn(message),
      },
    });
  const found = deps.elsewhere ? { missing: deps.elsewhere.missing } : await openDriver();
  const driver = 'driver' in found ? found.driver : undefined;
  const missing = 'missing' in found ? found.missing : undefined;
  if (!driver && mode === 'on' && !deps.elsewhere)
    throw refuse('unavailable', `GANTRY_FUNCTIONS is on, and none can run. ${missing}`);
  if (driver) opened.push(() => driver.close());

  const machines = machineTypes(isolation.machineTypes, await driver?.capabilities());
  const machineOf = (service: DeployedService) => {
    const named = findMachine(machines, service.settings.machineType);
    return 'machine' in named ? named.machine : undefined;
  };
  const contracts = {
    contractOf: ({ settings }: DeployedService) => contractOf(settings),
    portOf: ({ settings }: DeployedService, env: Readonly<Record<string, string>>) =>
      portOf(settings, env, contractOf(settings)),
  };
  const records = await openRecords({
    ...{ metadata, clock, log: logger, metrics: deps.metrics, outbound: deps.outbound },
    ...{ settings: config.functions.records, folder: join(config.data, 'logs') },
    newUsageId: () => newId('mtr'),
    driver: () => driver,
    machineOf: ({ service }) => machineOf(service) ?? { cpus: 0, memory: 0 },
    brackets: (service, requestId, phase, ms) =>
      contractOf(service.settings).logBrackets(requestId, phase, ms),
  });
  opened.push(() => records.close());
  const cache =
    driver &&
    new ImageCache({
      ...{ ...metadata, driver, clock, timers: systemTimers, log: logger },
      limits: { time: isolation.imageCacheTime, space: isolation.imageCacheSpace },
    });
  opened.push(() => cache?.close());
  const observer = cache ? observedBy(cache, records.observer) : records.observer;
  const address = () => withPort(domain, url());
  const watch = new DeploymentWatch(metadata);
  const deployed = createDeployed({ ...metadata, address });
  const urlOf = (host: string) => functionUrl(host, { server: url(), address: address() });
  // Loaded where an engine is: without one it would only take memory.
  const engine =
    driver &&
    (await (
      await import('./compose-engine.ts')
    ).openEngine(
      {
        ...{ ...deps, driver, machines, machineOf, contracts, deployed, observer, installation },
        ...{ address, changed: () => gateway.changed() },
      },
      opened,
    ));
  const { pool, deployer, volumes, sandboxes, tokenFiles } = engine ?? {};
  const keepers = createKeepers({
    ...{ metadata, clock, timers: systemTimers, pruning: config.functions.pruning },
    proofs: config.functions.domains,
    running: () => new Set(pool?.instances().map(({ target }) => target.deploymentId)),
    changed: (change) => api.changed(change),
    failed: (what, error) => logger.warn(what, { cause: describe(error) }),
  });
  opened.push(() => keepers.close());
  const activator: Activator =
    pool && sandboxes
      ? sandboxes.hosts.activator(pool)
      : { acquire: () => Promise.reject(new RuntimeError('unavailable', missing!)) };
  const invoker = new Invoker({
    ...{ ...metadata, activator, observer, clock, address },
    newRequestId: () => newId('req'),
    timeoutMs: defaultPoolSettings.requestTimeoutMs,
  });
  const queue = new InvocationQueue({
    ...{ invocations: metadata.invocations, invoker, writer: metadata.writer, clock },
    ...{ timers: systemTimers, log: logger, limits: functionLimits.invoke },
  });
  opened.push(() => queue.close());
  const gateway = createGateway({
    ...{ ...metadata, clock, origins: deps.origins, domain, observer },
    address,
    ownHosts: ownHosts(config),
    ownCookies: [sessionCookie, flowCookie],
    waitReady: (id, signal) => watch.waitReady(id, signal),
    waitMs: config.functions.startTimeout,
    sandboxHosts: sandboxes?.hosts,
    activator,
    failed: (error, requestId) =>
      logger.error('function request failed', { requestId, cause: describe(error) }),
    limits: {
      request: config.functions.requestLimit,
      response: config.functions.responseLimit,
      timeoutMs: defaultPoolSettings.requestTimeoutMs,
    },
  });
  const api = createFunctionServices({
    ...{ watch, pool, machines, missing, domain, log: logger },
    ...{ domains: keepers.domains, pruning: config.functions.pruning },
    capabilities: driver && (() => driver.capabilities()),
    ownNames: () => [...ownHosts(config), new URL(url()).hostname],
    namesChanged: () => gateway.changed(),
  });
  return {
    ...{ api, gateway, watch, pool, driver, missing, volumes, records },
    runtime: volumes &&
      sandboxes && {
        volumes,
        sandboxes: { manager: sandboxes.manager, urlOf },
        invocations: { invoker, queue },
        checkEndpoint: (address) => deps.outbound.check(address),
      },
    planner: createDeploymentPlanner({
      enabled: () => !!driver || !!deps.elsewhere?.runs(),
      newId,
    }),
    urlOf,
    async start() {
      await pool?.start();
      cache?.start();
      if (driver) {
        // What an earlier process left for instances that live no more.
        const living = await driver.list().catch(() => undefined);
        if (living) tokenFiles?.releaseOthers(new Set(living.map((one) => one.instanceId)));
        void volumes?.sweep();
        queue.start();
      }
      deployer?.start();
      if (!deps.elsewhere) keepers.start();
    },
    async drain() {
      await gateway.drain(config.drainTimeout);
    },
    async close({ keep = scaling.keepAtStop } = {}) {
      gateway.close();
      await deployer?.close();
      await pool?.drain({ keep, withinMs: config.drainTimeout });
    },
  };
}
