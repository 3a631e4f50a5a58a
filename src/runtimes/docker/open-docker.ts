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
import { CopiedFiles } from './copied-files.ts';
import { hasDiskQuota } from './disk-quota.ts';
import { DockerDriver } from './driver.ts';
import { missingElsewhere, whyNotPulled } from './elsewhere.ts';
import { Engine } from './engine.ts';
import { type EngineAddress, findEngine } from './engine-address.ts';
import { writeArchive } from './files.ts';
import { GpuPool } from './gpu-pool.ts';
import { Images } from './images.ts';
import { Instances } from './instances.ts';
import { type IsolationSettings, startIsolation } from './isolation.ts';
import { openNetworks } from './networks.ts';
import { Reach } from './reach.ts';
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
  /** Folders of this machine that files of instances lie in. */
  readonly fileFolders?: readonly string[];
  /** Where files of instances are copied, whether they changed is looked at after this, in milliseconds. */
  readonly filesCheck?: number;
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
    return { missing: howToGet(address, error as Error) };
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
  const networks = openNetworks(engine, { installation, local: address.local, ...network });
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
  const pullProblem = () => whyNotPulled(address, pullAddress);
  const images = new Images({
    ...{ engine, pullAddress, pullProblem },
    platform: platformOf(version),
    unpacksZstd: unpacksZstd(version),
  });
  const gpus = await GpuPool.open(engine, info);
  const diskQuota = await hasDiskQuota(info, address.local);
  const cgroups = new Cgroups(engine.address.local);
  const copied = address.local
    ? undefined
    : new CopiedFiles({
        write: (id, tar) => writeArchive(engine, { id, path: '/', tar, stall: deadline }),
        folders: options.fileFolders ?? [],
        everyMs: options.filesCheck ?? 10_000,
      });
  const instances = new Instances({
    cgroups,
    copied,
    engine,
    networks,
    volumes,
    installation,
    diskQuota,
    dns,
    gpus,
  });
  const isolation = options.isolation
    ? await startIsolation({
        ...{ engine, address, networks, installation, network, dns, diskQuota },
        ...{ buckets, volumes },
        dataRoot: info.DockerRootDir,
        settings: options.isolation,
      })
    : undefined;
  for (const one of missingElsewhere(address, undefined)) options.isolation?.tell?.(one);
  const surroundings = async (): Promise<Surroundings> => {
    const guarded = (await isolation?.state()) ?? { networkGuard: false, missing: [] };
    return {
      networkGuard: guarded.networkGuard,
      bucketVolumes: buckets.problem === undefined,
      diskQuota,
      gpus: gpus.counts(),
      missing: [
        ...missingElsewhere(address, pullProblem()),
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
      copied,
      reach: address.local ? undefined : new Reach(engine),
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

function howToGet({ name, tls }: EngineAddress, error: Error): string {
  const { code = '' } = ((error.cause ?? error) as NodeJS.ErrnoException) ?? {};
  if (code === 'EACCES') {
    return `The container engine at ${name} lets this user not in: add the user to the docker group, or run Gantry as root.`;
  }
  const advice =
    'install Docker Engine 20.10 or later and start it, or name another with GANTRY_DOCKER_HOST';
  if (code === 'ENOENT') return `There is no container engine at ${name}: ${advice}.`;
  if (code === 'ECONNREFUSED') return `No container engine answers at ${name}: ${advice}.`;
  if (/HTTP request to an HTTPS server/i.test(error.message)) {
    return `The container engine at ${name} wants TLS: set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem.`;
  }
  const folder = 'the folder of DOCKER_CERT_PATH';
  if (tls && /SSL/.test(code)) {
    return `The container engine at ${name} does not take the connection (${reasonOf(error)}): cert.pem and key.pem in ${folder} have to be of a client that it knows, and it has to speak TLS.`;
  }
  if (tls && /CERT|SIGNATURE|SIGNED/.test(code)) {
    return `The certificate of the container engine at ${name} is not what it should be (${reasonOf(error)}): ca.pem in ${folder} has to be of who signed it, and it has to have the name or address by which it is reached.`;
  }
  return `${error.message} To run functions, ${advice}.`;
}

function reasonOf(error: Error): string {
  const { message } = (error.cause as Error | undefined) ?? error;
  // OpenSSL's line has the place in its source, too.
  return /:([^:]* alert [^:]*):/.exec(message)?.[1] ?? message.trim().replace(/\.$/, '');
}
