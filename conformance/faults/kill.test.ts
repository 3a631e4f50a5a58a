/** attacks.md, "Faults": kill -9 at each write, sync, commit, tag move and delete; invariants 1 to 3, 7 and 8. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { checkIntegrity, inspectAtRest } from './support/at-rest.ts';
import { Random, runSeed } from './support/random.ts';
import { Rig, sweepAll } from './support/rounds.ts';

const quick = process.env.GANTRY_TEST_QUICK === '1';
const kills = Number(process.env.GANTRY_TEST_KILLS ?? (quick ? 5 : 100));
/** Longer than a restart and all that is looked at takes, so that uploads can go on. */
const expiryMs = quick ? 10_000 : 20_000;

test(`what was acknowledged is whole after each of ${kills} kill -9 under load`, async (t) => {
  const seed = runSeed();
  t.diagnostic(`GANTRY_TEST_SEED=${seed}`);
  const random = new Random(seed);
  const folder = await mkdtemp(join(tmpdir(), 'gantry-kill-'));
  const rig = await Rig.prepare({ data: join(folder, 'data'), random, expiryMs });
  const expectNone = (problems: readonly string[], when: string): void =>
    assert.deepEqual(problems, [], `${when} (GANTRY_TEST_SEED=${seed})\n${problems.join('\n')}`);
  try {
    for (let kill = 1; kill <= kills; kill++) {
      const launched = rig.launch();
      if (random.chance(0.1)) {
        // While it starts.
        await Promise.race([delay(random.whole(0, 700)), launched.ready.catch(() => {})]);
        await rig.kill();
      } else {
        expectNone(await rig.inspect(), `after kill ${kill - 1}`);
        const crash = async (): Promise<void> => {
          const early = await launched.endsWithin(random.size(10, 1_000));
          assert.ok(!early, `the server ended by itself (seed ${seed}):\n${launched.output()}`);
          await rig.kill();
        };
        expectNone(await rig.work(crash), `before kill ${kill}`);
      }
      const { problems, unnamed } = inspectAtRest(rig.data);
      expectNone(problems, `at rest after kill ${kill}`);
      assert.deepEqual(unnamed, [], `files that no row names after kill ${kill}`);
    }
    rig.launch();
    expectNone(await rig.inspect(), `after kill ${kills}`);
    expectNone(await rig.stop(), 'at the end');
    t.diagnostic(`${rig.answered} pieces of work were answered, in ${kills} rounds`);

    const swept = await sweepAll(rig, expiryMs, 60_000);
    expectNone(swept.problems, 'after the sweep');
    const { uploads, discarded, unnamed } = swept;
    assert.deepEqual({ uploads, discarded, unnamed }, { uploads: 0, discarded: 0, unnamed: [] });
    expectNone(checkIntegrity(rig.data), 'the database');
  } finally {
    await rig.kill().catch(() => {});
    await rm(folder, { recursive: true, force: true });
  }
});
