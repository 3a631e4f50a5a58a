import { load } from '../../load.ts';
import { alternate, median } from '../../rounds.ts';
import { type FunctionsRow, percentile, type Rig } from '../rig.ts';

const connections = 32;

/** The function through the gateway, and at its own address. */
async function paths(rig: Rig) {
  const host = rig.order.hosts.warm;
  const gateway = { name: 'gantry', url: rig.order.origin, headers: { host }, host };
  await rig.ask(gateway.url, '/', { host });
  const id = await rig.engine.create(rig.reference('warm'));
  await rig.engine.start(id);
  const { address } = await rig.engine.connect(id);
  const direct = { name: 'direct', url: `http://${address}`, headers: {}, host: undefined };
  return { subjects: [gateway, direct], end: () => rig.engine.remove(id) };
}

export const warmRow: FunctionsRow = {
  name: 'warm',
  title: 'A warm function through the gateway, beside the function called directly',
  async run(rig) {
    const { scale } = rig.order;
    const { subjects, end } = await paths(rig);
    try {
      const latency = await alternate(subjects, scale.rounds, async ({ url, host }) => {
        const times: number[] = [];
        for (let at = 0; at < scale.requests; at += 1) {
          const begun = performance.now();
          const options = { agent: rig.kept, ...(host ? { host } : {}) };
          const { status } = await rig.ask(url, '/', options);
          if (status !== 200) throw new Error(`${url}: ${status}`);
          times.push(performance.now() - begun);
        }
        const warm = times.slice(times.length >> 2);
        return { p50: median(warm), p99: percentile(warm, 0.99) };
      });
      for (const one of subjects) await load({ ...one, method: 'GET', connections, seconds: 1 });
      const rate = await alternate(subjects, scale.rounds, async ({ url, headers }) => {
        const order = { url, headers, method: 'GET', connections, seconds: scale.seconds } as const;
        return { rate: (await load(order)).perSecond };
      });
      const of = (name: string, what: string) =>
        (latency.get(name)?.[what] ?? rate.get(name)?.[what]) as number;
      const both = (what: string) => ({ gantry: of('gantry', what), peer: of('direct', what) });
      return {
        figures: [
          { what: 'one after another, p50', unit: 'ms', ...both('p50') },
          {
            what: 'so the gateway adds, p50',
            unit: 'ms',
            gantry: of('gantry', 'p50') - of('direct', 'p50'),
            peer: undefined,
            goal: { of: 'own', is: '≤', value: 1 },
          },
          { what: 'one after another, p99', unit: 'ms', ...both('p99') },
          { what: `${connections} connections`, unit: 'requests/s', ...both('rate') },
        ],
        notes: [
          'the load, Gantry and the function share the same two cores',
          `${scale.requests} requests one after another, ${scale.rounds} turns of each`,
        ],
      };
    } finally {
      await end();
    }
  },
};
