import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { DependenciesError, ensureDependencies } from './dependencies.mjs';

/** A checkout whose lock names a package, one for tests and one of another platform. */
function checkout(t) {
  const root = mkdtempSync(join(tmpdir(), 'gantry-deps-'));
  t.after(() => rmSync(root, { recursive: true }));
  const packages = {
    'node_modules/a': { version: '1.0.0' },
    'node_modules/tester': { version: '2.0.0', dev: true },
    'node_modules/elsewhere': { version: '3.0.0', optional: true },
  };
  const said = [];
  const runs = [];
  const lock = (changes = {}) =>
    writeFileSync(
      join(root, 'package-lock.json'),
      JSON.stringify({ packages: { '': {}, ...packages, ...changes } }),
    );
  const put = (withDev, changes = {}) => {
    const { 'node_modules/tester': tester, 'node_modules/elsewhere': _, ...rest } = packages;
    const installed = {
      ...rest,
      ...(withDev ? { 'node_modules/tester': tester } : {}),
      ...changes,
    };
    rmSync(join(root, 'node_modules'), { recursive: true, force: true });
    mkdirSync(join(root, 'node_modules', 'node-here'), { recursive: true });
    writeFileSync(
      join(root, 'node_modules', '.package-lock.json'),
      JSON.stringify({ packages: installed }),
    );
  };
  const install = async (_root, { withDev, add }) => {
    runs.push(add ? 'the rest' : withDev ? 'with dev' : 'without dev');
    put(withDev);
  };
  const ensure = (dev, options = {}) =>
    ensureDependencies(root, { dev, install, say: (line) => said.push(line), ...options });
  lock();
  return { root, said, runs, lock, put, install, ensure };
}

test('start on a fresh clone installs without what tests need, once', async (t) => {
  const { runs, said, ensure } = checkout(t);
  await ensure(false);
  await ensure(false);
  assert.deepEqual(runs, ['without dev']);
  assert.match(said[0], /installing dependencies \(not those of tests\) as in package-lock\.json/);
  assert.match(said[1], /installed in \d+ s/);
});

test('a long installation says that it goes on', async (t) => {
  const { said, install, ensure } = checkout(t);
  const beats = Promise.withResolvers();
  await ensure(false, {
    beatMs: 1,
    say: (line) => {
      said.push(line);
      if (/still installing, \d+ s so far/.test(line)) beats.resolve();
    },
    install: async (...args) => {
      await beats.promise;
      await install(...args);
    },
  });
  assert.match(said.at(-1), /installed in/);
});

test('the tests after a start install the rest, and a start after that changes nothing', async (t) => {
  const { runs, ensure } = checkout(t);
  await ensure(false);
  await ensure(true);
  await ensure(true);
  await ensure(false);
  assert.deepEqual(runs, ['without dev', 'the rest']);
});

test('a changed lock is installed again, with what tests need where it was there', async (t) => {
  const { runs, lock, ensure } = checkout(t);
  await ensure(true);
  lock({ 'node_modules/b': { version: '1.0.0' } });
  await ensure(false);
  assert.deepEqual(runs, ['with dev', 'with dev']);
});

test('what npm installed by hand is recognised by its own record', async (t) => {
  const { runs, put, ensure } = checkout(t);
  put(true);
  await ensure(true);
  await ensure(false);
  assert.deepEqual(runs, []);
});

test('what npm removes by hand after us is noticed', async (t) => {
  const { runs, put, ensure } = checkout(t);
  await ensure(true);
  put(false);
  await ensure(true);
  assert.deepEqual(runs, ['with dev', 'the rest']);
});

test('another version by hand is not taken for ours', async (t) => {
  const { runs, put, ensure } = checkout(t);
  put(true, { 'node_modules/a': { version: '0.9.0' } });
  await ensure(true);
  assert.deepEqual(runs, ['with dev']);
});

test("a folder without npm's record, as an install that was cut off leaves it, is not trusted", async (t) => {
  const { root, runs, ensure } = checkout(t);
  mkdirSync(join(root, 'node_modules', 'a'), { recursive: true });
  await ensure(false);
  assert.deepEqual(runs, ['without dev']);
});

test('two at once install once', async (t) => {
  const { runs, ensure } = checkout(t);
  await Promise.all([ensure(true), ensure(true)]);
  assert.deepEqual(runs, ['with dev']);
});

test('the package that brings Node must be there; where npm leaves it out, that is said', async (t) => {
  const { runs, ensure } = checkout(t);
  await ensure(false, { platformPackage: 'node-here' });
  await ensure(false, { platformPackage: 'node-here' });
  assert.deepEqual(runs, ['without dev']);
  await assert.rejects(ensure(false, { platformPackage: 'node-absent' }), (error) => {
    assert.ok(error instanceof DependenciesError);
    assert.match(error.message, /did not install node-absent.*npm ci/);
    return true;
  });
});

test('a failed install is told as it is, and is tried again next time', async (t) => {
  const { runs, ensure } = checkout(t);
  await assert.rejects(ensure(true, { install: async () => 'npm ci failed (1)' }), {
    name: 'DependenciesError',
    message: 'npm ci failed (1)',
  });
  await ensure(true);
  assert.deepEqual(runs, ['with dev']);
});
