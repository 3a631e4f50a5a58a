import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import test from 'node:test';
import { countLines, findLongFiles, readSizes } from './check-size.ts';

test('300 lines pass, 301 do not', () => {
  const problems = findLongFiles(
    [
      { path: 'src/a.ts', lines: 300 },
      { path: 'src/b.ts', lines: 301 },
    ],
    {},
  );
  assert.deepEqual(problems, ['src/b.ts: 301 lines, the limit is 300: split it']);
});

test('an exception by name passes, and one that is not needed any more does not', () => {
  const allowed = { 'src/table.ts': 'one table', 'src/gone.ts': 'was long' };
  const problems = findLongFiles([{ path: 'src/table.ts', lines: 900 }], allowed);
  assert.deepEqual(problems, [
    'src/gone.ts: an exception in scripts/check-size.ts that is not needed',
  ]);
});

test('lines are counted as editors do', () => {
  for (const [text, lines] of [
    ['', 0],
    ['a', 1],
    ['a\n', 1],
    ['a\nb', 2],
    ['a\n\n', 2],
  ] as const) {
    assert.equal(countLines(text), lines, JSON.stringify(text));
  }
});

test('all four folders are read', () => {
  const paths = readSizes(resolve(import.meta.dirname, '..')).map(({ path }) => path);
  for (const folder of ['src', 'storage-adapters', 'conformance', 'scripts']) {
    assert.ok(
      paths.some((path) => path.startsWith(`${folder}/`)),
      folder,
    );
  }
  assert.ok(paths.includes('scripts/bootstrap.mjs'));
});
