import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesTag, matchingPattern, tagPattern } from './tag-pattern.ts';

const cases: [pattern: string, matched: string[], not: string[]][] = [
  ['latest', ['latest'], ['Latest', 'latest2', 'lates', '']],
  ['*', ['latest', 'v1', ''], []],
  ['v*', ['v', 'v1', 'v1.2.3'], ['xv1', 'V1']],
  ['*-rc', ['-rc', '1-rc', '1-rc-rc'], ['1-rc1', 'rc']],
  ['v*.*.0', ['v1.2.0', 'v..0', 'v1.0.1.0'], ['v1.0', 'v1.2.01']],
  ['a*b*a', ['aba', 'aabba', 'abxba'], ['ab', 'aa', 'abab']],
  ['**', ['x'], []],
  ['a.c', ['a.c'], ['abc']],
];

for (const [wanted, matched, not] of cases) {
  test(`the pattern ${wanted}`, () => {
    for (const tag of matched) assert.equal(matchesTag(wanted, tag), true, tag);
    for (const tag of not) assert.equal(matchesTag(wanted, tag), false, tag);
  });
}

test('agrees with regular expressions', () => {
  const letters = ['a', 'b', '*'];
  const words = (length: number, of: string[]): string[] =>
    length === 0 ? [''] : words(length - 1, of).flatMap((word) => ['', ...of].map((l) => word + l));
  for (const wanted of new Set(words(4, letters))) {
    const same = new RegExp(`^${wanted.replaceAll('*', '.*')}$`);
    for (const tag of new Set(words(5, ['a', 'b'])))
      assert.equal(matchesTag(wanted, tag), same.test(tag), `${wanted} ${tag}`);
  }
});

test('many stars take no longer than the product of the lengths', () => {
  const began = process.threadCpuUsage();
  assert.equal(matchesTag(`${'*a'.repeat(63)}*b`, 'a'.repeat(128)), false);
  assert.ok(process.threadCpuUsage(began).user < 100_000);
});

test('what a pattern may be', () => {
  for (const good of ['*', 'v1.*', 'A_b-c', 'x'.repeat(128)]) assert.match(good, tagPattern);
  for (const bad of ['', 'a b', 'ä', 'a/b', '[a]', 'a?', 'x'.repeat(129)])
    assert.doesNotMatch(bad, tagPattern);
  assert.equal(matchingPattern(['a*', 'ab*'], 'abc'), 'a*');
  assert.equal(matchingPattern([], 'abc'), undefined);
});
