/**
 * kill -9 of Gantry at any moment of a deploy and of a start: after the next start what was pushed answers, and
 * the engine holds nothing twice and nothing that should not be. GANTRY_TEST_SEED repeats a run,
 * GANTRY_TEST_ROUNDS makes it longer; kill-steps.test.ts goes through the steps by name.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { Random, runSeed } from '../../faults/support/random.ts';
import { agrees, held, runs } from '../support/containers.ts';
import { releases } from '../support/engine.ts';
import { functionImage } from '../support/images.ts';
import { answers, lasting } from '../support/recovering.ts';
import { functionsSuite } from '../support/suite.ts';
import { until } from '../support/until.ts';

const rounds = Number(process.env.GANTRY_TEST_ROUNDS ?? 5);

functionsSuite({
  name: 'kill -9 of Gantry',
  releases,
  // A network is kept for a minute after its last container.
  sideBySide: true,
  tests: {
    'at any moment of a deploy': async (world, t) => {
      const { gantry, functions, engine } = world;
      const random = new Random(runSeed());
      t.diagnostic(`GANTRY_TEST_SEED=${random.seed}`);
      await functions.service('deploy', lasting);
      await functions.deploy('deploy', 'latest', functionImage({ version: 'before' }));
      await answers(world, 'deploy', 'before');
      for (let round = 0; round < rounds; round += 1) {
        const version = `round ${round}`;
        const repository = gantry.repository('deploy');
        const url = await gantry.push(repository, 'latest', functionImage({ version }));
        assert.ok(url, 'acknowledged, so it has to come');
        const asked = gantry.ask(url, '/').catch(() => undefined);
        const afterMs = random.whole(0, 1_500);
        await delay(afterMs);
        await gantry.halt('SIGKILL');
        t.diagnostic(`round ${round}: killed ${afterMs} ms after the push`);
        await asked;
        await gantry.resume();
        const { state, reason } = await functions.settled(url);
        assert.equal(state, 'ready', JSON.stringify(reason));
        await answers(world, 'deploy', version);
        await agrees(engine, { deploy: 1 });
      }
    },

    'at any moment of a start': async (world, t) => {
      const { gantry, functions, engine } = world;
      const random = new Random(runSeed());
      t.diagnostic(`GANTRY_TEST_SEED=${random.seed}`);
      await functions.service('start', lasting);
      const image = functionImage({ version: 'start' });
      const { serviceHost } = await functions.deploy('start', 'latest', image);
      for (let round = 0; round < rounds; round += 1) {
        // As an operator's `docker rm -f` does: the next request needs a start.
        for (const { id } of await held(engine, 'start')) {
          await engine.api('DELETE', `/containers/${id}?force=1`).catch(() => {});
        }
        const asked = gantry.ask(serviceHost, '/').catch(() => undefined);
        const afterMs = random.whole(0, 600);
        await delay(afterMs);
        await gantry.halt('SIGKILL');
        t.diagnostic(`round ${round}: killed ${afterMs} ms after the request`);
        await asked;
        await gantry.resume();
        await answers(world, 'start', 'start');
        await agrees(engine, { deploy: 1, start: 1 });
      }
    },

    'while its function answers: what runs is taken over, not started again': async (world) => {
      const { gantry, functions, engine } = world;
      const image = functionImage({ version: 'adopted' });
      await functions.service('adopted', lasting);
      const { serviceHost } = await functions.deploy('adopted', 'latest', image);
      const before = JSON.parse((await gantry.ask(serviceHost, '/state')).body);
      await gantry.halt('SIGKILL');
      await gantry.resume();
      const after = await until(async () => {
        const { status, body } = await gantry.ask(serviceHost, '/state');
        return status === 200 ? JSON.parse(body) : undefined;
      }, 'it answers');
      assert.equal(after.started, before.started, 'the same instance');
      await agrees(engine, { deploy: 1, start: 1, adopted: 1 });
    },

    'and its project is deleted after: nothing is left in the engine': async (world) => {
      const { gantry, functions, engine } = world;
      await gantry.halt('SIGKILL');
      await gantry.resume();
      // What production runs holds its images.
      await functions.project('DELETE', '/environments/production');
      for (const name of ['deploy', 'start', 'adopted']) {
        await functions.project('DELETE', `/repositories/${name}`);
      }
      await functions.project('DELETE', '');
      await until(
        async () => (await held(engine)).length === 0 || undefined,
        'no container is left',
        { withinMs: 90_000 },
      );
      await until(
        async () => (await engine.leftovers()).networks.length === 0 || undefined,
        'no network is left',
        { withinMs: 180_000 },
      );
      assert.equal((await held(engine)).filter(runs).length, 0);
    },
  },
});
