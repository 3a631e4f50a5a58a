import assert from 'node:assert/strict';
import { append, bytesOf, holds, newKey, rejectsWith } from './bench.ts';
import type { Cases } from './cases.ts';

export const resuming: Cases = {
  'another process goes on from a state, wherever it was taken': async (bench) => {
    const { unit } = bench;
    const keys = [];
    for (const size of [0, 1, 64 << 10, unit - 1, unit, unit + 1, 2 * unit + 3]) {
      const key = newKey();
      const bytes = bytesOf(size + unit + 5);
      const first = await bench.store.create(key);
      await append(first, bytes.subarray(0, size));
      const state = await first.state();
      await first.release();
      const second = await (await bench.reopen()).resume(key, state);
      assert.equal(second.offset, size);
      await append(second, bytes.subarray(size));
      await second.commit();
      await holds(bench.store, key, bytes);
      keys.push(key);
    }
    return keys;
  },

  'another process commits what a state names, with no byte more': async (bench) => {
    const keys = [];
    for (const size of [0, 10, bench.unit, 2 * bench.unit + 10]) {
      const key = newKey();
      const first = await bench.store.create(key);
      await append(first, bytesOf(size));
      const state = await first.state();
      await first.release();
      const second = await (await bench.reopen()).resume(key, state);
      await second.commit();
      await holds(bench.store, key, bytesOf(size));
      keys.push(key);
    }
    return keys;
  },

  'many small chunks, each in a process of its own, make one blob': async (bench) => {
    const key = newKey();
    const step = Math.round(bench.unit * 0.4);
    const bytes = bytesOf(6 * step);
    let writer = await bench.store.create(key);
    for (let start = 0; start < bytes.length; start += step) {
      await append(writer, bytes.subarray(start, start + step));
      const state = await writer.state();
      await writer.release();
      writer = await (await bench.reopen()).resume(key, state);
    }
    await writer.commit();
    await holds(bench.store, key, bytes);
    return [key];
  },

  'what was written past the state is dropped': async (bench) => {
    const { unit } = bench;
    const keys = [];
    for (const [kept, lost, after] of [
      [0, 10, 20],
      [0, 2 * unit + 5, 10],
      [10, 20, 5],
      [10, 3 * unit, 2 * unit],
      [unit + 10, 3 * unit, 7],
      [2 * unit, unit + 1, unit],
    ] as const) {
      const key = newKey();
      let recorded = '';
      const record = async (state: string) => {
        recorded = state;
      };
      const first = await bench.store.create(key, record);
      await append(first, bytesOf(kept));
      recorded = await first.state();
      await append(first, bytesOf(lost, 'lost'));
      // The process ends before the row takes this one.
      await first.state();
      await first.release();
      const second = await (await bench.reopen()).resume(key, recorded, record);
      assert.equal(second.offset, kept);
      await append(second, bytesOf(after, 'after'));
      await second.commit();
      await holds(bench.store, key, Buffer.concat([bytesOf(kept), bytesOf(after, 'after')]));
      keys.push(key);
    }
    return keys;
  },

  'an upload that was resumed can be cancelled': async (bench) => {
    for (const size of [0, 10, 2 * bench.unit + 10]) {
      const key = newKey();
      const first = await bench.store.create(key);
      await append(first, bytesOf(size));
      const state = await first.state();
      await first.release();
      const second = await (await bench.reopen()).resume(key, state);
      await second.cancel();
    }
    return [];
  },

  'a state whose bytes are gone is upload-unknown': async (bench) => {
    for (const size of [10, 2 * bench.unit + 10]) {
      const key = newKey();
      const writer = await bench.store.create(key);
      await append(writer, bytesOf(size));
      const state = await writer.state();
      await writer.cancel();
      await rejectsWith(bench.store.resume(key, state), 'upload-unknown');
    }
    return [];
  },

  'a text that is no state is upload-unknown': async ({ store }) => {
    for (const text of ['', 'x', '{}', '[]', 'null', '{"offset":-1}', '{"offset":"1"}']) {
      await rejectsWith(store.resume(newKey(), text), 'upload-unknown');
    }
    return [];
  },

  'abandon drops all that an upload left, by a state of any age': async (bench) => {
    for (const size of [0, 10, bench.unit, 2 * bench.unit + 10]) {
      for (const which of ['none', 'first', 'last'] as const) {
        const key = newKey();
        const writer = await bench.store.create(key);
        const states = { none: '', first: await writer.state(), last: '' };
        for (const seed of ['a', 'b', 'c']) {
          await append(writer, bytesOf(size, seed));
          states.last = await writer.state();
        }
        await append(writer, bytesOf(size, 'd'));
        await writer.release();
        await (await bench.reopen()).abandon(key, states[which]);
        assert.deepEqual(await bench.held(), [], `size ${size}, ${which} state`);
      }
    }
    return [];
  },

  'abandon does not mind an upload of which nothing is left': async (bench) => {
    const key = newKey();
    const writer = await bench.store.create(key);
    await append(writer, bytesOf(2 * bench.unit));
    const state = await writer.state();
    await writer.release();
    await bench.store.abandon(key, state);
    await bench.store.abandon(key, state);
    await bench.store.abandon(newKey(), '');
    return [];
  },
};
