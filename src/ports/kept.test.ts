import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kept } from './kept.ts';

function readings(rows: number) {
  let at = 0;
  let count = 0;
  const kept = new Kept(
    async () => {
      await undefined;
      at += 100;
      return { value: ++count, rows };
    },
    () => at,
  );
  return { kept, pass: (by: number) => (at += by) };
}

test('few rows are read each time', async () => {
  const { kept } = readings(5_000);
  assert.deepEqual([await kept.get(), await kept.get()], [1, 2]);
});

test('what took many serves for twenty times as long, and all who ask meanwhile', async () => {
  const { kept, pass } = readings(5_001);
  assert.deepEqual(await Promise.all([kept.get(), kept.get()]), [1, 1]);
  pass(1_999);
  assert.equal(await kept.get(), 1);
  pass(1);
  assert.deepEqual(await Promise.all([kept.get(), kept.get()]), [2, 2]);
});

test('what is known to be otherwise is read again, though a reading is under way', async () => {
  const { kept } = readings(5_001);
  const before = kept.get();
  kept.forget();
  const after = kept.get();
  assert.deepEqual([await before, await after], [1, 2]);
  assert.equal(await kept.get(), 2);
});

test('a reading that fails is not kept', async () => {
  let fails = true;
  const kept = new Kept(
    async () => {
      if (fails) throw new Error('no');
      return { value: 1, rows: 9_999 };
    },
    () => 0,
  );
  await assert.rejects(kept.get(), /no/);
  fails = false;
  assert.equal(await kept.get(), 1);
});
