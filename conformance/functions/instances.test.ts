/** How instances begin and end, and what they keep. */
import assert from 'node:assert/strict';
import { held } from './support/containers.ts';
import type { FunctionsGantry } from './support/gantry.ts';
import { functionImage } from './support/images.ts';
import { functionsSuite, type World } from './support/suite.ts';
import { until } from './support/until.ts';

async function containersOf({ engine }: World, service: string) {
  const filters = encodeURIComponent(JSON.stringify({ label: [`gantry.service=${service}`] }));
  return await engine.api<{ Id: string; State: string }[]>(
    'GET',
    `/containers/json?all=1&filters=${filters}`,
  );
}

async function gone(world: World, service: string, withinMs = 60_000): Promise<void> {
  await until(
    async () => {
      const left = await containersOf(world, service);
      return left.every(({ State }) => State === 'created') || undefined;
    },
    `no instance of ${service} runs`,
    { withinMs },
  );
}

/** All that the function wrote. */
async function linesOf({ functions }: World, service: string): Promise<string> {
  return (await functions.lines(service)).map(({ text }) => text).join('\n');
}

async function fiftyAtOnce(gantry: FunctionsGantry, host: string): Promise<void> {
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => gantry.ask(host, '/slow?ms=1000', { timeoutMs: 180_000 })),
  );
  const bad = answers.filter(({ status }) => status !== 200);
  assert.deepEqual(
    bad.slice(0, 3).map(({ status, body }) => `${status} ${body}`),
    [],
  );
}

functionsSuite({
  name: 'instances',
  env: { GANTRY_INSTANCES_AT_STOP: 'end' },
  tests: {
    'SIGTERM is seen and honoured when idle; its last words are in the logs': async (world) => {
      const { gantry, functions } = world;
      await functions.service('term', { freezeAfterMs: 0, idleMs: { production: 1_000 } });
      const image = functionImage({ version: 'term', args: ['-on-term', '300ms'] });
      const { serviceHost } = await functions.deploy('term', 'latest', image);
      await gantry.ask(serviceHost, '/');
      await gone(world, 'term');
      await until(async () => {
        const lines = await linesOf(world, 'term');
        return /got terminated/.test(lines) && /ends in order/.test(lines) ? true : undefined;
      }, 'its last words are kept');
    },

    'a frozen instance is thawed to end in order': async (world) => {
      const { gantry, functions } = world;
      await functions.service('ice', { freezeAfterMs: 100, idleMs: { production: 1_500 } });
      const image = functionImage({ version: 'ice' });
      const { serviceHost } = await functions.deploy('ice', 'latest', image);
      await gantry.ask(serviceHost, '/');
      await gone(world, 'ice');
      await until(
        async () => /ends in order/.test(await linesOf(world, 'ice')) || undefined,
        'its last words are kept',
      );
    },

    'what does not heed SIGTERM is killed after the grace': async (world) => {
      const { gantry, functions } = world;
      const settings = { freezeAfterMs: 0, idleMs: { production: 1_000 }, graceMs: 2_000 };
      await functions.service('deaf', settings);
      const image = functionImage({ version: 'deaf', args: ['-on-term', 'never'] });
      const { serviceHost } = await functions.deploy('deaf', 'latest', image);
      await gantry.ask(serviceHost, '/');
      await until(
        async () => /got terminated/.test(await linesOf(world, 'deaf')) || undefined,
        'it is asked to end',
      );
      const asked = performance.now();
      await gone(world, 'deaf');
      const took = performance.now() - asked;
      assert.ok(took > 1_000 && took < 8_000, `${took} ms`);
    },

    'requests in flight are answered before an instance ends': async (world) => {
      const { gantry, functions } = world;
      const first = functionImage({ version: 'first' });
      const { serviceHost } = await functions.deploy('drain', 'latest', first);
      const slow = gantry.ask(serviceHost, '/slow?ms=6000');
      await gantry.ask(serviceHost, '/');
      await functions.deploy('drain', 'latest', functionImage({ version: 'second' }));
      assert.equal((await gantry.ask(serviceHost, '/')).body, 'hello from second\n');
      const answer = await slow;
      assert.deepEqual([answer.status, answer.body], [200, 'slow answer of first\n']);
    },

    'the writable layer goes with the instance, a volume stays': async (world) => {
      const { gantry, functions } = world;
      await functions.project('POST', '/volumes', { name: 'kept', kind: 'disk' });
      await functions.service('disk', {
        ...{ freezeAfterMs: 0, idleMs: { production: 1_000 } },
        volumes: [{ name: 'kept', path: '/kept' }],
      });
      const { serviceHost } = await functions.deploy(
        'disk',
        'latest',
        functionImage({ version: 'disk' }),
      );
      for (const path of ['/tmp/file', '/kept/file']) {
        const put = await gantry.ask(serviceHost, `/file?path=${path}`, {
          method: 'PUT',
          body: 'written',
        });
        assert.equal(put.status, 200, put.body);
      }
      await gone(world, 'disk');
      assert.equal((await gantry.ask(serviceHost, '/file?path=/tmp/file')).status, 409);
      assert.equal((await gantry.ask(serviceHost, '/file?path=/kept/file')).body, 'written');
    },

    'fifty requests at once, each for an instance of its own: none fails': async (world) => {
      const { gantry, functions } = world;
      await functions.service('burst', {
        ...{ concurrency: 1, maxInstances: 50, machineType: 'XS' },
        ...{ freezeAfterMs: 0, idleMs: { production: 1_000 }, graceMs: 500 },
      });
      const image = functionImage({ version: 'burst' });
      const { serviceHost } = await functions.deploy('burst', 'latest', image);
      await fiftyAtOnce(gantry, serviceHost);
      await gone(world, 'burst', 180_000);
    },

    // The last one: no server runs after it.
    'a stop while fifty start ends them all in its time': async ({ gantry, functions, engine }) => {
      await fiftyAtOnce(gantry, functions.serviceHost('burst'));
      await gantry.halt();
      assert.deepEqual(await held(engine), []);
    },
  },
});
