import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countLimits, measureCap, plansWith } from './plans.ts';

test('self-hosted has no count limits and wide sizes', () => {
  const plan = plansWith()['self-hosted'];
  assert.equal(plan.layer, 20e9);
  assert.equal(plan.image, 100e9);
  assert.deepEqual(countLimits(plan), {
    plan: 'self-hosted',
    repositories: undefined,
    images: undefined,
    tags: undefined,
  });
});

for (const [name, repositories, images, tags] of [
  ['hobby', 100, 1_000, 1_000],
  ['pro', 1_000, 10_000, 10_000],
  ['enterprise', 5_000, 50_000, 50_000],
] as const) {
  test(`${name} has the published figures`, () => {
    const plan = plansWith()[name];
    assert.equal(plan.layer, 500e6);
    assert.equal(plan.image, 15e9);
    assert.deepEqual(countLimits(plan), { plan: name, repositories, images, tags });
  });
}

test('every plan takes manifests of 4 MiB, configs of 1 MB, and runs 10 GB or 15 GB', () => {
  for (const plan of Object.values(plansWith())) {
    assert.equal(plan.manifest, 4_194_304);
    assert.equal(plan.config, 1e6);
    assert.deepEqual(plan.uncompressed, { cpu: 10e9, gpu: 15e9 });
  }
  assert.equal(measureCap(plansWith()), 15e9);
});

test('settings hold over all plans, each alone', () => {
  const plans = plansWith({ layerLimit: 7 });
  for (const plan of Object.values(plans)) assert.equal(plan.layer, 7);
  assert.equal(plans.pro.image, 15e9);
  assert.equal(plansWith({ imageLimit: 9 }).hobby.image, 9);
  const limited = plansWith({ storageLimit: 7, transferLimit: 8 }).enterprise;
  assert.deepEqual([limited.storage, limited.transfer], [7, 8]);
  assert.equal(countLimits(limited).storage, 7);
  assert.equal(plansWith().hobby.layer, 500e6, 'the defaults are left as they were');
});
