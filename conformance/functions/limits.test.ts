/** A44: what one instance takes beyond its limits ends that instance, and no other. */
import assert from 'node:assert/strict';
import { functionImage } from './support/images.ts';
import { functionsSuite, type World } from './support/suite.ts';
import { until } from './support/until.ts';

async function started({ gantry }: World, host: string): Promise<number> {
  const answer = await gantry.ask(host, '/state');
  assert.equal(answer.status, 200, answer.body);
  return JSON.parse(answer.body).started;
}

async function ended(world: World, host: string, before: number): Promise<void> {
  await until(
    async () => ((await started(world, host)) !== before ? true : undefined),
    'another instance answers',
    { withinMs: 90_000, everyMs: 300 },
  );
}

/** What is told of its end: lines and reasons. */
async function told({ functions, gantry }: World, service: string): Promise<string> {
  const [instances, lines] = await Promise.all([
    functions.instances(service),
    functions.lines(service),
  ]);
  const log = gantry
    .output()
    .split('\n')
    .filter((line) => line.includes('"instance"'));
  return JSON.stringify([instances, lines, log]);
}

functionsSuite({
  name: 'limits',
  env: { GANTRY_DISK_WATCH_INTERVAL: '500ms' },
  async prepare({ functions }) {
    const image = functionImage({ version: 'limits' });
    await functions.deploy('neighbour', 'latest', image);
    for (const name of ['memory', 'fork', 'disk']) {
      await functions.service(name, { machineType: 'XS', idleMs: { production: 600_000 } });
      await functions.deploy(name, 'latest', image);
    }
  },
  tests: {
    'A44: a memory bomb ends its instance, and its neighbour does not notice': async (world) => {
      const { gantry, functions } = world;
      const neighbour = functions.serviceHost('neighbour');
      const host = functions.serviceHost('memory');
      const [own, other] = [await started(world, host), await started(world, neighbour)];
      const answer = await gantry.ask(host, '/bomb?kind=memory').catch(() => undefined);
      if (answer) assert.ok(answer.status >= 500, `${answer.status}`);
      await ended(world, host, own);
      assert.equal(await started(world, neighbour), other);
      await until(
        async () => /memory/i.test(await told(world, 'memory')) || undefined,
        'its end has a reason',
      );
    },

    'A44: a fork bomb reaches the limit of processes, and its neighbour does not notice': async (
      world,
    ) => {
      const { gantry, functions } = world;
      const neighbour = functions.serviceHost('neighbour');
      const other = await started(world, neighbour);
      const bomb = gantry.ask(functions.serviceHost('fork'), '/bomb?kind=fork&mb=5000', {
        timeoutMs: 60_000,
      });
      const { body } = await bomb.catch(() => ({ body: 'the instance ended' }));
      assert.match(body, /resource temporarily unavailable|the instance ended|memory/);
      assert.equal(await started(world, neighbour), other);
    },

    'A44: a disk that overflows ends its instance with that reason': async (world) => {
      const { gantry, functions } = world;
      const neighbour = functions.serviceHost('neighbour');
      const host = functions.serviceHost('disk');
      const [own, other] = [await started(world, host), await started(world, neighbour)];
      await gantry.ask(host, '/bomb?kind=disk&mb=700').catch(() => undefined);
      await ended(world, host, own);
      await until(
        async () => /disk/i.test(await told(world, 'disk')) || undefined,
        'its end has a reason',
      );
      assert.equal(await started(world, neighbour), other);
    },

    'a volume over its limit ends who writes, and nobody starts until it is larger': async (
      world,
    ) => {
      const { gantry, functions } = world;
      await functions.project('POST', '/volumes', {
        ...{ name: 'small', kind: 'disk', maxBytes: 20 * 2 ** 20 },
      });
      const volumes = [{ name: 'small', path: '/kept' }];
      await functions.service('full', { freezeAfterMs: 0, volumes });
      const image = functionImage({ version: 'full' });
      const { serviceHost: host } = await functions.deploy('full', 'latest', image);
      const own = await started(world, host);
      const put = (mib: number) =>
        gantry.ask(host, '/file?path=/kept/file', {
          method: 'PUT',
          body: Buffer.alloc(mib << 20, 1),
        });
      assert.equal((await put(10)).status, 200);
      assert.equal(await started(world, host), own, 'what fits is no reason');
      await put(30).catch(() => undefined);
      await until(
        async () => /volume/i.test(await told(world, 'full')) || undefined,
        'it is ended, with its reason',
      );
      await until(
        async () => /VOLUME_FULL/.test((await gantry.ask(host, '/')).body) || undefined,
        'none starts',
        { withinMs: 60_000, everyMs: 500 },
      );
      const held = await functions.project<{ usedBytes: number }>('GET', '/volumes/small');
      assert.ok(held.usedBytes > 20 * 2 ** 20, `${held.usedBytes}`);
      await functions.project('PATCH', '/volumes/small', { maxBytes: 100 * 2 ** 20 });
      await until(
        async () => (await gantry.ask(host, '/')).status === 200 || undefined,
        'it starts again',
        { withinMs: 60_000, everyMs: 500 },
      );
    },
  },
});
