import { replay } from '../../../../src/scheduler/simulation/replay.ts';
import {
  keyOf,
  simulate,
  simulatedTarget,
} from '../../../../src/scheduler/simulation/simulation-kit.ts';
import { generateTraffic } from '../../../../src/scheduler/simulation/traffic.ts';
import type { FunctionsRow } from '../rig.ts';

const functions = 10_000;
const tickMs = 2_000;
const ticks = 10;

/** The real pool and scaler on a simulated engine and clock: what deciding costs, and nothing else. */
export const simulationRow: FunctionsRow = {
  name: 'simulation',
  title: `The scaler of ${functions.toLocaleString('en-US')} functions that are in use`,
  async run() {
    const idleMs = { production: 1e9, preview: 1e9 };
    const sim = simulate({ settings: { createdAheadMs: 0, queueLimit: 1_000, idleMs } });
    const targets = Array.from({ length: functions }, (_, n) =>
      simulatedTarget({ deploymentId: `dpl_${n}`, digest: `sha256:${n % 50}` }),
    );
    for (const target of targets) {
      sim.deployed.set(keyOf(target), target);
      sim.live.add(keyOf(target));
    }
    await sim.pool.start();
    const warm = targets.map((_, n) => ({ at: n, to: n, ms: 100 }));
    await replay(sim, targets, warm, { everyMs: 60_000, look: () => {} });
    const quietBegun = performance.now();
    await sim.time.advance(ticks * tickMs);
    const quiet = (performance.now() - quietBegun) / ticks;
    const requests = generateTraffic({ functions, ms: ticks * tickMs, seed: 1 });
    const busyBegun = performance.now();
    await replay(sim, targets, requests, { everyMs: 60_000, look: () => {} });
    const busy = (performance.now() - busyBegun) / ticks;
    const own = (what: string, gantry: number) => ({ what, unit: 'ms', gantry, peer: undefined });
    return {
      figures: [own('a tick, nobody asks', quiet), own('a tick with its share of requests', busy)],
      notes: [
        `a tick is ${tickMs / 1_000} s; ${sim.driver.count('running') + sim.driver.count('frozen')} instances, ${requests.length} requests in ${ticks} ticks`,
      ],
    };
  },
};
