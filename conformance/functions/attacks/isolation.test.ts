/** What a container must not reach, take or break, tried by a real one on both engines. */
import { after, before, describe, test } from 'node:test';
import { firstObstacle } from '../../clients/support/suite.ts';
import { engineObstacle, releases } from '../support/engine.ts';
import { needsServerProgram } from '../support/server-program.ts';
import { type AttackBench, startAttackBench } from './bench.ts';
import { attacks } from './inside/attacks.ts';

for (const release of releases) {
  const skip = firstObstacle(engineObstacle(release), needsServerProgram());
  describe(`isolation by the driver on ${release.name}`, () => {
    let bench: AttackBench | undefined;
    if (!skip) {
      before(async () => {
        bench = await startAttackBench(release);
      });
      after(() => bench?.stop());
    }
    for (const [title, { obstacle }] of Object.entries(attacks)) {
      const why = skip ?? obstacle?.();
      test(title, { timeout: 90_000, ...(why ? { skip: why } : {}) }, async (t) => {
        try {
          await bench!.run(title);
        } catch (error) {
          t.diagnostic(`the engine's log:\n${bench!.log().slice(-2_000)}`);
          throw error;
        }
      });
    }
  });
}
