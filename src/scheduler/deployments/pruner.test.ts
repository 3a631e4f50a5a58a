import assert from 'node:assert/strict';
import test from 'node:test';
import { systemTimers } from '../timers.ts';
import { DeployWorld } from './deploy-test-kit.ts';
import { Pruner } from './pruner.ts';

async function pushed(world: DeployWorld, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 1; at <= count; at++) {
    ids.push(await world.push('web', `image ${at}`, 'latest'));
    await world.deployer.idle();
  }
  return ids;
}

function prunerOf(world: DeployWorld, keep: number, running: readonly string[] = []) {
  const removed: string[] = [];
  const pruner = new Pruner({
    ...world.metadata,
    ...{ clock: { now: () => 10_000_000 }, timers: systemTimers },
    settings: { keep, keepForMs: 1_000 },
    running: () => new Set(running),
    removed: (id) => removed.push(id),
    failed: assert.ifError,
  });
  return { pruner, removed };
}

const left = async (world: DeployWorld) =>
  (await world.metadata.deployments.page({ projectId: 'prj_1' }, undefined, 100)).map(
    ({ id }) => id,
  );

test('old deployments go, not the newest, nor what has an instance', async (t) => {
  const world = await DeployWorld.open(t);
  const ids = await pushed(world, 6);
  const { pruner, removed } = prunerOf(world, 3, [ids[0]!]);
  assert.equal(await pruner.run(), 2);
  assert.deepEqual(removed, [ids[1], ids[2]]);
  assert.deepEqual(await left(world), [ids[5], ids[4], ids[3], ids[0]]);
  // Once its instance has ended.
  const later = prunerOf(world, 3);
  assert.equal(await later.pruner.run(), 1);
  assert.deepEqual(await left(world), [ids[5], ids[4], ids[3]]);
  assert.deepEqual(await world.running(), ['web image 6']);
});

test('with 0 all stay', async (t) => {
  const world = await DeployWorld.open(t);
  await pushed(world, 3);
  assert.equal(await prunerOf(world, 0).pruner.run(), 0);
  assert.equal((await left(world)).length, 3);
});
