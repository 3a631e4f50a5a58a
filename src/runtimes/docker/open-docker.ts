import { join } from 'node:path';
import { openBuckets } from './buckets/buckets.ts';
import {
  apiVersion,
  type EngineInfo,
  type EngineVersion,
  platformOf,
  type Surroundings,
  unpacksZstd,
} from './capabilities.ts';
import { Cgroups } from './cgroup.ts';
import { hasDiskQuota } from './disk-quota.ts';
import { DockerDriver } from './driver.ts';
import { Engine } from './engine.ts';
import { findEngine } from './engine-address.ts';
import { GpuPool } from './gpu-pool.ts';
import { Images } from './images.ts';
import { Instances } from './instances.ts';
import { type IsolationSettings, startIsolation } from './isolation.ts';
import { openNetworks } from './networks.ts';
import { StatsReader } from './stats.ts';
import { openVolumes } from './volumes.ts';

export interface DockerDriverOptions {
  /** The setting GANTRY_DOCKER_HOST; undefined: DOCKER_HOST, else the usual socket. */
  readonly dockerHost: string | undefined;
  /** Where DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Instances of other installations on the same engine are not seen. */
  readonly installation: string;
  /** `host:port` by which the engine reaches the registry; asked at each pull, since a port may be chosen late. */
  readonly pullAddress: () => string;
  /** Whether an engine answers is known after this, in milliseconds. */
  readonly findLimit?: number;
  /** After this an engine that does not answer a call counts as hung, in milliseconds. */
  readonly callLimit?: number;
  readonly probeLimit?: number;
  /** The range that projects' networks are cut from, and the prefix length of one. */
  readonly network?: { readonly pool: string; readonly subnetBits: number };
  /** Name servers of instances; none: the host's. */
  readonly dns?: readonly string[];
  /** Where buckets are mounted, such as `<data>/buckets`; absent: there are no bucket volumes. */
  readonly bucketFolder?: string;
  /** What instances may reach and how their disks are watched; absent: neither is looked after. */
  readonly isolation?: IsolationSettings;
}

const defaultNetwork = { pool: '10.213.0.0/16', subnetBits: 26 };

/**
 * Looks for an engine and opens it. `missing`: why there is none, and how to get it, in one sentence; the
 * registry works without.
 */
export async function openDockerDriver(
  options: DockerDriverOptions,
): Promise<{ driver: DockerDriver } | { missing: string }> {
  const address = findEngine(options.dockerHost, options.env);
  if (typeof address === 'string') return { missing: address };
  const finder = new Engine({ address, deadline: options.findLimit ?? 3_000 });
  let version: EngineVersion;
  let info: EngineInfo;
  try {
    [version, info] = await Promise.all([
      finder.call<EngineVersion>({ method: 'GET', path: '/version' }),
      finder.call<EngineInfo>({ method: 'GET', path: '/info' }),
    ]);
  } catch (error) {
    return { missing: howToGet(address.name, error as Error) };
  } finally {
    finder.close();
  }
  if (version.Os !== 'linux') {
    return {
      missing: `The engine at ${address.name} runs ${version.Os} containers: switch it to Linux containers.`,
    };
  }
  const { installation, pullAddress } = options;
  const deadline = options.callLimit ?? 30_000;
  const engine = new Engine({ address, deadline, version: apiVersion(version) });
  const { network = defaultNetwork, dns = [] } = options;
  const networks = openNetworks(engine, { installation, ...network });
  const buckets = await openBuckets({
    engine,
    folder: address.local ? options.bucketFolder : undefined,
    tell: options.isolation?.tell ?? (() => {}),
  });
  const looks = address.local && process.getuid?.() === 0 && process.platform === 'linux';
  const volumes = openVolumes(engine, {
    ...{ installation, buckets },
    folder: looks ? join(info.DockerRootDir, 'volumes') : undefined,
  });
  const images = new Images({
    ...{ engine, pullAddress },
    platform: platformOf(version),
    unpacksZstd: unpacksZstd(version),
  });
  const gpus = await GpuPool.open(engine, info);
  const diskQuota = await hasDiskQuota(info, address.local);
  const cgroups = new Cgroups(engine.address.local);
  const instances = new Instances({
    cgroups,
    engine,
    networks,
    volumes,
    installation,
    diskQuota,
    dns,
    gpus,
  });
  const elsewhere = `The engine at ${address.name} is on another machine: its containers' addresses must be routed to this one, token files and volumes of this machine cannot be mounted, and commands in instances cannot be ended.`;
  const isolation = options.isolation
    ? await startIsolation({
        ...{ engine, address, networks, installation, network, dns, diskQuota },
        ...{ buckets, volumes },
        dataRoot: info.DockerRootDir,
        settings: options.isolation,
      })
    : undefined;
  const surroundings = async (): Promise<Surroundings> => {
    const guarded = (await isolation?.state()) ?? { networkGuard: false, missing: [] };
    return {
      networkGuard: guarded.networkGuard,
      bucketVolumes: buckets.problem === undefined,
      diskQuota,
      gpus: gpus.counts(),
      missing: [
        ...(address.local ? [] : [elsewhere]),
        ...guarded.missing,
        ...(buckets.problem ? [buckets.problem] : []),
        ...gpus.missing(),
      ],
    };
  };
  return {
    driver: new DockerDriver({
      engine,
      images,
      instances,
      volumes,
      surroundings,
      installation,
      isolation,
      buckets,
      statsReader: new StatsReader(engine, cgroups),
      stallLimit: deadline,
      probeLimit: options.probeLimit ?? 1_000,
    }),
  };
}

/** Whether an engine answers now. */
export async function dockerAnswers(
  options: Pick<DockerDriverOptions, 'dockerHost' | 'env' | 'findLimit'>,
): Promise<boolean> {
  const address = findEngine(options.dockerHost, options.env);
  if (typeof address === 'string') return false;
  const finder = new Engine({ address, deadline: options.findLimit ?? 3_000 });
  try {
    await finder.call({ method: 'GET', path: '/version' });
    return true;
  } catch {
    return false;
  } finally {
    finder.close();
  }
}

function howToGet(name: string, error: Error): string {
  const { code } = ((error.cause ?? error) as NodeJS.ErrnoException) ?? {};
  if (code === 'EACCES') {
    return `The container engine at ${name} lets this user not in: add the user to the docker group, or run Gantry as root.`;
  }
  const advice =
    'install Docker Engine 20.10 or later and start it, or name another with GANTRY_DOCKER_HOST';
  if (code === 'ENOENT') return `There is no container engine at ${name}: ${advice}.`;
  if (code === 'ECONNREFUSED') return `No container engine answers at ${name}: ${advice}.`;
  return `${error.message} To run functions, ${advice}.`;
}
