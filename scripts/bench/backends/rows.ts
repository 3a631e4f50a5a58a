import { ociManifest } from '../../../src/oci/media-types.ts';
import type { GetAnswer, GetOrder } from '../clients/get-blob.ts';
import { runClient } from '../clients/run-client.ts';
import { type Load, load } from '../load.ts';
import type { Figure } from '../report.ts';
import { alternate, metered } from '../rounds.ts';
import { blobRepository, putBlob, quietDisk } from '../rows/blobs.ts';
import { project, pushSmallImage, pushTags, type SmallImage } from '../seed.ts';
import type { Server } from '../servers.ts';

export interface BackendScale {
  readonly rounds: number;
  /** Of each turn under load. */
  readonly seconds: number;
  /** Of each turn. */
  readonly pushes: number;
  readonly putBytes: number;
  readonly getBytes: number;
}

export interface Backend {
  readonly name: string;
  readonly server: Server;
  readonly image: SmallImage;
}

export interface BackendRow {
  readonly name: string;
  readonly title: string;
  run(
    backends: readonly Backend[],
    scale: BackendScale,
  ): Promise<{ figures: Figure[]; notes?: readonly string[] }>;
}

export const repository = `${project}/app`;

const connections = 32;

/** One figure of all backends, each beside the first. */
async function compare(
  backends: readonly Backend[],
  rounds: number,
  unit: string,
  turn: (backend: Backend) => Promise<{ value: number; works: number }>,
): Promise<Figure[]> {
  const medians = await alternate(backends, rounds, async (backend) => {
    const { result, own } = await metered(backend.server.pid, () => turn(backend));
    return { value: result.value, cpu: (own * 1000) / result.works };
  });
  const [first, ...others] = backends;
  const figure = (name: string, key: 'value' | 'cpu', of: string): Figure => ({
    ...{ what: key === 'cpu' ? `· CPU of Gantry for one` : name, unit: of },
    ...{ peer: medians.get(first!.name)?.[key], gantry: medians.get(name)?.[key] },
  });
  return others.flatMap(({ name }) => [figure(name, 'value', unit), figure(name, 'cpu', 'ms')]);
}

function reads(
  name: string,
  title: string,
  method: Load['method'],
  path: (backend: Backend) => string,
): BackendRow {
  return {
    ...{ name, title },
    async run(backends, { rounds, seconds }) {
      const figures = await compare(backends, rounds, 'requests/s', async (backend) => {
        const headers = { ...(await backend.server.headers(repository)), accept: ociManifest };
        const url = `${backend.server.url}/v2/${repository}/${path(backend)}`;
        const { perSecond, requests } = await load({ url, method, headers, connections, seconds });
        return { value: perSecond, works: requests };
      });
      return { figures, notes: [`${connections} connections`] };
    },
  };
}

const pushRepository = `${project}/pushes`;

export const backendRows: readonly BackendRow[] = [
  reads('manifest-get', 'GET manifest by tag', 'GET', () => 'manifests/latest'),
  reads('manifest-head', 'HEAD manifest by tag', 'HEAD', () => 'manifests/latest'),
  reads('blob-head', 'HEAD blob', 'HEAD', ({ image }) => `blobs/${image.layerDigest}`),
  {
    name: 'tag-push',
    title: 'Tag pushes into one repository, 8 at once',
    async run(backends, { rounds, pushes }) {
      const next = new Map<string, number>();
      for (const { server, image } of backends) await pushSmallImage(server, pushRepository, image);
      const figures = await compare(backends, rounds, 'pushes/s', async (backend) => {
        const from = next.get(backend.name) ?? 0;
        next.set(backend.name, from + pushes);
        const { server, image } = backend;
        const { seconds } = await pushTags(server, pushRepository, image, { from, count: pushes });
        return { value: pushes / seconds, works: pushes };
      });
      return { figures, notes: ['every 201 is a synced commit, of either database'] };
    },
  },
  {
    name: 'blob-put',
    title: 'PUT of a large blob',
    async run(backends, { rounds, putBytes }) {
      const figures = await compare(backends, rounds, 's', async ({ server }) => {
        await quietDisk();
        return { value: (await putBlob(server, putBytes)).seconds, works: 1 };
      });
      return { figures, notes: [`${(putBytes / 1e6).toFixed(0)} MB by POST and PUT`] };
    },
  },
  {
    name: 'blob-get',
    title: 'GET of a large blob',
    async run(backends, { rounds, getBytes }) {
      const digests = new Map<string, string>();
      for (const { name, server } of backends) {
        digests.set(name, (await putBlob(server, getBytes)).digest);
      }
      const times = 5;
      const figures = await compare(backends, rounds, 'MB/s', async ({ name, server }) => {
        const order: GetOrder = {
          url: `${server.url}/v2/${blobRepository}/blobs/${digests.get(name)}`,
          headers: await server.headers(blobRepository),
          ...{ bytes: getBytes, times },
        };
        const { seconds } = await runClient<GetAnswer>('get-blob.ts', order);
        // One more, before the clock starts.
        return { value: (times * getBytes) / 1e6 / seconds, works: times + 1 };
      });
      return { figures, notes: [`${(getBytes / 1e6).toFixed(0)} MB, through Gantry`] };
    },
  },
];
