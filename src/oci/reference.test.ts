import assert from 'node:assert/strict';
import test from 'node:test';
import {
  formatRepositoryPath,
  isNameComponent,
  isTag,
  maxNameLength,
  parseRepositoryPath,
} from './reference.ts';

test('a name has a team, a project and a repository', () => {
  const legal = [
    'a/b/c',
    'team-1/my.project/web_app',
    'a/b/c--d---e',
    'a/b/c__d',
    '0/1/2',
    'a/manifests/b',
    'blobs/uploads/tags',
    `a/b/${'c'.repeat(maxNameLength - 4)}`,
  ];
  for (const name of legal) {
    const path = parseRepositoryPath(name);
    assert.ok(path, name);
    assert.equal(formatRepositoryPath(path), name);
  }
  assert.deepEqual(parseRepositoryPath('acme/shop/web'), {
    team: 'acme',
    project: 'shop',
    repository: 'web',
  });
});

test('A6, A7: what is no name of three parts is none', () => {
  const bad = [
    '',
    'a',
    'a/b',
    'a/b/c/d',
    'a/b/',
    '/a/b',
    'a//b',
    'a/b/c/',
    'a/b/../c',
    '../b/c',
    'a/../c',
    'a/./c',
    'A/b/c',
    'a/b/C',
    'a/b/-c',
    'a/b/c-',
    'a/b/.c',
    'a/b/c.',
    'a/b/c..d',
    'a/b/c___d',
    'a/b/c._d',
    'a/b/c\0',
    'a/b/c\n',
    'a/b/c d',
    'a/b/c%2e',
    'a/b/ü',
    `a/b/${'c'.repeat(maxNameLength - 3)}`,
  ];
  for (const name of bad) assert.equal(parseRepositoryPath(name), undefined, JSON.stringify(name));
});

test('one component', () => {
  for (const text of ['a', '0', 'a.b', 'a_b', 'a__b', 'a-b', 'a---b', 'x'.repeat(255)])
    assert.ok(isNameComponent(text), text);
  for (const text of ['', '-', 'a/b', 'A', 'a.', '.a', 'a..b', 'a\n', 'x'.repeat(256)])
    assert.ok(!isNameComponent(text), JSON.stringify(text));
});

test('A7: tags', () => {
  for (const text of ['latest', 'v1.0', '_x', 'A-b.C_d', '1', 't'.repeat(128)])
    assert.ok(isTag(text), text);
  for (const text of ['', '-a', '.a', 'a:b', 'a/b', 'a b', 'a\n', 'ü', 't'.repeat(129)])
    assert.ok(!isTag(text), JSON.stringify(text));
});

test('A34: a name made to be slow to refuse is refused at once', () => {
  const started = process.cpuUsage();
  for (const piece of ['a', 'a-', '-', 'a.a', '__'])
    assert.ok(!isNameComponent(`${piece.repeat(255).slice(0, maxNameLength - 1)}!`), piece);
  assert.equal(parseRepositoryPath(`${'a/'.repeat(30_000)}!`), undefined);
  assert.ok(!isTag('a'.repeat(1_000_000)));
  assert.ok(process.cpuUsage(started).user < 50_000);
});
