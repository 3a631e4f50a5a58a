import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../oci/digest.ts';
import { ImageConfigs } from './image-configs.ts';
import { instead, newKey, openWorld, refused } from './registry-test-kit.ts';

async function open(t: { after(end: () => unknown): void }, content: string) {
  const world = await openWorld(t);
  const digest = await world.addBlob(content);
  const row = await world.metadata.blobs.find(world.repository.id, digest);
  let reads = 0;
  const store = instead(world.store, {
    open: (...args) => {
      reads += 1;
      return world.store.open(...args);
    },
  });
  return { row: row!, configs: new ImageConfigs({ store, limit: 100 }), reads: () => reads };
}

test('a config is read once', async (t) => {
  const { configs, row, reads } = await open(t, '{"os":"linux"}');
  for (let time = 0; time < 3; time++) assert.equal((await configs.read(row))?.os, 'linux');
  assert.equal(reads(), 1);
});

test('what is none is looked at once, too', async (t) => {
  const { configs, row, reads } = await open(t, 'no JSON');
  for (let time = 0; time < 3; time++) assert.equal(await configs.read(row), undefined);
  assert.equal(reads(), 1);
});

test('more than the limit is not read at all', async (t) => {
  const { configs, row, reads } = await open(t, JSON.stringify({ os: 'x'.repeat(100) }));
  assert.equal(await configs.read(row), undefined);
  assert.equal(reads(), 0);
});

test('bytes that are gone are a failure of the registry, and asked for again', async (t) => {
  const { configs, row } = await open(t, '{"os":"linux"}');
  const gone = { ...row, key: newKey(), digest: `sha256:${'1'.repeat(64)}` as Digest };
  for (let time = 0; time < 2; time++) await refused(configs.read(gone), 'unavailable');
});
