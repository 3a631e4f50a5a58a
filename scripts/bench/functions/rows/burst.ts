import { type FunctionsRow, percentile, type Rig } from '../rig.ts';
import { removeCreated } from './cold.ts';

/** All at once: each request needs an instance of its own. */
export const burstRow: FunctionsRow = {
  name: 'burst',
  title: 'Requests at once, each for an instance of its own',
  async run(rig) {
    const { burst } = rig.order.scale;
    const alone = await aloneAtOnce(rig, burst);
    await removeCreated(rig, 'burst');
    const begun = performance.now();
    const answers = await Promise.allSettled(
      Array.from({ length: burst }, () =>
        rig.ask(rig.order.origin, '/slow?ms=1000', { host: rig.order.hosts.burst }),
      ),
    );
    const wholeMs = performance.now() - begun;
    const bad = answers.flatMap((answer) => {
      if (answer.status === 'rejected') return [String(answer.reason)];
      return answer.value.status === 200 ? [] : [`${answer.value.status} ${answer.value.body}`];
    });
    const times = answers.flatMap((answer) =>
      answer.status === 'fulfilled' ? [answer.value.firstByteMs - 1_000] : [],
    );
    return {
      figures: [
        {
          what: 'errors',
          unit: `of ${burst}`,
          gantry: bad.length,
          peer: alone.errors,
          goal: { of: 'own', is: '≤', value: 0 },
        },
        {
          what: 'until the last',
          unit: 's',
          gantry: (wholeMs - 1_000) / 1_000,
          peer: alone.wholeMs / 1_000,
        },
        {
          what: 'first byte, p50',
          unit: 's',
          gantry: percentile(times, 0.5) / 1_000,
          peer: percentile(alone.times, 0.5) / 1_000,
        },
      ],
      notes: [
        'each request takes 1 s in the function, which is left out of the times',
        ...bad.slice(0, 3),
      ],
    };
  },
};

async function aloneAtOnce(rig: Rig, count: number) {
  const ids: string[] = [];
  const times: number[] = [];
  const begun = performance.now();
  const ends = await Promise.allSettled(
    Array.from({ length: count }, async () => {
      const id = await rig.engine.create(rig.reference('burst'));
      ids.push(id);
      await rig.engine.start(id);
      await rig.engine.connect(id);
      times.push(performance.now() - begun);
    }),
  );
  const wholeMs = performance.now() - begun;
  await Promise.all(ids.map((id) => rig.engine.remove(id)));
  return { wholeMs, times, errors: ends.filter(({ status }) => status === 'rejected').length };
}
