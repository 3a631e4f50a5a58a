import { ociManifest } from '../../../src/oci/media-types.ts';
import {
  type Bench,
  compare,
  manyRepository,
  type Outcome,
  type Pair,
  type Row,
  smallRepository,
} from '../bench.ts';
import { tagName } from '../clients/push-tags.ts';
import { type Load, load, loadTool } from '../load.ts';
import type { Goal } from '../report.ts';
import { alternate, metered } from '../rounds.ts';
import type { Server } from '../servers.ts';

export const connections = 32;

export interface ReadGoals {
  readonly rate?: number;
  readonly perCpu?: number;
}

/** Requests a second and by CPU second of the server, both servers by turns under the same load. */
export async function compareReads(
  bench: Bench,
  { servers }: Pick<Pair, 'servers'>,
  what: { method: Load['method']; repository: string; path: string; goals: ReadGoals },
): Promise<Outcome> {
  const { rounds, seconds } = bench.scale;
  const order = async (server: Server): Promise<Load> => ({
    url: `${server.url}/v2/${what.repository}/${what.path}`,
    method: what.method,
    headers: { ...(await server.headers(what.repository)), accept: ociManifest },
    connections,
    seconds,
  });
  for (const server of servers) await load({ ...(await order(server)), seconds: 1 });
  const medians = await alternate(servers, rounds, async (server) => {
    const sent = await order(server);
    const { result, own } = await metered(server.pid, () => load(sent));
    return { rate: result.perSecond, perCpu: result.requests / own };
  });
  const ratio = (value: number | undefined): { goal: Goal } | undefined =>
    value === undefined ? undefined : { goal: { of: 'ratio', is: '≥', value } };
  return {
    figures: [
      compare(medians, 'rate', { what: 'rate', unit: 'requests/s', ...ratio(what.goals.rate) }),
      compare(medians, 'perCpu', {
        what: 'by CPU',
        unit: 'requests/CPU s',
        ...ratio(what.goals.perCpu),
      }),
    ],
    notes: [
      `${loadTool(what.method)}, ${connections} connections, ${rounds} turns of ${seconds} s each`,
    ],
  };
}

/** Gantry's rate in the repository of many tags, by its rate in the one of one tag. */
async function shareOfRate(bench: Bench, { servers }: Pair, path: string): Promise<number> {
  const gantry = servers.find((server) => server.name === 'gantry')!;
  const targets = [
    { name: 'one', repository: smallRepository, path: 'manifests/latest' },
    { name: 'many', repository: manyRepository, path },
  ];
  const { rounds, seconds } = bench.scale;
  const medians = await alternate(targets, rounds, async ({ repository, path: target }) => {
    const url = `${gantry.url}/v2/${repository}/${target}`;
    const headers = { ...(await gantry.headers(repository)), accept: ociManifest };
    return { rate: (await load({ url, method: 'GET', headers, connections, seconds })).perSecond };
  });
  return medians.get('many')!.rate! / medians.get('one')!.rate!;
}

export const readRows: readonly Row[] = [
  {
    name: 'manifest-get',
    title: 'GET manifest by tag',
    run: async (bench) =>
      compareReads(bench, await bench.files(), {
        method: 'GET',
        repository: smallRepository,
        path: 'manifests/latest',
        goals: { rate: 3, perCpu: 5 },
      }),
  },
  {
    name: 'manifest-get-many',
    title: 'GET manifest by tag, in a repository of many tags',
    async run(bench) {
      const pair = await bench.manyTags();
      const path = `manifests/${tagName(bench.scale.manyTags >> 1)}`;
      const what = { method: 'GET', repository: manyRepository, path, goals: {} } as const;
      const { figures, notes = [] } = await compareReads(bench, pair, what);
      const flat = {
        what: 'against one tag',
        unit: 'share of the rate',
        gantry: await shareOfRate(bench, pair, path),
        peer: undefined,
        goal: { of: 'own', is: '≥', value: 0.9 } as const,
      };
      return { figures: [...figures, flat], notes: [...notes, `${bench.scale.manyTags} tags`] };
    },
  },
  {
    name: 'manifest-head',
    title: 'HEAD manifest by tag',
    run: async (bench) =>
      compareReads(bench, await bench.files(), {
        method: 'HEAD',
        repository: smallRepository,
        path: 'manifests/latest',
        goals: { rate: 2 },
      }),
  },
  {
    name: 'blob-head',
    title: 'HEAD blob',
    run: async (bench) => {
      const pair = await bench.files();
      return compareReads(bench, pair, {
        method: 'HEAD',
        repository: smallRepository,
        path: `blobs/${pair.image.layerDigest}`,
        goals: { rate: 2 },
      });
    },
  },
];
