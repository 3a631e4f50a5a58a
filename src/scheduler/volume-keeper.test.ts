import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { populate } from '../../storage-adapters/contract/metadata/fixture.ts';
import { openSqliteMetadata } from '../../storage-adapters/metadata/sqlite.ts';
import { RuntimeError, type RuntimeVolume } from '../ports/runtime-driver.ts';
import { VolumeKeeper } from './volume-keeper.ts';

/** The real database, and an engine that holds what it is told. */
async function open(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-keeper-'));
  const metadata = await openSqliteMetadata({ folder });
  await populate(metadata);
  const held = new Map<string, RuntimeVolume>();
  const used = new Set<string>();
  const warned: { message: string; fields: Record<string, unknown> | undefined }[] = [];
  let now = 1_000;
  let away = false;
  const keeper = new VolumeKeeper({
    ...metadata,
    clock: { now: () => now },
    runtime: {
      async list() {
        if (away) throw new RuntimeError('unavailable', 'The engine is away.');
        return [...held.values()];
      },
      async remove(name) {
        if (away) throw new RuntimeError('unavailable', 'The engine is away.');
        if (used.has(name)) throw new RuntimeError('in-use', 'Instances use it.');
        held.delete(name);
      },
      limit: () => {},
      usage: async () => undefined,
    },
    log: { warn: (message, fields) => warned.push({ message, fields }) as never },
  });
  t.after(async () => {
    keeper.close();
    await metadata.close();
    await rm(folder, { recursive: true });
  });
  const inEngine = (name: string, kind: 'disk' | 'bucket' = 'disk') =>
    held.set(name, { name, kind, projectId: 'prj_1', createdAt: 5 });
  const { writer } = metadata;
  return {
    ...{ keeper, warned, inEngine, writer, volumes: metadata.volumes },
    held: () => [...held.keys()].sort(),
    use: (name: string, on: boolean) => (on ? used.add(name) : used.delete(name)),
    away(is: boolean) {
      away = is;
    },
    pass: (ms: number) => {
      now += ms;
    },
    async create(id: string) {
      inEngine(id);
      await writer.run('CreateVolume', {
        ...{ id, projectId: 'prj_1', name: id.replace('_', '-'), kind: 'disk', bucket: undefined },
        ...{ maxBytes: undefined, createdAt: now, createdBy: 'ada' },
      });
    },
    remove: (id: string) =>
      writer.run('DeleteVolume', { projectId: 'prj_1', name: id.replace('_', '-'), now }),
  };
}

test('a sweep takes what was deleted, and leaves and tells what the database does not know', async (t) => {
  const world = await open(t);
  for (const id of ['vol_live', 'vol_deleted', 'vol_used']) await world.create(id);
  world.inEngine('vol_unknown');
  world.inEngine('vol_bucket', 'bucket');
  await world.remove('vol_deleted');
  await world.remove('vol_used');
  world.use('vol_used', true);
  await world.keeper.sweep();
  assert.deepEqual(world.held(), ['vol_bucket', 'vol_live', 'vol_unknown', 'vol_used']);
  assert.equal(world.keeper.unknownCount, 2);
  const unknown = await world.keeper.unknown();
  assert.deepEqual(unknown.map(({ name, kind }) => `${name} ${kind}`).sort(), [
    'vol_bucket bucket',
    'vol_unknown disk',
  ]);
  assert.equal(world.warned.length, 1);
  assert.match(world.warned[0]!.message, /volumes that the database does not know/);
  assert.equal(world.warned[0]!.fields?.volumes, 'vol_bucket vol_unknown');

  world.use('vol_used', false);
  await world.keeper.sweep();
  assert.deepEqual(world.held(), ['vol_bucket', 'vol_live', 'vol_unknown']);
  assert.equal(world.warned.length, 1, 'told once');
});

test('what was deleted while its engine was away goes when that is back, for more than a year', async (t) => {
  const world = await open(t);
  for (const id of ['vol_1', 'vol_2', 'vol_3']) await world.create(id);
  world.away(true);
  await world.remove('vol_1');
  assert.equal(await world.keeper.removed('vol_1'), false);
  await world.keeper.sweep();
  assert.deepEqual(world.held(), ['vol_1', 'vol_2', 'vol_3']);
  world.away(false);
  world.pass(366 * 86_400_000);
  await world.remove('vol_2');
  await world.keeper.sweep();
  assert.deepEqual(world.held(), ['vol_3']);
  assert.deepEqual((await world.volumes.removed(['vol_1', 'vol_2'])).sort(), ['vol_1', 'vol_2']);
  // In use all the time: remembered for as long as it is there.
  await world.remove('vol_3');
  world.use('vol_3', true);
  world.pass(401 * 86_400_000);
  await world.keeper.sweep();
  assert.deepEqual(await world.volumes.removed(['vol_1', 'vol_2', 'vol_3']), ['vol_3']);
  world.use('vol_3', false);
  await world.keeper.sweep();
  assert.deepEqual(world.held(), []);
});
