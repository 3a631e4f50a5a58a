import { compare, manyRepository, type Row } from '../bench.ts';
import { tagName } from '../clients/push-tags.ts';
import type { LoadAnswer, LoadOrder } from '../clients/raw-load.ts';
import { runClient } from '../clients/run-client.ts';
import { alternate, metered } from '../rounds.ts';
import { project, pushSmallImage, pushTags } from '../seed.ts';
import type { Server } from '../servers.ts';

export const pushRepository = `${project}/pushes`;

/** Pushes of each turn: enough that a turn lasts about a second on either server. */
const tagsOfTurn = 1_000;

export const tagRows: readonly Row[] = [
  {
    name: 'tag-push',
    title: 'Tag pushes into one repository, 8 at once',
    async run(bench) {
      const { servers, image } = await bench.files();
      const { rounds, flatTags } = bench.scale;
      const next = new Map<string, number>();
      const push = (server: Server, count: number) => {
        const from = next.get(server.name) ?? 0;
        next.set(server.name, from + count);
        return pushTags(server, pushRepository, image, { from, count });
      };
      const count = Math.min(tagsOfTurn, flatTags / 10);
      for (const server of servers) {
        await pushSmallImage(server, pushRepository, image);
        await push(server, count);
      }
      const medians = await alternate(servers, rounds, async (server) => {
        const { result, own } = await metered(server.pid, () => push(server, count));
        return { rate: count / result.seconds, perCpu: count / own };
      });
      const gantry = servers.find((server) => server.name === 'gantry')!;
      const { answeredMs } = await push(gantry, flatTags);
      const window = flatTags / 10;
      const first = window / (answeredMs[window - 1]! / 1000);
      const last = window / ((answeredMs.at(-1)! - answeredMs.at(-window - 1)!) / 1000);
      return {
        figures: [
          compare(medians, 'rate', {
            what: 'rate',
            unit: 'pushes/s',
            goal: { of: 'ratio', is: '≥', value: 1.5 },
          }),
          compare(medians, 'perCpu', { what: 'by CPU', unit: 'pushes/CPU s' }),
          {
            what: `first ${window} of ${flatTags}`,
            unit: 'pushes/s',
            gantry: first,
            peer: undefined,
          },
          {
            what: `last ${window} of ${flatTags}`,
            unit: 'pushes/s',
            gantry: last,
            peer: undefined,
          },
          {
            what: 'last against first',
            unit: 'share',
            gantry: last / first,
            peer: undefined,
            goal: { of: 'own', is: '≥', value: 0.9 },
          },
        ],
        notes: [
          `one manifest under new tags, ${rounds} turns of ${count} each; every 201 of Gantry is a synced commit`,
        ],
      };
    },
  },
  {
    name: 'tags-list',
    title: 'tags/list?n=100, one after another',
    async run(bench) {
      const { servers } = await bench.manyTags();
      const { rounds, seconds, manyTags } = bench.scale;
      const ask = async (server: Server, repository: string, tags: number) => {
        const last = tagName(tags >> 1);
        const order: LoadOrder = {
          url: `${server.url}/v2/${repository}/tags/list?n=100&last=${last}`,
          method: 'GET',
          headers: await server.headers(repository),
          connections: 1,
          seconds: seconds / 2,
        };
        const answer = await runClient<LoadAnswer>('raw-load.ts', order);
        if (answer.failures > 0) throw new Error(`${server.name} failed to list tags`);
        return { ms: answer.medianMs };
      };
      const medians = await alternate(servers, rounds, (server) =>
        ask(server, manyRepository, manyTags),
      );
      return {
        figures: [
          compare(medians, 'ms', {
            what: `a page from the middle of ${manyTags} tags`,
            unit: 'ms',
            goal: { of: 'own', is: '≤', value: 1 },
          }),
        ],
        notes: ['median of the times of one connection'],
      };
    },
  },
];
