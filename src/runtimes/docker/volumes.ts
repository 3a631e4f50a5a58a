import { join } from 'node:path';
import {
  type InstanceMount,
  RuntimeError,
  type RuntimeVolume,
  type RuntimeVolumes,
  type VolumeSpec,
} from '../../ports/runtime-driver.ts';
import type { Buckets } from './buckets/buckets.ts';
import { type EngineCalls, statusOf } from './engine-calls.ts';
import { label } from './labels.ts';
import { folderBytes } from './layer-usage.ts';
import { refused } from './refusals.ts';

/** An entry of `HostConfig.Mounts`. */
export interface EngineMount {
  readonly Type: 'bind' | 'volume';
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
  readonly VolumeOptions?: { readonly NoCopy: boolean };
  readonly BindOptions?: { readonly Propagation: 'rprivate' | 'rslave' };
}

export interface DockerVolumes extends RuntimeVolumes {
  /** Disks that have a limit, for the watch of disks. `over`: what is done with the bytes that one holds. */
  limits(over: (name: string, used: number) => void): {
    readonly path: string;
    readonly limit: number;
    readonly over: (used: number) => void;
  }[];
  /** How an instance of the project gets it. Rejects with `invalid-spec` where the project has no such volume. */
  mountOf(mount: InstanceMount, projectId: string): Promise<EngineMount>;
}

interface EngineVolume {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  /** RFC 3339, to the second. */
  readonly CreatedAt?: string;
}

/** Disks are the engine's named volumes; buckets are mounted on this machine (buckets/). */
export function openVolumes(
  engine: EngineCalls,
  options: {
    readonly installation: string;
    readonly buckets?: Buckets;
    /** Where the engine keeps volumes, if this process may look there. */
    readonly folder?: string | undefined;
  },
): DockerVolumes {
  const { installation, buckets, folder } = options;
  const limits = new Map<string, number>();
  const measuring = new Map<string, Promise<number>>();
  const pathOf = (name: string) =>
    folder === undefined ? undefined : join(folder, nameInEngine(name), '_data');

  async function find(name: string): Promise<EngineVolume | undefined> {
    try {
      return await engine.call({ method: 'GET', path: `/volumes/${nameInEngine(name)}` });
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw refused(error, {});
    }
  }

  async function ensureDisk(
    { name, projectId }: VolumeSpec,
    maxBytes: number | undefined,
  ): Promise<void> {
    const found = (await find(name)) ?? (await create(name, projectId));
    if (!isOf(found, projectId)) throw absent(name);
    limit(name, maxBytes);
    if (maxBytes === undefined) return;
    const used = (await usage(name)) ?? 0;
    if (used > maxBytes) {
      throw new RuntimeError(
        'volume-full',
        `A volume that it mounts holds ${used} bytes, and may hold ${maxBytes}.`,
      );
    }
  }

  function limit(name: string, maxBytes: number | undefined): void {
    if (maxBytes === undefined) limits.delete(name);
    else limits.set(name, maxBytes);
  }

  /** Whoever asks while it is measured gets that: each measurement walks through all files. */
  async function usage(name: string): Promise<number | undefined> {
    const path = pathOf(name);
    if (path === undefined) return undefined;
    const known = measuring.get(name);
    if (known) return known;
    const measured = folderBytes(path).finally(() => measuring.delete(name));
    measuring.set(name, measured);
    return measured;
  }

  function create(name: string, projectId: string): Promise<EngineVolume> {
    const body = {
      Name: nameInEngine(name),
      Driver: 'local',
      Labels: {
        [label.installation]: installation,
        [label.project]: projectId,
        [label.volume]: name,
      },
    };
    return engine
      .call<EngineVolume>({ method: 'POST', path: '/volumes/create', body })
      .catch((error) => {
        throw refused(error, { 400: 'invalid-spec', 500: 'invalid-spec' });
      });
  }

  function isOf({ Labels }: EngineVolume, projectId: string): boolean {
    return Labels?.[label.installation] === installation && Labels[label.project] === projectId;
  }

  return {
    async ensure(volume) {
      checkName(volume.name);
      const { source } = volume;
      if (source.kind === 'disk') return ensureDisk(volume, source.maxBytes);
      if (!buckets)
        throw new RuntimeError('invalid-spec', 'Bucket volumes are not set up for this engine.');
      await buckets.ensure(volume.name, volume.projectId, source);
    },
    async mountOf({ volume, path, readOnly }, projectId) {
      checkName(volume);
      if (buckets?.has(volume)) {
        const folder = buckets.folderOf(volume, projectId, readOnly);
        if (folder === undefined) throw absent(volume);
        return {
          Type: 'bind',
          Source: folder,
          Target: path,
          ReadOnly: readOnly,
          BindOptions: { Propagation: 'rslave' },
        };
      }
      // An engine makes a volume that is not there: without a label, of nobody.
      const found = await find(volume);
      if (!found || !isOf(found, projectId)) throw absent(volume);
      return {
        Type: 'volume',
        Source: nameInEngine(volume),
        Target: path,
        ReadOnly: readOnly,
        // An empty one takes what the image has there, and its owner: so a USER may write.
        VolumeOptions: { NoCopy: false },
      };
    },
    limit(name, maxBytes) {
      checkName(name);
      limit(name, maxBytes);
    },
    usage(name) {
      checkName(name);
      return usage(name);
    },
    limits: (over) =>
      [...limits].flatMap(([name, most]) => {
        const path = pathOf(name);
        return path ? [{ path, limit: most, over: (used) => over(name, used) }] : [];
      }),
    async remove(name) {
      checkName(name);
      limits.delete(name);
      // Also one that a former process mounted, and this one does not know.
      await buckets?.remove(name);
      const found = await find(name);
      if (!found || found.Labels?.[label.installation] !== installation) return;
      try {
        await engine.call({ method: 'DELETE', path: `/volumes/${nameInEngine(name)}` });
      } catch (error) {
        if (statusOf(error) !== 404) throw refused(error, { 409: 'in-use' });
      }
    },
    async list() {
      const filters = JSON.stringify({ label: [`${label.installation}=${installation}`] });
      const { Volumes } = await engine
        .call<{ Volumes: EngineVolume[] | null }>({
          method: 'GET',
          path: '/volumes',
          query: { filters },
        })
        .catch((error) => {
          throw refused(error, {});
        });
      const disks = (Volumes ?? []).flatMap((found) => viewOf(found) ?? []);
      const mounted = ((await buckets?.names()) ?? []).map(
        (name): RuntimeVolume => ({
          ...{ name, kind: 'bucket', projectId: undefined, createdAt: undefined },
        }),
      );
      return [...disks, ...mounted];
    },
  };
}

function viewOf({ Labels, CreatedAt = '' }: EngineVolume): RuntimeVolume | undefined {
  const name = Labels?.[label.volume];
  if (name === undefined) return undefined;
  const createdAt = Date.parse(CreatedAt);
  return {
    ...{ name, kind: 'disk', projectId: Labels?.[label.project] },
    createdAt: Number.isNaN(createdAt) ? undefined : createdAt,
  };
}

/** In the engine, where others have volumes as well. */
export function nameInEngine(name: string): string {
  return `gantry-${name}`;
}

function absent(name: string): RuntimeError {
  return new RuntimeError('invalid-spec', `The project has no volume ${name}.`);
}

/** It becomes a path here and in the engine's API. */
function checkName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,100}$/.test(name))
    throw new RuntimeError('invalid-spec', `${JSON.stringify(name)} is no volume's name.`);
}
