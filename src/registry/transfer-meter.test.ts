import assert from 'node:assert/strict';
import test from 'node:test';
import { plansWith } from '../config/plans.ts';
import type { Ends } from '../http/http-test-kit.ts';
import { RegistryError } from '../oci/errors.ts';
import { openWorld } from './registry-test-kit.ts';
import { TransferMeter } from './transfer-meter.ts';

const place = { teamId: 'team_1', projectId: 'prj_1' };
const day = 864e5;

async function openMeter(t: Ends, transferLimit?: number) {
  const world = await openWorld(t);
  const plans = plansWith({ transferLimit });
  const { metadata, clock } = world;
  const make = () => new TransferMeter({ ...metadata, plans, clock, everyMs: 2 ** 31 - 1 });
  const counts = () => metadata.usage.counts(place, '2026-11');
  return { world, make, counts };
}

test('bytes are added up by project and month, in batches', async (t) => {
  const { world, make, counts } = await openMeter(t);
  const meter = make();
  for (const bytes of [1, 2, 3]) meter.pulled(place, bytes);
  meter.pushed('prj_1', 10);
  meter.pulled({ teamId: 'team_1', projectId: 'prj_gone' }, 7);
  assert.equal((await counts()).pulledBytes, 0, 'nothing is written by a request');
  await meter.flush();
  meter.pulled(place, 4);
  await meter.close();
  const { pulledBytes, pushedBytes } = await counts();
  assert.deepEqual([pulledBytes, pushedBytes], [10, 10]);
  world.pass(11 * day);
  const later = make();
  later.pulled(place, 5);
  await later.close();
  assert.equal((await counts()).pulledBytes, 10);
  assert.equal((await world.metadata.usage.counts(place, '2026-12')).pulledBytes, 5);
});

test('what could not be written is kept for the next time', async (t) => {
  const { world, counts } = await openMeter(t);
  const { metadata, clock } = world;
  let broken = true;
  const writer: typeof metadata.writer = {
    run: (name, args) =>
      broken ? Promise.reject(new Error('no disk')) : metadata.writer.run(name, args),
  };
  const deps = { usage: metadata.usage, writer, clock, plans: plansWith(), everyMs: 2 ** 31 - 1 };
  const meter = new TransferMeter(deps);
  meter.pulled(place, 3);
  await assert.rejects(meter.flush(), /no disk/);
  meter.pulled(place, 4);
  broken = false;
  await meter.close();
  assert.equal((await counts()).pulledBytes, 7);
});

test('a team past its transfer is refused until the next month', async (t) => {
  const { world, make } = await openMeter(t, 100);
  const meter = make();
  meter.pulled(place, 60);
  await meter.flush();
  assert.deepEqual(meter.ofTeam('team_1'), { bytes: 60, limit: 100 });
  meter.pulled(place, 60);
  const refused = (error: unknown) =>
    error instanceof RegistryError && error.kind === 'quota' && /2026-12-01/.test(error.info.hint!);
  assert.throws(() => meter.pulled(place, 1), refused, 'at once');
  await meter.flush();
  const another = make();
  await another.refresh();
  assert.throws(() => another.pulled(place, 1), refused, 'after a restart');
  world.pass(10 * day);
  await meter.flush();
  meter.pulled(place, 1);
  await another.close();
});
