/** The barrier cases notice what they are for: each planted bug makes every case fail that is to notice it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allCases } from './all-cases.ts';
import { BarrierWorld } from './barrier-world.ts';
import { plantedBugs } from './planted-bugs.ts';
import { explore } from './stage.ts';

for (const { name, noticedBy, plant } of plantedBugs) {
  test(`noticed: ${name}`, { timeout: 60_000 }, async (t) => {
    for (const title of noticedBy) {
      const found = allCases.find((one) => one.name === title);
      assert.ok(found, title);
      const world = await BarrierWorld.open(t, undefined, plant());
      const failure = await explore(world.stage, found.gates, () => found.make(world)).then(
        (played) => assert.fail(`${title} did not notice in ${played} orders`),
        (error: Error) => error,
      );
      t.diagnostic(`${title}: ${failure.message.split('\n')[0]?.slice(0, 120)}`);
    }
  });
}
