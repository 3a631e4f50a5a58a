import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from '../oci/errors.ts';
import { checkClaimPatterns, claimTexts, matchesAny, matchesPattern } from './claim-patterns.ts';

const table: readonly [pattern: string, value: string, matches: boolean][] = [
  ['org/app', 'org/app', true],
  ['org/app', 'org/app-evil', false],
  ['org/app', 'evil-org/app', false],
  ['org/app', 'ORG/app', false],
  ['org/app', 'org/app\n', false],
  ['repo:org/app:*', 'repo:org/app-evil:pull_request', false],
  ['repo:org/app:*', 'repo:org/app:pull_request', true],
  ['repo:org/app:*', 'repo:org/app:ref:refs/heads/main', false],
  ['repo:org/app:**', 'repo:org/app:ref:refs/heads/main', true],
  ['repo:org/*:**', 'repo:org/app:ref:refs/heads/main', true],
  ['repo:org/*', 'repo:org/app:ref:refs/heads/main', false],
  ['repo:*/app:**', 'repo:org/evil/app:x', false],
  ['refs/heads/*', 'refs/heads/main', true],
  ['refs/heads/*', 'refs/heads/feature/x', false],
  ['refs/heads/**', 'refs/heads/feature/x', true],
  ['refs/heads/release-*-*', 'refs/heads/release-1-2', true],
  ['refs/heads/release-*-*', 'refs/heads/release-1', false],
  ['a*b*c', 'abbbc', true],
  ['a*b*c', 'abbbcd', false],
  ['*a', 'aaa', true],
  ['**x*y', 'p/x:x1y', true],
  ['**x*y', 'p/x1:y', false],
  ['***', 'a/b:c', true],
  ['*', '', true],
  ['*', 'a/b', false],
  ['**', '', true],
  ['', '', true],
  ['', 'a', false],
  ['a', '', false],
  // No other character is special.
  ['org.app', 'orgxapp', false],
  ['org?', 'orgs', false],
  ['[ab]', 'a', false],
  ['{a,b}', 'a', false],
  ['a|b', 'a', false],
  ['\\*', 'x', false],
  ['^a$', 'a', false],
  ['a+', 'aa', false],
  ['*é', 'caffé', true],
];

test('A22: a pattern is compared with the whole value', () => {
  for (const [pattern, value, expected] of table) {
    assert.equal(matchesPattern(pattern, value), expected, `${pattern} against ${value}`);
  }
});

test('agrees with the plain definition of the pattern language on every short text', () => {
  const letters = ['a', '/', '*'];
  const patterns = textsUpTo(4, letters);
  const values = textsUpTo(4, ['a', '/', 'b']);
  for (const pattern of patterns) {
    for (const value of values) {
      assert.equal(matchesPattern(pattern, value), define(pattern, value), `${pattern} ~ ${value}`);
    }
  }
});

test('takes no longer for patterns that make backtracking explode', () => {
  const value = 'a'.repeat(4000);
  const started = performance.now();
  assert.equal(matchesPattern(`${'*a'.repeat(200)}b`, value), false);
  assert.equal(matchesPattern(`${'**a'.repeat(150)}b`, value), false);
  const took = performance.now() - started;
  assert.ok(took < 2000, `took ${took} ms`);
});

test('what is over the limits matches nothing', () => {
  assert.equal(matchesPattern('**', 'a'.repeat(4096)), true);
  assert.equal(matchesPattern('**', 'a'.repeat(4097)), false);
  assert.equal(matchesPattern('a'.repeat(513), 'a'.repeat(513)), false);
});

test('claims are strings, numbers, booleans, or arrays of them', () => {
  const cases: readonly [claim: unknown, texts: string[]][] = [
    ['x', ['x']],
    [42, ['42']],
    [true, ['true']],
    [
      ['a', 1, false],
      ['a', '1', 'false'],
    ],
    [[['nested']], []],
    [{ a: 1 }, []],
    [null, []],
    [undefined, []],
    // 2^53 + 1 and 2^53 + 2 are read as one number.
    [9007199254740994, []],
    [Number.NaN, []],
    [Number.POSITIVE_INFINITY, []],
  ];
  for (const [claim, texts] of cases) assert.deepEqual(claimTexts(claim), texts);
  assert.equal(matchesAny(['admins'], claimTexts(['users', 'admins'])), true);
  assert.equal(matchesAny(['admins'], claimTexts(['users'])), false);
  assert.equal(matchesAny([], claimTexts('x')), false);
});

test('claims that cannot work are refused with the rule', () => {
  const long = 'x'.repeat(513);
  const many = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`c${index}`, ['x']]));
  const cases: readonly [claims: Record<string, string[]>, message: RegExp][] = [
    [{}, /at least one claim/],
    [many, /21 claims; at most 20/],
    [{ sub: [] }, /"sub" has 0 patterns/],
    [{ sub: [''] }, /"sub" has 0 characters/],
    [{ sub: [long] }, /"sub" has 513 characters/],
    [{ aud: ['x'] }, /--audience/],
    [{ iss: ['x'] }, /--issuer/],
    [{ exp: ['1'] }, /always checked/],
    [{ '': ['x'] }, /1 to 200 characters/],
  ];
  for (const [claims, message] of cases) {
    assert.throws(
      () => checkClaimPatterns(claims),
      (error) =>
        error instanceof RegistryError && error.kind === 'invalid' && message.test(error.message),
    );
  }
  checkClaimPatterns({ sub: ['**'], 'https://example.com/roles': ['admin'] });
});

function textsUpTo(length: number, letters: readonly string[]): string[] {
  let last = [''];
  const all = [''];
  for (let size = 1; size <= length; size++) {
    last = last.flatMap((text) => letters.map((letter) => text + letter));
    all.push(...last);
  }
  return all;
}

/** The language as it is described, without a thought for speed. */
function define(pattern: string, value: string): boolean {
  if (pattern === '') return value === '';
  if (pattern[0] !== '*')
    return pattern[0] === value[0] && define(pattern.slice(1), value.slice(1));
  const stars = /^\*+/.exec(pattern)![0].length;
  const rest = pattern.slice(stars);
  for (let taken = 0; taken <= value.length; taken++) {
    const run = value.slice(0, taken);
    if (stars === 1 && /[/:]/.test(run)) return false;
    if (define(rest, value.slice(taken))) return true;
  }
  return false;
}
