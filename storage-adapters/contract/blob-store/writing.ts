import assert from 'node:assert/strict';
import {
  append,
  bytesOf,
  holds,
  keysOf,
  newKey,
  put,
  readAll,
  rejectsWith,
  sourceOf,
} from './bench.ts';
import type { Cases } from './cases.ts';

export const writing: Cases = {
  'a blob of any size is read back as it was written': async ({ store, unit }) => {
    const sizes = [0, 1, 64 << 10, unit - 1, unit, unit + 1, 3 * unit, 3 * unit + 7];
    const keys = [];
    for (const size of sizes) {
      const key = newKey();
      await put(store, key, bytesOf(size));
      await holds(store, key, bytesOf(size));
      keys.push(key);
    }
    return keys;
  },

  'a commit without a byte makes an empty blob': async ({ store }) => {
    const key = newKey();
    const writer = await store.create(key);
    await writer.commit();
    await holds(store, key, Buffer.alloc(0));
    return [key];
  },

  'a source may give its bytes in chunks of any size': async ({ store, unit }) => {
    const keys = [];
    for (const [size, chunk] of [
      [5_000, 1],
      [unit + 3, 4_099],
      [3 * unit + 7, 3 * unit + 7],
    ] as const) {
      const key = newKey();
      const writer = await store.create(key);
      await append(writer, bytesOf(size), { chunk });
      await writer.commit();
      await holds(store, key, bytesOf(size));
      keys.push(key);
    }
    return keys;
  },

  'several appends make one blob': async ({ store, unit }) => {
    const key = newKey();
    const writer = await store.create(key);
    const pieces = [1, unit, 0, unit + 1, 10].map((size, index) => bytesOf(size, `${index}`));
    for (const piece of pieces) await append(writer, piece);
    await writer.commit();
    await holds(store, key, Buffer.concat(pieces));
    return [key];
  },

  'states between appends change nothing': async ({ store, unit }) => {
    const key = newKey();
    const writer = await store.create(key);
    const pieces = [1, 10, unit - 11, 1, unit, 5].map((size, index) => bytesOf(size, `${index}`));
    for (const piece of pieces) {
      await append(writer, piece);
      await writer.state();
    }
    assert.equal(await writer.state(), await writer.state());
    await writer.commit();
    await holds(store, key, Buffer.concat(pieces));
    return [key];
  },

  'a blob that was committed after its state is whole': async ({ store, unit }) => {
    const keys = [];
    for (const size of [0, 10, unit, unit + 10]) {
      const key = newKey();
      const writer = await store.create(key);
      await append(writer, bytesOf(size));
      await writer.state();
      await writer.commit();
      await holds(store, key, bytesOf(size));
      keys.push(key);
    }
    return keys;
  },

  'nothing is visible before commit, as far as the store can': async (bench) => {
    const { store, unit, unfinishedShows } = bench;
    const key = newKey();
    const writer = await store.create(key);
    assert.equal(await store.stat(key), undefined, 'before the first byte');
    if (unfinishedShows === 'from the first state') {
      await append(writer, bytesOf(2 * unit + 1));
      assert.equal(await store.stat(key), undefined, 'before commit');
      await rejectsWith(store.open(key), 'blob-unknown');
      assert.deepEqual(await keysOf(store.list()), []);
    }
    await writer.cancel();
    return [];
  },

  'what is visible of an unfinished upload is how it begins': async ({ store, unit }) => {
    const bytes = bytesOf(2 * unit + 10);
    const writer = await store.create(newKey());
    for (const end of [100, unit + 5, bytes.length]) {
      await append(writer, bytes.subarray(writer.offset, end));
      await writer.state();
      const { size } = (await store.stat(writer.key)) ?? { size: 0 };
      assert.ok(size <= writer.offset);
      if (size === 0) continue;
      const found = await readAll(await store.open(writer.key, { start: 0, end: size - 1 }));
      assert.ok(found.equals(bytes.subarray(0, size)));
    }
    await writer.cancel();
    return [];
  },

  'uploads at once do not mix': async ({ store, unit }) => {
    const keys = Array.from({ length: 8 }, newKey);
    const bytes = keys.map((key, index) => bytesOf(Math.round(unit * 1.5) + index, key));
    await Promise.all(keys.map((key, index) => put(store, key, bytes[index]!)));
    for (const [index, key] of keys.entries()) await holds(store, key, bytes[index]!);
    return keys;
  },

  'a throw of observe ends the append before that chunk, and the rest can follow': async ({
    store,
  }) => {
    const key = newKey();
    const writer = await store.create(key);
    const bytes = bytesOf(5_000);
    const refusal = new Error('enough');
    const source = sourceOf(bytes, { chunk: 1_000 });
    await assert.rejects(
      writer.append(source, () => {
        if (writer.offset === 3_000) throw refusal;
      }),
      refusal,
    );
    assert.equal(writer.offset, 3_000);
    assert.equal(writer.broken, false);
    assert.equal(source.isPaused(), true, 'source is paused');
    assert.equal(source.destroyed, false, 'source is not destroyed');
    source.destroy(new Error('later'));
    await append(writer, bytes.subarray(3_000));
    await writer.commit();
    await holds(store, key, bytes);
    return [key];
  },

  'a promise of observe holds the source back, and its rejection ends the append': async ({
    store,
  }) => {
    const writer = await store.create(newKey());
    const gate = Promise.withResolvers<void>();
    const bytes = bytesOf(100_000);
    const source = sourceOf(bytes, { chunk: 1_000 });
    let seen = 0;
    const running = writer.append(source, () => {
      seen += 1;
      if (seen === 1) queueMicrotask(() => setImmediate(gate.resolve));
      return seen === 1 ? gate.promise : undefined;
    });
    await gate.promise;
    assert.equal(seen, 1, 'chunks seen while the promise was open');
    await running;
    assert.equal(seen, 100);
    const refusal = new Error('enough');
    await assert.rejects(
      writer.append(sourceOf(bytes), () => Promise.reject(refusal)),
      refusal,
    );
    await writer.cancel();
    return [];
  },

  'a writer that ended takes no more calls': async ({ store }) => {
    const key = newKey();
    const writer = await store.create(key);
    await append(writer, bytesOf(10));
    await writer.commit();
    await rejectsWith(append(writer, bytesOf(10)), 'internal');
    await rejectsWith(writer.state(), 'internal');
    await rejectsWith(writer.commit(), 'internal');
    return [key];
  },

  'cancel and release after commit do nothing': async ({ store }) => {
    const key = newKey();
    const writer = await store.create(key);
    await append(writer, bytesOf(10));
    await writer.commit();
    await writer.cancel();
    await writer.release();
    await holds(store, key, bytesOf(10));
    return [key];
  },

  'a key of another form is refused': async ({ store }) => {
    for (const key of ['', '..', '../upl_x', `upl_${'0'.repeat(31)}/`, `${newKey()}/..`]) {
      await rejectsWith(
        (async () => {
          const writer = await store.create(key);
          await writer.commit();
        })(),
        'internal',
      );
    }
    return [];
  },
};
