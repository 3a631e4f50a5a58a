import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesAny } from './claim-patterns.ts';
import { subjectTexts } from './oidc-github-sub.ts';

const claims = {
  repository: 'octo-org/octo-repo',
  repository_id: '456789',
  repository_owner: 'octo-org',
  repository_owner_id: '123456',
};
const named = 'repo:octo-org/octo-repo:ref:refs/heads/main';
const identified = 'repo:octo-org@123456/octo-repo@456789:ref:refs/heads/main';

test('each of the two forms is compared as both', () => {
  assert.deepEqual(subjectTexts({ ...claims, sub: named }), [named, identified]);
  assert.deepEqual(subjectTexts({ ...claims, sub: identified }), [identified, named]);
  assert.deepEqual(subjectTexts({ ...claims, sub: 'repo:octo-org/octo-repo' }), [
    'repo:octo-org/octo-repo',
    'repo:octo-org@123456/octo-repo@456789',
  ]);
});

test('patterns in either form match tokens of either form', () => {
  const patterns: readonly [pattern: string, matches: boolean][] = [
    ['repo:octo-org/octo-repo:ref:refs/heads/main', true],
    ['repo:octo-org/octo-repo:**', true],
    ['repo:octo-org/*:**', true],
    ['repo:octo-org@123456/octo-repo@456789:ref:refs/heads/*', true],
    ['repo:*@123456/*@456789:**', true],
    ['repo:octo-org@123456/*:**', true],
    ['repo:octo-org/octo-rep:**', false],
    ['repo:octo/octo-repo:**', false],
    ['repo:octo-org/octo-repo:ref:refs/heads/other', false],
    // Somebody else who now has the names: the pattern's ids stand.
    ['repo:octo-org@999/octo-repo@456789:**', false],
    ['repo:octo-org@123456/octo-repo@999:**', false],
    ['repo:octo-org@123456/octo-repo@4567891:**', false],
  ];
  for (const sub of [named, identified]) {
    for (const [pattern, matches] of patterns) {
      assert.equal(
        matchesAny([pattern], subjectTexts({ ...claims, sub })),
        matches,
        `${pattern} against ${sub}`,
      );
    }
  }
});

test('a likeness whose claims do not agree stays as it is', () => {
  const others: Readonly<Record<string, unknown>>[] = [
    { sub: identified },
    { ...claims, sub: identified, repository: 'octo-org/other' },
    { ...claims, sub: identified, repository_id: '1' },
    { ...claims, sub: identified, repository_owner_id: '1' },
    { ...claims, sub: named, repository_id: 456789 },
    { ...claims, sub: named, repository_owner_id: 'octo-org' },
    { ...claims, sub: 'repo:octo-org@123456/octo-repo@456789x:ref:refs/heads/main' },
    { ...claims, sub: 'repo:octo-org@/octo-repo:pull_request' },
    { ...claims, sub: 'environment:repo:octo-org@123456/octo-repo@456789:x' },
    { ...claims, sub: 'repo:octo-org/octo-repo/more:x' },
  ];
  for (const other of others) assert.deepEqual(subjectTexts(other), [other.sub]);
  for (const sub of [undefined, 7, null, [named]]) {
    assert.deepEqual(subjectTexts({ ...claims, sub }), []);
  }
});
