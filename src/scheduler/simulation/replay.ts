import type { ActivationTarget } from '../activation.ts';
import type { Simulation } from './simulation-kit.ts';
import type { TrafficRequest } from './traffic.ts';

export interface Replayed {
  readonly served: number;
  readonly cold: number;
  /** By code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Milliseconds from the request to its place, of all. */
  readonly waits: readonly number[];
}

/** Sends requests at their times, each holding its place for as long as it took. Runs on the simulation's time. */
export async function replay(
  sim: Simulation,
  targets: readonly ActivationTarget[],
  requests: readonly TrafficRequest[],
  each: { readonly everyMs: number; readonly look: () => void },
): Promise<Replayed> {
  const { time, pool } = sim;
  const refused: Record<string, number> = {};
  const waits: number[] = [];
  let cold = 0;
  const began = time.now();
  const signal = new AbortController().signal;
  for (const { at, to, ms } of requests) {
    time.after(began + at - time.now(), () => {
      const asked = time.now();
      pool.acquire(targets[to]!, { id: 'req', signal }).then(
        (lease) => {
          waits.push(time.now() - asked);
          if (lease.start) cold++;
          time.after(ms, () => lease.release({}));
        },
        (error: { code?: string }) => {
          const code = error.code ?? String(error);
          refused[code] = (refused[code] ?? 0) + 1;
        },
      );
    });
  }
  const last = requests.at(-1)?.at ?? 0;
  for (let at = 0; at < last + each.everyMs; at += each.everyMs) {
    await time.advance(each.everyMs);
    each.look();
  }
  return { served: waits.length, cold, refused, waits };
}
