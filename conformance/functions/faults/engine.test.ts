/** The engine restarts, hangs, forgets an image, or goes down together with Gantry: functions recover. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { agrees, held, noneRuns } from '../support/containers.ts';
import { releases } from '../support/engine.ts';
import { functionImage } from '../support/images.ts';
import { startLoad } from '../support/load.ts';
import { functionsSuite, type World } from '../support/suite.ts';
import { until } from '../support/until.ts';

const settings = {
  freezeAfterMs: 0,
  idleMs: { production: 600_000 },
  maxInstances: 2,
  graceMs: 500,
};

async function recovered({ gantry }: World, host: string, withinMs = 60_000): Promise<number> {
  const begun = performance.now();
  await until(
    async () => {
      const { status, body } = await gantry.ask(host, '/');
      if (status !== 200) throw new Error(`${status} ${body}`);
      return true;
    },
    'the function answers again',
    { withinMs, everyMs: 200 },
  );
  return performance.now() - begun;
}

functionsSuite({
  name: 'engine faults',
  releases,
  async prepare({ functions }) {
    for (const name of ['web', 'cold']) await functions.service(name, settings);
    await functions.service('cold', { ...settings, idleMs: { production: 1_000 } });
    for (const name of ['web', 'cold']) {
      await functions.deploy(name, 'latest', functionImage({ version: name }));
    }
  },
  tests: {
    'it restarts under load: functions answer again by themselves': async (world, t) => {
      const { gantry, functions, engine } = world;
      const host = functions.serviceHost('web');
      await recovered(world, host);
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        const load = startLoad(gantry, host, { clients: 4, path: '/', pauseMs: 20 });
        await load.passed(40);
        await engine.restart(signal);
        const took = await recovered(world, host);
        t.diagnostic(`${signal}: answers ${Math.round(took)} ms after the engine is back`);
        await load.passed(40);
        const { failures } = await load.stop();
        t.diagnostic(`${signal}: ${failures.length} failed meanwhile: ${failures[0] ?? ''}`);
        await agrees(engine, { web: 2, cold: 1 });
      }
    },

    'it hangs: what runs answers on, what has to start waits or is told when to come': async (
      world,
    ) => {
      const { gantry, functions, engine } = world;
      const host = functions.serviceHost('web');
      await recovered(world, host);
      await noneRuns(engine, 'cold');
      await engine.hang();
      try {
        const load = startLoad(gantry, host, { clients: 4, path: '/', pauseMs: 10 });
        await load.passed(200);
        const cold = await gantry.ask(functions.serviceHost('cold'), '/', { timeoutMs: 60_000 });
        assert.equal(cold.status, 503, cold.body);
        assert.ok(Number(cold.headers['retry-after']) > 0);
        const said = JSON.parse(cold.body);
        assert.ok(said.code && said.message && said.hint, cold.body);
        assert.deepEqual((await load.stop()).failures, []);
        const ready = await gantry.raw.request('/v2/');
        assert.equal(ready.status, 200, 'the registry does not wait for it');
      } finally {
        engine.resume();
      }
      await recovered(world, functions.serviceHost('cold'));
      await agrees(engine, { web: 2, cold: 2 });
    },

    'an image that was deleted from it after the deploy is pulled again': async (world) => {
      const { functions, engine } = world;
      await noneRuns(engine, 'cold');
      for (const { id } of await held(engine, 'cold')) {
        await engine.api('DELETE', `/containers/${id}?force=1`).catch(() => {});
      }
      const images = await engine.api<{ Id: string; RepoDigests: string[] | null }[]>(
        'GET',
        '/images/json?all=1',
      );
      const own = images.filter(({ RepoDigests }) =>
        (RepoDigests ?? []).some((one) => one.includes('/cold@')),
      );
      assert.ok(own.length > 0, 'it is there');
      for (const { Id } of own) await engine.api('DELETE', `/images/${Id}?force=1`);
      await recovered(world, functions.serviceHost('cold'));
      await agrees(engine, { web: 2, cold: 2 });
    },

    'a container that someone kills is followed by another': async (world) => {
      const { gantry, functions, engine } = world;
      const host = functions.serviceHost('web');
      await recovered(world, host);
      for (const { id, state } of await held(engine, 'web')) {
        if (state === 'running') await engine.api('POST', `/containers/${id}/kill`);
      }
      const answer = await gantry.ask(host, '/');
      assert.ok([200, 502, 503].includes(answer.status), `${answer.status} ${answer.body}`);
      await recovered(world, host);
      await agrees(engine, { web: 2, cold: 2 });
    },

    'it and Gantry are killed together, and start in either order': async (world) => {
      const { gantry, functions, engine } = world;
      const host = functions.serviceHost('web');
      for (const first of ['engine', 'gantry'] as const) {
        await recovered(world, host);
        await Promise.all([gantry.halt('SIGKILL'), engine.halt('SIGKILL')]);
        if (first === 'engine') {
          await engine.begin();
          await gantry.resume();
        } else {
          await gantry.resume();
          assert.equal((await gantry.raw.request('/v2/')).status, 200);
          await delay(1_000);
          await engine.begin();
        }
        await recovered(world, host);
        // What is pushed from then on runs, too.
        const image = functionImage({ version: `after ${first}` });
        await functions.deploy('web', 'latest', image);
        await agrees(engine, { web: 2, cold: 2 });
      }
    },
  },
});
