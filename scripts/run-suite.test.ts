import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test, { type TestContext } from 'node:test';
import { judge, runSuite } from './run-suite.ts';
import type { FileSuite, Suite } from './test-suites.ts';

const checkout = resolve(import.meta.dirname, '..');

/** A checkout of its own with these files and our reporter; `run` gives the result and what was said. */
function suiteOf(t: TestContext, files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), 'gantry-suite-'));
  t.after(() => rmSync(root, { recursive: true }));
  symlinkSync(join(checkout, 'scripts'), join(root, 'scripts'));
  mkdirSync(join(root, 'tests'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'tests', name), text);
  const base: FileSuite = {
    kind: 'files',
    name: 'sample',
    about: 'a sample',
    files: ['tests/*.test.ts'],
    atOnce: 1,
    budget: 1,
    limit: 1,
  };
  return async (
    suite: Partial<FileSuite> = {},
    options: { quick?: boolean; abort?: AbortSignal } = {},
  ) => {
    const said: string[] = [];
    const result = await runSuite({ ...base, ...suite } as Suite, {
      root,
      quick: options.quick ?? false,
      filters: [],
      say: (line) => said.push(line),
      print: (text) => said.push(text),
      signal: options.abort ?? new AbortController().signal,
    });
    return { ...result, said: said.join('\n') };
  };
}

const head = `import test, { describe, before } from 'node:test';\nimport assert from 'node:assert/strict';\n`;

test('passed, failed and skipped are counted, failures shown whole, skips with their reason', async (t) => {
  const run = suiteOf(t, {
    'a.test.ts': `${head}
      console.log('canary of the file');
      test('right', () => {});
      test('wrong', () => assert.equal(1, 2, 'one is not two'));
      test('without docker', (t) => t.skip('docker is not installed'));
      describe('group', () => { test('inner', () => {}); });`,
    'b.test.ts': `${head} test('right, too', () => {});`,
  });
  const { passed, failed, skipped, failures, skips, said } = await run();
  assert.deepEqual([passed, failed, skipped], [3, 1, 1]);
  assert.deepEqual(failures, ['tests/a.test.ts: wrong']);
  assert.deepEqual(skips, [
    { test: 'tests/a.test.ts: without docker', reason: 'docker is not installed' },
  ]);
  assert.match(said, /one is not two/);
  assert.match(said, /canary of the file/);
  assert.match(said, /skipped: without docker: docker is not installed/);
  assert.match(said, /✗ tests\/a\.test\.ts {2}4 tests/);
  assert.match(said, /✓ tests\/b\.test\.ts {2}1 tests/);
});

const broken: [what: string, text: string, failure: RegExp][] = [
  ['a file that crashes', `throw new Error('boom');`, /a\.test\.ts: the file failed/],
  [
    'a file that exits in mid-run',
    `${head} test('a', () => process.exit(0));`,
    /failed|ran no test/,
  ],
  ['a file without a test', 'export {};', /a\.test\.ts: ran no test/],
  ['a skip without a reason', `${head} test('x', { skip: true }, () => {});`, /without a reason/],
  [
    'a hook that fails',
    `${head} describe('d', () => { before(() => { throw new Error('no'); }); test('x', () => {}); });`,
    /a\.test\.ts: d/,
  ],
  [
    'a child that fails, once',
    `${head} test('parent', (t) => t.test('child', () => { throw new Error('no'); }));`,
    /^tests\/a\.test\.ts: child$/,
  ],
];
for (const [what, text, failure] of broken) {
  test(`${what} is a failure`, async (t) => {
    const { failed, failures } = await suiteOf(t, { 'a.test.ts': text })();
    assert.ok(failed > 0);
    assert.equal(failed, failures.length);
    assert.ok(
      failures.some((line) => failure.test(line)),
      failures.join('\n'),
    );
  });
}

test('a suite without a file is a failure', async (t) => {
  const { failed, failures } = await suiteOf(t, {})();
  assert.equal(failed, 1);
  assert.deepEqual(failures, ['there is no test file']);
});

