/** Deployments one after another: no request fails, and what is asked for is what answers. */
import assert from 'node:assert/strict';
import { isFrozen } from './support/containers.ts';
import { functionImage } from './support/images.ts';
import { startLoad } from './support/load.ts';
import { functionsSuite } from './support/suite.ts';
import { until } from './support/until.ts';

functionsSuite({
  name: 'deployments',
  tests: {
    'a second push under load: the new image is served, and no request fails': async (world) => {
      const { gantry, functions } = world;
      const { serviceHost } = await functions.deploy(
        'load',
        'latest',
        functionImage({ version: 'old' }),
      );
      const load = startLoad(gantry, serviceHost, { clients: 8, path: '/slow?ms=20' });
      await load.passed(200);
      await functions.deploy('load', 'latest', functionImage({ version: 'new' }));
      const { body } = await gantry.ask(serviceHost, '/');
      assert.equal(body, 'hello from new\n');
      await load.passed(400);
      const result = await load.stop();
      assert.deepEqual(result.failures, []);
      assert.deepEqual(Object.keys(result.bodies).sort(), [
        'slow answer of new\n',
        'slow answer of old\n',
      ]);
      assert.equal(result.last, 'slow answer of new\n');
    },

    'SIGTERM under load: every request on a kept connection is answered': async (world) => {
      const { gantry, functions } = world;
      const { serviceHost } = await functions.deploy(
        'stop',
        'latest',
        functionImage({ version: 'stop' }),
      );
      const loads = [0, 30].map((pauseMs) =>
        startLoad(gantry, serviceHost, {
          ...{ clients: 16, path: '/slow?ms=20', pauseMs },
          untilRefused: true,
        }),
      );
      for (const load of loads) await load.passed(100);
      await gantry.halt('SIGTERM');
      for (const load of loads) assert.deepEqual((await load.stop()).failures, []);
      await gantry.resume();
      assert.equal((await gantry.ask(serviceHost, '/')).body, 'hello from stop\n');
    },

    'a rollback serves what was before; a replay of pushes does not undo it': async (world) => {
      const { gantry, functions } = world;
      const one = functionImage({ version: 'one' });
      const two = functionImage({ version: 'two' });
      const first = await functions.deploy('back', 'latest', one);
      await functions.deploy('back', 'latest', two);
      const served = async () => (await gantry.ask(first.serviceHost, '/')).body;
      assert.equal(await served(), 'hello from two\n');
      await functions.rollback(first.id);
      assert.equal(await served(), 'hello from one\n');
      await gantry.halt('SIGKILL');
      await gantry.resume();
      assert.equal(await served(), 'hello from one\n', 'after a restart');
      await functions.deploy('back', 'latest', functionImage({ version: 'three' }));
      assert.equal(await served(), 'hello from three\n', 'a later push moves on');
    },

    'a preview beside production, then promoted: the same digest': async (world) => {
      const { gantry, functions } = world;
      const stable = functionImage({ version: 'stable' });
      const production = await functions.deploy('side', 'latest', stable);
      const preview = await functions.deploy('side', 'pr-7', functionImage({ version: 'pr' }));
      assert.equal(preview.environment, 'preview');
      const served = async (host: string) => (await gantry.ask(host, '/')).body;
      assert.equal(await served(production.serviceHost), 'hello from stable\n');
      assert.equal(await served(preview.serviceHost), 'hello from pr\n');
      await functions.promote(preview.id);
      await until(
        async () => (await served(production.serviceHost)) === 'hello from pr\n' || undefined,
        'the promoted image answers in production',
      );
      assert.equal(await served(production.host), 'hello from stable\n', 'its own URL stays');
    },

    'no instance after the idle time, and one again at the next request': async (world) => {
      const { gantry, functions, engine } = world;
      await functions.service('idle', { freezeAfterMs: 300, idleMs: { production: 1_500 } });
      const image = functionImage({ version: 'idle' });
      const { serviceHost } = await functions.deploy('idle', 'latest', image);
      const states = async () => {
        const filters = encodeURIComponent('{"label":["gantry.service=idle"]}');
        const path = `/containers/json?all=1&filters=${filters}`;
        const found = await engine.api<{ Id: string; State: string }[]>('GET', path);
        return Promise.all(
          found.map(async ({ Id, State }) => {
            const frozen = State === 'running' && (await isFrozen(engine, Id));
            return frozen ? 'frozen' : State;
          }),
        );
      };
      const first = JSON.parse((await gantry.ask(serviceHost, '/state')).body);
      await until(
        async () => (await states()).includes('frozen') || undefined,
        'it is frozen without requests',
        { withinMs: 5_000 },
      );
      const thawed = JSON.parse((await gantry.ask(serviceHost, '/state')).body);
      assert.equal(thawed.started, first.started, 'the same instance, thawed');
      await until(
        async () => {
          const now = await states();
          const lives = ['running', 'frozen', 'paused'];
          return now.some((state) => lives.includes(state)) ? undefined : true;
        },
        'it ends when idle',
        { withinMs: 15_000 },
      );
      const again = JSON.parse((await gantry.ask(serviceHost, '/state')).body);
      assert.notEqual(again.started, first.started, 'another instance');
    },

    'frozen and thawed again and again under load: no request fails': async (world) => {
      const { gantry, functions } = world;
      const idleMs = { production: 600_000 };
      await functions.service('thaw', { freezeAfterMs: 100, idleMs, maxInstances: 1 });
      const image = functionImage({ version: 'thaw' });
      const { serviceHost } = await functions.deploy('thaw', 'latest', image);
      const before = JSON.parse((await gantry.ask(serviceHost, '/state')).body);
      let thaws = 0;
      const failures: string[] = [];
      for (let round = 0; round < 30; round += 1) {
        // Some pauses end just as it freezes.
        await new Promise((resolve) => setTimeout(resolve, 60 + (round % 10) * 20));
        const answers = await Promise.allSettled(
          Array.from({ length: 100 }, () => gantry.ask(serviceHost, '/')),
        );
        for (const answer of answers) {
          if (answer.status === 'rejected') failures.push(String(answer.reason));
          else if (answer.value.status !== 200) failures.push(answer.value.body);
          else if (answer.value.headers['server-timing']) thaws += 1;
        }
      }
      assert.deepEqual(failures.slice(0, 5), []);
      assert.ok(thaws > 0, 'some answers waited for a thaw');
      const after = JSON.parse((await gantry.ask(serviceHost, '/state')).body);
      assert.equal(after.started, before.started, 'it was the same instance all the while');
    },
  },
});
