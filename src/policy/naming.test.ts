import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { maxNameLength, parseRepositoryPath } from '../oci/reference.ts';
import { checkRepositoryName } from './naming.ts';

const accepted = [
  'team/project/repository',
  'a/b/c',
  '1/2/3',
  'team/project/my-repository',
  'team/project/a.b_c__d---e',
  `a/b/${'x'.repeat(maxNameLength - 4)}`,
];
for (const name of accepted) {
  test(`accepts ${name.slice(0, 40)}`, () =>
    assert.deepEqual(checkRepositoryName(name), { allow: true }));
}

const refused: [name: string, rule: string, suggestion: string, message: RegExp][] = [
  ['Team/App/Web_', 'uppercase', 'team/app/web', /its team "Team" must be lowercase/],
  [
    'team/app/web_',
    'last-character',
    'team/app/web',
    /its repository "web_" must end with a letter/,
  ],
  ['team/app/.web', 'first-character', 'team/app/web', /must start with a letter or a digit/],
  ['team/-app/web', 'first-character', 'team/app/web', /its project "-app" must start/],
  ['team/app/we b', 'characters', 'team/app/we-b', /only lowercase letters, digits/],
  ['team/app/caf\u00e9', 'characters', 'team/app/cafe', /only lowercase letters, digits/],
  ['team/app/a%00b', 'characters', 'team/app/a-00b', /only lowercase letters/],
  ['team/app/a..b', 'dots', 'team/app/a-b', /must not contain "\.\."/],
  ['../x', 'dots', 'team-slug/project-slug/x', /must not contain "\.\."/],
  ['team/../web', 'dots', 'team/web/my-repository', /its project "\.\." must not/],
  ['team/app/a.-b', 'separators', 'team/app/a-b', /only one "\.", one or two "_", or dashes/],
  ['team/app/a___b', 'separators', 'team/app/a-b', /one or two "_"/],
  ['team//web', 'empty', 'team/web/my-repository', /its project must not be empty/],
  ['', 'empty', 'team-slug/project-slug/my-repository', /must not be empty/],
  ['web', 'parts', 'team-slug/project-slug/web', /has 1 part, but .* team\/project\/repository/],
  ['app/web', 'parts', 'app/web/my-repository', /has 2 parts/],
  ['a/b/c/d', 'parts', 'a/b/c-d', /has 4 parts/],
  ['!/?/*', 'characters', 'team-slug/project-slug/my-repository', /only lowercase letters/],
];
for (const [name, rule, suggestion, message] of refused) {
  test(`refuses ${JSON.stringify(name)}: ${rule}`, () => {
    const decision = checkRepositoryName(name);
    assert.ok(!decision.allow);
    assert.equal(decision.error.kind, 'name-invalid');
    assert.match(decision.error.message, message);
    assert.deepEqual(decision.error.detail, { rule, suggestion });
    assert.ok(decision.error.hint?.includes(suggestion));
  });
}

describe('long and hostile names', () => {
  const names = [
    `a/b/${'x'.repeat(maxNameLength - 3)}`,
    `${'T'.repeat(300)}/${'P_'.repeat(300)}/${'r'.repeat(300)}`,
    'a/'.repeat(100_000),
    '.'.repeat(100_000),
    '_-'.repeat(100_000),
    `a/b/${'\u{1f4a9}'.repeat(50_000)}`,
  ];
  for (const name of names) {
    test(`A7, A34 ${name.length} characters of ${name.slice(0, 6)}`, () => {
      const started = process.threadCpuUsage();
      const decision = checkRepositoryName(name);
      assert.ok(process.threadCpuUsage(started).user < 50_000);
      assert.ok(!decision.allow);
      assert.equal(decision.error.detail?.rule, 'length');
      assert.match(decision.error.message, /more than 255 characters/);
      assert.ok(decision.error.message.length < 300);
      const suggestion = String(decision.error.detail?.suggestion);
      assert.ok(parseRepositoryPath(suggestion), suggestion);
    });
  }

  test('control characters do not reach the message', () => {
    const decision = checkRepositoryName('a/b/\u001b[31m\n\u202e\u0085"c');
    assert.ok(!decision.allow);
    assert.doesNotMatch(decision.error.message, /[\p{C}]/u);
  });

  test('every suggestion is a name', () => {
    const letters = ['a', 'B', '_', '-', '.', '/', ' ', '\u00e9', '9'];
    let seed = 1;
    for (let round = 0; round < 3000; round++) {
      let name = '';
      for (let i = 0; i < round % 24; i++) {
        seed = (seed * 48271) % 2147483647;
        name += letters[seed % letters.length];
      }
      const decision = checkRepositoryName(name);
      if (decision.allow) continue;
      const suggestion = String(decision.error.detail?.suggestion);
      assert.ok(parseRepositoryPath(suggestion), `${JSON.stringify(name)} -> ${suggestion}`);
    }
  });
});