test('--quick: one skip with its reason, and nothing runs', async (t) => {
  const run = suiteOf(t, { 'a.test.ts': `throw new Error('ran');` });
  const { passed, failed, skipped, skips } = await run({ notQuick: 'slow' }, { quick: true });
  assert.deepEqual([passed, failed, skipped], [0, 0, 1]);
  assert.deepEqual(skips, [{ test: 'sample', reason: 'slow' }]);
});

test('--quick tells the tests so', async (t) => {
  const run = suiteOf(t, {
    'a.test.ts': `${head} test('quick', () => assert.equal(process.env.GANTRY_TEST_QUICK, '1'));`,
  });
  assert.equal((await run({}, { quick: true })).passed, 1);
  assert.equal((await run()).failed, 1);
});

test('a suite over its time is ended, and says what ran', async (t) => {
  const run = suiteOf(t, {
    'a.test.ts': `${head}
      test('quick', () => {});
      test('hangs', () => new Promise(() => setInterval(() => {}, 1000)));`,
  });
  const { failed, failures, said } = await run({ limit: 2 / 60 });
  assert.ok(failed > 0);
  assert.match(failures.at(-1)!, /took longer than/);
  assert.match(said, /was ended while it ran "hangs"/);
});

test('an interrupted suite is ended and counts as failed', async (t) => {
  const run = suiteOf(t, {
    'a.test.ts': `${head} test('x', () => new Promise(() => setInterval(() => {}, 1000)));`,
  });
  const { failed, failures } = await run({}, { abort: AbortSignal.abort() });
  assert.ok(failed > 0);
  assert.match(failures.at(-1)!, /was interrupted/);
});

test('a suite has a budget where all of it runs on its own topology', async (t) => {
  const run = suiteOf(t, { 'a.test.ts': `${head} test('x', () => {});` });
  assert.equal((await run({ budget: 1.5 })).budget, 90);
  assert.equal((await run({}, { quick: true })).budget, undefined);
});

test('a topology is told to the tests, and the setup runs before them', async (t) => {
  const run = suiteOf(t, {
    'setup.ts': `export function globalSetup() { process.env.PREPARED = 'yes'; }`,
    'a.test.ts': `${head} test('x', () =>
      assert.deepEqual([process.env.GANTRY_TEST_TOPOLOGY, process.env.PREPARED], ['filesystem+sqlite', 'yes']));`,
  });
  const { passed, failed } = await run({ topology: 'filesystem+sqlite', setup: 'tests/setup.ts' });
  assert.deepEqual([passed, failed], [1, 0]);
});

test('what fails after all files is a failure', async (t) => {
  const run = suiteOf(t, {
    'setup.ts': `export function globalTeardown() { throw new Error('it did not end well'); }`,
    'a.test.ts': `${head} test('x', () => {});`,
  });
  assert.ok((await run({ setup: 'tests/setup.ts' })).failed > 0);
});

const counts = { passed: 1, failed: 0, skipped: 0, failures: [], skips: [], complete: true };
const judged: [what: string, ...Parameters<typeof judge>, failed: number][] = [
  ['all well', counts, undefined, () => {}, 0],
  ['no counts', undefined, undefined, () => {}, 1],
  ['counts cut off', { ...counts, complete: false }, undefined, () => {}, 1],
  ['a bad end without a failed test', counts, 'ended with code 1', () => {}, 1],
  ['a bad end by failed tests', { ...counts, failed: 2 }, 'ended with code 1', () => {}, 2],
  ['no test at all', { ...counts, passed: 0 }, undefined, () => {}, 1],
];
for (const [what, given, ended, say, failed] of judged) {
  test(`judge: ${what}`, () => assert.equal(judge(given, ended, say).failed, failed));
}

for (const [code, failed] of [
  [0, 0],
  [3, 1],
] as const) {
  test(`a check that ends with ${code} counts as one test`, async (t) => {
    const run = suiteOf(t, { 'check.ts': `console.log('its words'); process.exitCode = ${code};` });
    const check = { kind: 'check', program: ['tests/check.ts'] } as unknown as Partial<FileSuite>;
    const result = await run(check);
    assert.deepEqual([result.passed, result.failed], [1 - failed, failed]);
    assert.equal(result.said.includes('its words'), failed === 1);
  });
}
