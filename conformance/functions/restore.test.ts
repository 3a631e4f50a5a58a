/** A restore on the machine that runs functions: disks that were made after the backup stay, with what they hold. */
import assert from 'node:assert/strict';
import { cp, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../../src/cli/run-cli.ts';
import { backup, restore } from '../../src/compose-backup.ts';
import { held } from './support/containers.ts';
import { functionImage } from './support/images.ts';
import { functionsSuite, type World } from './support/suite.ts';
import { until } from './support/until.ts';

async function admin<T>(data: string, ...args: string[]): Promise<T> {
  let [out, err] = ['', ''];
  const code = await runCli({
    args: ['admin', ...args, '--json'],
    ...{ env: { GANTRY_DATA: data }, cwd: tmpdir(), version: '0' },
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  assert.equal(code, 0, err);
  return JSON.parse(out) as T;
}

interface Stray {
  readonly id: string;
  readonly kind: string;
  readonly project?: string;
}

const file = (name: string) => `/file?path=/${name}/file`;

/** A service with a disk of the same name, and a file in it. */
async function written({ functions, gantry }: World, name: string): Promise<string> {
  const { id } = await functions.project<{ id: string }>('POST', '/volumes', {
    ...{ name, kind: 'disk' },
  });
  await mounted({ functions, gantry }, name);
  const put = { method: 'PUT', body: `of ${name}` };
  const answer = await gantry.ask(functions.serviceHost(name), file(name), put);
  assert.equal(answer.status, 200, answer.body);
  return id;
}

async function mounted(
  { functions }: Pick<World, 'functions' | 'gantry'>,
  name: string,
): Promise<void> {
  const volumes = [{ name, path: `/${name}` }];
  await functions.service(name, { freezeAfterMs: 0, machineType: 'XS', volumes });
  await functions.deploy(name, 'latest', functionImage({ version: name }));
}

functionsSuite({
  name: 'a restore beside the engine',
  tests: {
    'keeps the disks that were made since the backup, and an operator adopts or removes them':
      async (world) => {
        const { engine, functions, gantry, sandbox } = world;
        const { data } = gantry;
        const folder = sandbox.fresh('backups');
        const place = { env: { GANTRY_DATA: data }, cwd: tmpdir() };
        const before = await written(world, 'before');
        const made = await backup(place, join(folder, 'backup'), {
          ...{ blobs: true, key: true, verify: false },
        });
        assert.equal(made.blobs.lost.length, 0);
        const since = await written(world, 'since');
        const scrap = await written(world, 'scrap');
        await gantry.halt();
        await rename(data, join(folder, 'old'));
        await restore(place, join(folder, 'backup'), { blobs: true, allowDamaged: false });
        // Which the harness reads.
        await cp(join(folder, 'old', 'bootstrap.json'), join(data, 'bootstrap.json'));
        await gantry.resume();

        const told = 'volumes that the database does not know';
        await until(() => gantry.output().includes(told) || undefined, 'it is told');
        const volumes = [before, since, scrap].map((id) => `gantry-${id}`).sort();
        assert.deepEqual((await engine.leftovers()).volumes, volumes);
        const { volumes: strays } = await admin<{ volumes: Stray[] }>(data, 'volume', 'list');
        const project = `${gantry.teamSlug}/${gantry.projectSlug}`;
        assert.deepEqual(
          strays.map((one) => [one.id, one.kind, one.project]).sort(),
          [since, scrap].sort().map((id) => [id, 'disk', project]),
        );
        const status = await admin<{ unknownVolumes: number }>(data, 'status');
        assert.equal(status.unknownVolumes, 2);
        const kept = await gantry.ask(functions.serviceHost('before'), file('before'));
        assert.equal(kept.body, 'of before');

        await admin(data, 'volume', 'adopt', since, '--name', 'since');
        await mounted(world, 'since');
        const found = await gantry.ask(functions.serviceHost('since'), file('since'));
        assert.equal(found.body, 'of since');
        const mounting = async () => (await held(engine, 'scrap')).length;
        await until(async () => (await mounting()) === 0 || undefined, 'no instance mounts it');
        assert.deepEqual(await admin(data, 'volume', 'remove', scrap), { removed: true });
        const left = [before, since].map((id) => `gantry-${id}`).sort();
        assert.deepEqual((await engine.leftovers()).volumes, left);
        assert.deepEqual(await admin(data, 'volume', 'list'), { volumes: [] });
      },
  },
});
