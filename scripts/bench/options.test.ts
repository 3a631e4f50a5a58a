import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBenchArgs } from './options.ts';

const known = ['manifest-get', 'tag-push'];

test('rows are named with commas or one by one', () => {
  const { only } = parseBenchArgs(['--only', 'manifest-get,', '--only', 'tag-push'], known);
  assert.deepEqual(only, ['manifest-get', 'tag-push']);
});

test('without arguments nothing is chosen', () => {
  const options = parseBenchArgs([], known);
  assert.deepEqual(options.only, []);
  assert.equal(options.rounds, undefined);
  assert.equal(options.quick, false);
});

for (const [args, pattern] of [
  [['--only', 'blobs'], /no row "blobs"; there are manifest-get, tag-push/],
  [['--quick', '--full'], /exclude each other/],
  [['--rounds', '0'], /--rounds takes a whole number/],
  [['--rounds', 'two'], /--rounds takes a whole number/],
  [['--fast'], /--fast/],
] as const) {
  test(`refused: ${args.join(' ')}`, () => {
    assert.throws(() => parseBenchArgs(args, known), pattern);
  });
}
