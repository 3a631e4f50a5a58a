import {
  type CachedImage,
  type ImageSource,
  type PreparedImage,
  type PullProgress,
  RuntimeError,
} from '../../ports/runtime-driver.ts';
import type { Engine } from './engine.ts';
import type { Listed } from './inspected.ts';
import { pull } from './pull.ts';
import { hasStatus, refused } from './refusals.ts';

export interface ImagesDeps {
  readonly engine: Engine;
  /** `host:port` by which the engine reaches the registry. */
  readonly pullAddress: () => string;
  /** `os/architecture` of the engine. */
  readonly platform: string;
  readonly unpacksZstd: boolean;
  /** Why the engine would not find the registry at `pullAddress`; undefined: it may. */
  readonly pullProblem?: () => string | undefined;
}

/** What is read of `GET /images/{name}/json`. */
interface InspectedImage {
  readonly Id: string;
  readonly RepoDigests?: readonly string[] | null;
  readonly Os: string;
  readonly Architecture: string;
  readonly Size: number;
  readonly Created?: string;
  readonly Metadata?: { readonly LastTagTime?: string };
  readonly Config?: {
    readonly User?: string;
    readonly WorkingDir?: string;
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly Env?: readonly string[] | null;
    readonly Labels?: Readonly<Record<string, string>> | null;
    readonly ExposedPorts?: Readonly<Record<string, unknown>> | null;
  } | null;
}

/**
 * Images in the engine. An image's id is its full reference, `host:port/team/project/repository@digest`: the
 * engine finds it by that with either image store, and containers are made of it by that.
 */
export class Images {
  readonly #deps: ImagesDeps;
  /** Reference -> when it was brought or found; of this process. */
  readonly #prepared = new Map<string, number>();

  constructor(deps: ImagesDeps) {
    this.#deps = deps;
  }

  async prepare(
    source: ImageSource,
    options: { signal?: AbortSignal; progress?: (progress: PullProgress) => void },
  ): Promise<PreparedImage> {
    const { engine, platform, unpacksZstd } = this.#deps;
    const name = `${this.#deps.pullAddress()}/${source.repository}`;
    const id = `${name}@${source.digest}`;
    const from = performance.now();
    let inspected = await this.#inspect(id, options.signal);
    const cached = inspected !== undefined;
    if (!inspected) {
      // What answers there is not this registry, and would be given its credentials.
      const problem = this.#deps.pullProblem?.();
      if (problem !== undefined) throw new RuntimeError('pull-failed', problem);
      const { digest, credentials } = source;
      await pull(engine, {
        ...{ name, digest, credentials, platform, unpacksZstd },
        ...options,
      });
      inspected = await this.#inspect(id, options.signal);
    }
    if (!inspected) {
      throw new RuntimeError('pull-failed', `The engine pulled ${id} and does not have it.`);
    }
    const found = `${inspected.Os}/${inspected.Architecture}`;
    if (found !== platform) {
      // Some engines bring what they cannot run.
      if (!cached) await this.remove(id).catch(() => false);
      throw new RuntimeError('no-such-platform', wrongPlatform([found], platform));
    }
    this.#prepared.set(id, Date.now());
    return {
      id,
      cached,
      pullMs: cached ? 0 : performance.now() - from,
      platform: found,
      size: inspected.Size,
      config: configOf(inspected),
    };
  }

  async #inspect(id: string, signal?: AbortSignal): Promise<InspectedImage | undefined> {
    try {
      return await this.#deps.engine.call<InspectedImage>({
        method: 'GET',
        path: `/images/${id}/json`,
        signal,
      });
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw refused(error, {});
    }
  }

  async list(): Promise<CachedImage[]> {
    const { engine, pullAddress } = this.#deps;
    const prefix = `${pullAddress()}/`;
    try {
      const [images, containers] = await Promise.all([
        engine.call<
          readonly { Id: string; RepoDigests?: readonly string[] | null; Size: number }[]
        >({
          method: 'GET',
          path: '/images/json',
        }),
        engine.call<readonly Listed[]>({
          method: 'GET',
          path: '/containers/json',
          query: { all: true },
        }),
      ]);
      const used = new Set(containers.flatMap(({ Image, ImageID }) => [Image, ImageID]));
      const references = images.flatMap((image) =>
        (image.RepoDigests ?? [])
          .filter((id) => id.startsWith(prefix) && id.includes('@'))
          .map((id) => ({ id, image })),
      );
      return await Promise.all(
        references.map(async ({ id, image }) => ({
          id,
          repository: id.slice(prefix.length, id.indexOf('@')),
          digest: id.slice(id.indexOf('@') + 1),
          size: image.Size,
          preparedAt: await this.#preparedAt(id),
          inUse: used.has(image.Id) || used.has(id),
        })),
      );
    } catch (error) {
      throw refused(error, {});
    }
  }

  /** The engine knows when one was last named; a restart of this process asks it once. */
  async #preparedAt(id: string): Promise<number> {
    const known = this.#prepared.get(id);
    if (known !== undefined) return known;
    const inspected = await this.#inspect(id);
    const at = Date.parse(inspected?.Metadata?.LastTagTime ?? inspected?.Created ?? '');
    const since = Number.isNaN(at) || at < 0 ? 0 : at;
    this.#prepared.set(id, since);
    return since;
  }

  async remove(id: string): Promise<boolean> {
    try {
      await this.#deps.engine.call({ method: 'DELETE', path: `/images/${id}` });
    } catch (error) {
      // A conflict: a container is made of it.
      if (hasStatus(error, 409)) return false;
      if (!hasStatus(error, 404)) throw refused(error, {});
    }
    this.#prepared.delete(id);
    return true;
  }
}

export function wrongPlatform(there: readonly string[], needed: string): string {
  return (
    `The image is for ${there.join(', ')}, and this engine runs ${needed}: ` +
    `build it with docker build --platform ${needed}.`
  );
}

function configOf({ Config }: InspectedImage): PreparedImage['config'] {
  const env = (Config?.Env ?? []).map((entry): [string, string] => {
    const end = entry.indexOf('=');
    return end < 0 ? [entry, ''] : [entry.slice(0, end), entry.slice(end + 1)];
  });
  const ports = Object.keys(Config?.ExposedPorts ?? {})
    .filter((port) => !port.endsWith('/udp') && !port.endsWith('/sctp'))
    .map((port) => Number.parseInt(port, 10))
    .filter((port) => port > 0 && port < 65_536);
  return {
    user: Config?.User ?? '',
    workingDir: Config?.WorkingDir ?? '',
    entrypoint: Config?.Entrypoint ?? [],
    command: Config?.Cmd ?? [],
    env: Object.fromEntries(env),
    labels: Config?.Labels ?? {},
    exposedPorts: ports,
  };
}
