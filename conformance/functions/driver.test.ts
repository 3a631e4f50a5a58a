/** Every sentence of the driver's port, on both container engines. */
import { after, before, describe, test } from 'node:test';
import { driverCases } from '../../src/runtimes/contract/driver-contract.ts';
import { needsBusybox } from './support/busybox.ts';
import { type DriverBench, startDriverBench } from './support/driver-bench.ts';
import { engineObstacle, releases } from './support/engine.ts';

for (const release of releases) {
  const skip = engineObstacle(release) ?? needsBusybox();
  describe(`the driver on ${release.name}`, () => {
    let bench: DriverBench | undefined;
    if (!skip) {
      before(async () => {
        bench = await startDriverBench(release);
      });
      after(() => bench?.stop());
    }
    for (const [group, cases] of Object.entries(driverCases)) {
      for (const sentence of Object.keys(cases)) {
        test(`${group}: ${sentence}`, { timeout: 60_000, ...(skip ? { skip } : {}) }, async (t) => {
          try {
            await bench!.run(group, sentence);
          } catch (error) {
            t.diagnostic(`the engine's log:\n${bench!.log().slice(-2_000)}`);
            throw error;
          }
        });
      }
    }
  });
}
