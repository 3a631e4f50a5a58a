import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { ConfigBytes } from './config-bytes.ts';
import { newKey, openWorld, refused } from './registry-test-kit.ts';

/** A store of the world, whose answers are counted and may be cut short. */
async function open(t: { after(end: () => unknown): void }) {
  const world = await openWorld(t);
  const state = { reads: 0, cut: false };
  const configs = new ConfigBytes({
    async open(key) {
      state.reads += 1;
      const bytes = await world.store.open(key);
      return state.cut ? Readable.from([Buffer.from('{')]) : bytes;
    },
  });
  const row = async (content: string) => {
    const digest = await world.addBlob(content);
    return (await world.metadata.blobs.find(world.repository.id, digest))!;
  };
  return { configs, row, state };
}

test('the store is asked once for what is under a key', async (t) => {
  const { configs, row, state } = await open(t);
  const [one, other] = [await row('{"os":"linux"}'), await row('{"os":"other"}')];
  for (let time = 0; time < 3; time++) {
    assert.equal(String(await configs.read(one)), '{"os":"linux"}');
    assert.equal(String(await configs.read(other)), '{"os":"other"}');
  }
  assert.equal(state.reads, 2);
});

test('what is long is read each time', async (t) => {
  const { configs, row, state } = await open(t);
  const long = await row('x'.repeat((64 << 10) + 1));
  for (let time = 0; time < 2; time++) assert.equal((await configs.read(long)).length, long.size);
  assert.equal(state.reads, 2);
});

test('what is not whole is not kept, and what is gone is asked for again', async (t) => {
  const { configs, row, state } = await open(t);
  const one = await row('{"os":"linux"}');
  state.cut = true;
  assert.equal(String(await configs.read(one)), '{');
  state.cut = false;
  assert.equal(String(await configs.read(one)), '{"os":"linux"}');
  const gone = { ...one, key: newKey() };
  for (let time = 0; time < 2; time++) await refused(configs.read(gone), 'blob-unknown');
  assert.equal(state.reads, 4);
});
