/** Engines that limit writable layers themselves. */
import assert from 'node:assert/strict';
import type { Sandbox } from '../clients/support/sandbox.ts';
import { held, runs } from './support/containers.ts';
import { functionImage, type functionImage as made } from './support/images.ts';
import { makeLoopDisk, needsLoopDisk } from './support/loop-disk.ts';
import { functionsSuite, type World } from './support/suite.ts';
import { until } from './support/until.ts';

const drivers = { xfs: 'overlay2', btrfs: 'btrfs' } as const;

async function deployed({ functions }: World, name: string, image: ReturnType<typeof made>) {
  const settings = { machineType: 'XS', freezeAfterMs: 0, idleMs: { production: 600_000 } };
  await functions.service(name, settings);
  return (await functions.deploy(name, 'latest', image)).serviceHost;
}

for (const kind of ['xfs', 'btrfs'] as const) {
  functionsSuite({
    name: `the disk quota of an engine on ${kind}`,
    obstacle: () => needsLoopDisk(kind),
    env: { GANTRY_DISK_WATCH_INTERVAL: '500ms' },
    engine(sandbox: Sandbox) {
      const disk = makeLoopDisk(kind, sandbox.fresh(kind), 4_096);
      return {
        ...{ args: ['--storage-driver', drivers[kind]], dataRoot: disk.at },
        after: () => disk.remove(),
      };
    },
    tests: {
      'A44: what is over its disk is refused to the instance, which goes on': async (world) => {
        const { gantry } = world;
        const { missing } = await gantry.api<{ missing: string[] }>('GET', '/functions');
        assert.ok(!missing.some((one) => /diskSize/.test(one)), missing.join('\n'));
        const host = await deployed(world, 'layer', functionImage({ version: 'layer' }));
        const { started } = JSON.parse((await gantry.ask(host, '/state')).body);
        const bomb = await gantry.ask(host, '/bomb?kind=disk&mb=600');
        assert.match(bomb.body, /no space left on device|disk quota exceeded/, bomb.body);
        assert.equal(JSON.parse((await gantry.ask(host, '/state')).body).started, started);
      },

      'A44: a volume of the image is no way round: its instance is ended, with the reason': async (
        world,
      ) => {
        const { gantry, engine } = world;
        const config = { Volumes: { '/wide': {} } };
        const host = await deployed(world, 'wide', functionImage({ version: 'wide', config }));
        const [one] = (await held(engine, 'wide')).filter(runs);
        await gantry.ask(host, '/bomb?kind=disk&path=/wide/bomb&mb=600').catch(() => undefined);
        await until(async () => {
          const left = (await held(engine, 'wide')).filter(runs);
          return left.every(({ id }) => id !== one!.id) || undefined;
        }, 'it is ended');
        assert.match(gantry.output(), /"reason":"[^"]*disk/);
      },
    },
  });
}
