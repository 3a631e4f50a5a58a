/** What scaling costs: `node scripts/bench/functions/scale.ts [functions]`. */
import { defaultPoolSettings } from '../../../src/scheduler/pool/pool-deps.ts';
import {
  ask,
  simulate,
  simulatedTarget,
} from '../../../src/scheduler/simulation/simulation-kit.ts';

const everyMs = defaultPoolSettings.scale.tickMs;

export interface ScaleBench {
  readonly functions: number;
  readonly ticks: number;
  /** Milliseconds of CPU that one tick takes for all of them, the median and the worst. */
  readonly tickMs: number;
  readonly worstTickMs: number;
}

/** Ticks over functions that each have an instance with requests in flight, on simulated time and engine. */
export async function benchScale(
  options: { readonly functions?: number; readonly ticks?: number } = {},
): Promise<ScaleBench> {
  const { functions = 10_000, ticks = 50 } = options;
  const { time, pool } = simulate({
    settings: { parallelStarts: functions, createdAheadMs: 0, queueTotal: functions },
  });
  await pool.start();
  const asked = Array.from({ length: functions }, (_, n) =>
    ask(pool, simulatedTarget({ deploymentId: `dpl_${n}`, settings: { concurrency: 10 } })),
  );
  await time.advance(everyMs);
  const placed = asked.filter(({ result }) => result).length;
  if (placed !== functions) throw new Error(`only ${placed} of ${functions} run`);
  const took: number[] = [];
  for (let tick = 0; tick < ticks; tick++) {
    const began = performance.now();
    await time.advance(everyMs);
    took.push(performance.now() - began);
  }
  took.sort((a, b) => a - b);
  return { functions, ticks, tickMs: took[ticks >> 1]!, worstTickMs: took.at(-1)! };
}

if (import.meta.main) {
  const { functions, tickMs, worstTickMs } = await benchScale({
    functions: Number(process.argv[2] ?? 10_000),
  });
  console.log(
    `${functions} functions: ${tickMs.toFixed(1)} ms a tick, ${worstTickMs.toFixed(1)} ms at worst`,
  );
  process.exit(0);
}
