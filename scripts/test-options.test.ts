import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import test from 'node:test';
import type { SuiteResult } from './run-suite.ts';
import { parseTestArgs } from './test-options.ts';
import { suites } from './test-suites.ts';
import { summary } from './test-summary.ts';

const names = (args: string[]): string[] => parseTestArgs(args).selected.map(({ name }) => name);

test('nothing asked: all suites in their order', () => {
  assert.deepEqual(
    names([]),
    'lint types check-deps check-size unit contract spec attacks api official clients on-workers on-s3 on-postgres on-replicas crashes faults replicas workers functions'.split(
      ' ',
    ),
  );
});

test('--only takes several, by comma or again, in the order of the list', () => {
  assert.deepEqual(names(['--only', 'spec,unit']), ['unit', 'spec']);
  assert.deepEqual(names(['--only', 'spec', '--only', 'lint']), ['lint', 'spec']);
});

test('an unknown suite or option is refused, with what there is', () => {
  assert.throws(() => parseTestArgs(['--only', 'units']), /"units"; there are lint, types/);
  assert.throws(() => parseTestArgs(['--fast']), /--fast/);
});

test('parts of paths narrow the files', () => {
  assert.deepEqual(parseTestArgs(['--only', 'unit', 'src/config']).filters, ['src/config']);
});

test('--topology is for suites that run on any', () => {
  const args = ['--topology', 's3+sqlite', '--only'];
  assert.equal(parseTestArgs([...args, 'spec,clients']).topology, 's3+sqlite');
  assert.throws(() => parseTestArgs([...args, 'unit']), /spec, official, clients/);
  assert.throws(() => parseTestArgs(args.slice(0, 2)), /--only/);
  assert.throws(() => parseTestArgs(['--topology', 'moon']), /there are filesystem\+sqlite, /);
});

test('CONTRIBUTING.md lists each suite with its budget, and they come to less than an hour', () => {
  const text = readFileSync(resolve(import.meta.dirname, '..', 'CONTRIBUTING.md'), 'utf8');
  const rows = new Map(
    [...text.matchAll(/^\| ([a-z\d, -]+) \|.*\| ([\d.]+) \|$/gm)].flatMap((row) =>
      row[1]!.split(', ').map((name) => [name, Number(row[2])] as const),
    ),
  );
  for (const { name, budget } of suites) assert.equal(rows.get(name), budget, name);
  assert.equal(rows.size, suites.length);
  // The official program is nobody's but the one who has it.
  const all = suites.filter(({ name }) => name !== 'official');
  assert.ok(all.reduce((sum, { budget }) => sum + budget, 0) < 60);
});

test('every test file is run by a suite', () => {
  const cwd = resolve(import.meta.dirname, '..');
  const exclude = (path: string) => /^(node_modules|\.\w+)$/.test(path.split('/').at(-1)!);
  const run = new Set(
    suites.flatMap((suite) => (suite.kind === 'files' ? globSync([...suite.files], { cwd }) : [])),
  );
  const all = globSync('**/*.test.{ts,mjs,js}', { cwd, exclude });
  assert.ok(all.length > 200, String(all.length));
  assert.deepEqual(
    all.filter((file) => !run.has(file)),
    [],
  );
});

test('what --quick leaves out of a suite is there, and of that suite', () => {
  const cwd = resolve(import.meta.dirname, '..');
  const all = suites.flatMap((suite) => (suite.kind === 'files' && suite.slow ? [suite] : []));
  assert.ok(all.length > 0);
  for (const { name, files, slow } of all) {
    const own = globSync([...files], { cwd });
    for (const pattern of slow!.files) {
      const found = globSync(pattern, { cwd });
      assert.ok(found.length > 0, `${name}: there is no ${pattern}`);
      assert.deepEqual(
        found.filter((file) => !own.includes(file)),
        [],
        `${name}: ${pattern}`,
      );
    }
  }
});

test('what --quick leaves out says why', () => {
  const left = suites.filter(({ notQuick }) => notQuick);
  assert.deepEqual(
    left.map(({ name }) => name),
    [
      'api',
      'clients',
      'on-workers',
      'on-s3',
      'on-postgres',
      'on-replicas',
      'crashes',
      'faults',
      'replicas',
      'workers',
      'functions',
    ],
  );
});

const result = (name: string, counts: Partial<SuiteResult>): SuiteResult => ({
  name,
  passed: 0,
  failed: 0,
  skipped: 0,
  seconds: 1,
  failures: [],
  skips: [],
  ...counts,
});

test('the summary ends with the counted line', () => {
  const text = summary([
    result('unit', { passed: 10, failed: 1, failures: ['a.test.ts: x'] }),
    result('clients', {
      passed: 2,
      skipped: 2,
      skips: [
        { test: 'a', reason: 'no docker' },
        { test: 'b', reason: 'no docker' },
      ],
    }),
  ]);
  assert.ok(text.endsWith('\n12 passed, 1 failed, 2 skipped\n'), text);
  assert.match(text, /unit: a\.test\.ts: x/);
  assert.match(text, /2 × no docker/);
  assert.match(text, /^all +12 +1 +2 +2\.0$/m);
  assert.doesNotMatch(text, /budget:/i);
});

test('the summary tells what took longer than it may', () => {
  const text = summary([
    result('unit', { passed: 1, seconds: 61, budget: 60 }),
    result('spec', { passed: 1, seconds: 59, budget: 60 }),
  ]);
  assert.match(text, /Over budget.*\n {2}unit took 61 s of 60 s\n\n/);
  assert.match(text, /^unit +1 +0 +0 +61\.0 +60$/m);
});

const program = resolve(import.meta.dirname, 'test.ts');
const run = (...args: string[]) =>
  spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });

test('npm test -- --help and --list say what there is', () => {
  assert.match(run('--help').stdout, /--only <suite>/);
  const { status, stdout } = run('--list');
  assert.equal(status, 0);
  for (const { name } of suites) assert.match(stdout, new RegExp(`^${name} `, 'm'));
});

test('npm test -- --only no-such ends with 2', () => {
  const { status, stderr } = run('--only', 'no-such');
  assert.equal(status, 2);
  assert.match(stderr, /there is no suite "no-such"/);
});

test('npm test -- --only check-size: one test, and the counted line is the last', () => {
  const { stdout } = run('--only', 'check-size');
  assert.match(stdout.trimEnd().split('\n').at(-1)!, /^[01] passed, [01] failed, 0 skipped$/);
});

test('npm test -- no-such-path ends with 2', () => {
  const { status, stderr } = run('no-such-path');
  assert.equal(status, 2);
  assert.match(stderr, /no test file with no-such-path/);
});
