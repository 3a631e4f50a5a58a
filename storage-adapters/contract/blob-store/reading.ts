import assert from 'node:assert/strict';
import { once } from 'node:events';
import { bytesOf, holds, keysOf, newKey, put, readAll, rejectsWith } from './bench.ts';
import type { Cases } from './cases.ts';

export const reading: Cases = {
  'a range gives its bytes, both ends included': async ({ store, unit }) => {
    const key = newKey();
    const size = 2 * unit + 100;
    const bytes = bytesOf(size);
    await put(store, key, bytes);
    const ranges = [
      [0, 0],
      [0, size - 1],
      [size - 1, size - 1],
      [unit - 1, unit],
      [unit, 2 * unit - 1],
      [17, unit + 23],
      [unit + 1, size - 1],
    ] as const;
    for (const [start, end] of ranges) {
      const found = await readAll(await store.open(key, { start, end }));
      assert.ok(found.equals(bytes.subarray(start, end + 1)), `bytes ${start} to ${end}`);
    }
    return [key];
  },

  'a range past the end fails and never ends early': async ({ store }) => {
    const key = newKey();
    await put(store, key, bytesOf(1_000));
    await rejectsWith(
      (async () => readAll(await store.open(key, { start: 500, end: 1_000 })))(),
      'unavailable',
    );
    return [key];
  },

  'a key that holds nothing has no size and no bytes': async ({ store }) => {
    assert.equal(await store.stat(newKey()), undefined);
    await rejectsWith(store.open(newKey()), 'blob-unknown');
    await rejectsWith(store.open(newKey(), { start: 0, end: 5 }), 'blob-unknown');
    return [];
  },

  'a stream that is destroyed early frees what it holds': async ({ store, unit }) => {
    const key = newKey();
    await put(store, key, bytesOf(3 * unit));
    const unread = await store.open(key);
    unread.destroy();
    await once(unread, 'close');
    const begun = await store.open(key);
    await once(begun, 'readable');
    begun.destroy();
    await once(begun, 'close');
    return [key];
  },

  'many can read one blob at once': async ({ store, unit }) => {
    const key = newKey();
    const bytes = bytesOf(unit + 9);
    await put(store, key, bytes);
    await Promise.all(Array.from({ length: 8 }, () => holds(store, key, bytes)));
    return [key];
  },

  'delete removes, and does not mind an absent key': async ({ store }) => {
    const key = newKey();
    const other = newKey();
    await put(store, key, bytesOf(10));
    await put(store, other, bytesOf(11));
    await store.delete(key);
    assert.equal(await store.stat(key), undefined);
    await store.delete(key);
    await store.delete(newKey());
    await holds(store, other, bytesOf(11));
    return [other];
  },

  'list gives every key once, in an order in which a walk can go on': async (bench) => {
    const keys = Array.from({ length: 40 }, newKey);
    await Promise.all(keys.map((key) => put(bench.store, key, bytesOf(3, key))));
    const all = await keysOf(bench.store.list());
    assert.deepEqual([...all].sort(), [...keys].sort());
    assert.deepEqual(await keysOf((await bench.reopen()).list()), all, 'the same order again');
    for (const index of [0, 13, 38, 39]) {
      assert.deepEqual(await keysOf(bench.store.list(all[index])), all.slice(index + 1));
    }
    const [first] = all;
    await bench.store.delete(first!);
    assert.deepEqual(
      await keysOf(bench.store.list(first)),
      all.slice(1),
      'after a key that is gone',
    );
    return keys.filter((key) => key !== first);
  },

  'a link, where there is one, is a URL': async ({ store }) => {
    const key = newKey();
    await put(store, key, bytesOf(10));
    const url = await store.link?.(key);
    assert.ok(url === undefined || url instanceof URL);
    return [key];
  },
};
