import type { RuntimeCapabilities } from '../../ports/runtime-driver.ts';
import type { Engine } from './engine.ts';
import { refused } from './refusals.ts';

/** What is read of `GET /version`. */
export interface EngineVersion {
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion?: string;
  readonly Os: string;
  readonly Arch: string;
}

/** What is read of `GET /info`. */
export interface EngineInfo {
  readonly Driver: string;
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
  readonly DockerRootDir: string;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly SecurityOptions?: readonly string[] | null;
  readonly Runtimes?: Readonly<Record<string, unknown>>;
  readonly MemoryLimit?: boolean;
  readonly SwapLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
  readonly PidsLimit?: boolean;
  readonly DiscoveredDevices?: readonly { readonly Source: string; readonly ID: string }[] | null;
}

export interface Surroundings {
  readonly networkGuard: boolean;
  readonly bucketVolumes: boolean;
  readonly diskQuota: boolean;
  readonly gpus: Readonly<Record<string, number>>;
  /** Sentences of what else is missing. */
  readonly missing: readonly string[];
}

export async function askCapabilities(
  engine: Engine,
  surroundings: Surroundings,
): Promise<RuntimeCapabilities> {
  try {
    const [version, info] = await Promise.all([
      engine.call<EngineVersion>({ method: 'GET', path: '/version' }),
      engine.call<EngineInfo>({ method: 'GET', path: '/info' }),
    ]);
    return capabilitiesOf(version, info, surroundings);
  } catch (error) {
    throw refused(error, {});
  }
}

export function capabilitiesOf(
  version: EngineVersion,
  info: EngineInfo,
  surroundings: Surroundings,
): RuntimeCapabilities {
  const zstd = unpacksZstd(version);
  const security = info.SecurityOptions ?? [];
  const userNamespaces = security.some((option) => /name=(userns|rootless)/.test(option));
  const missing = [...surroundings.missing];
  if (!zstd) {
    missing.push(
      'This engine unpacks no zstd layers: upgrade it to Docker 23 or later, or push images with gzip layers.',
    );
  }
  if (!surroundings.diskQuota) {
    missing.push(
      "The engine does not limit writable layers: they are measured, and an instance over its diskSize is ended. Put the engine's data on xfs mounted with pquota, with the overlay2 storage driver, for limits of its own.",
    );
  }
  if (!userNamespaces) {
    missing.push(
      'root in a container is root of the machine but for its dropped capabilities: start the engine with --userns-remap=default for another user.',
    );
  }
  for (const [holds, what] of [
    [info.MemoryLimit, 'memory'],
    [info.CpuCfsQuota, 'CPU'],
    [info.PidsLimit, 'process'],
  ] as const) {
    if (holds === false) {
      missing.push(`The kernel gives the engine no ${what} limits: enable that cgroup controller.`);
    }
  }
  return {
    version: nameOf(version),
    platforms: [platformOf(version)],
    cpus: info.NCPU,
    memory: info.MemTotal,
    compressions: zstd ? ['none', 'gzip', 'zstd'] : ['none', 'gzip'],
    freeze: true,
    diskQuota: surroundings.diskQuota,
    userNamespaces,
    gpus: surroundings.gpus,
    bucketVolumes: surroundings.bucketVolumes,
    networkGuard: surroundings.networkGuard,
    missing,
  };
}

export function platformOf(version: EngineVersion): string {
  return `${version.Os}/${version.Arch}`;
}

/** Since Docker 23, which speaks 1.42. */
export function unpacksZstd({ ApiVersion }: EngineVersion): boolean {
  return isAtLeast(ApiVersion, '1.42');
}

function isAtLeast(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = least.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** The newest that both know: what an engine says then stays what this was written for. */
export function apiVersion({ ApiVersion }: EngineVersion): string {
  return isAtLeast(ApiVersion, newestKnown) ? `v${newestKnown}` : `v${ApiVersion}`;
}

const newestKnown = '1.47';

/** One built without a release's name says only its API. */
function nameOf({ Version, ApiVersion }: EngineVersion): string {
  return /^\d/.test(Version) ? `Docker ${Version}` : `Docker (API ${ApiVersion})`;
}
