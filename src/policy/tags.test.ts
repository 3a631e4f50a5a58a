import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTag } from '../oci/reference.ts';
import { checkTag } from './tags.ts';

for (const tag of ['latest', 'v1.2.3', '_a', 'A-b_c.D', '1', 'x'.repeat(128), 'a..b', 'a-']) {
  test(`accepts ${tag.slice(0, 20)}`, () => assert.deepEqual(checkTag(tag), { allow: true }));
}

const refused: [tag: string, rule: string, suggestion: string, message: RegExp][] = [
  ['', 'empty', 'latest', /must not be empty/],
  ['x'.repeat(129), 'length', 'x'.repeat(128), /more than 128 characters/],
  ['.hidden', 'first-character', 'hidden', /must start with a letter, a digit or "_"/],
  ['-x', 'first-character', 'x', /must start with/],
  ['feature/\u00dcber 1', 'characters', 'feature-Uber-1', /only letters, digits/],
  ['a+b', 'characters', 'a-b', /only letters, digits/],
  ['???', 'characters', 'latest', /only letters, digits/],
];
for (const [tag, rule, suggestion, message] of refused) {
  test(`refuses ${JSON.stringify(tag.slice(0, 20))}: ${rule}`, () => {
    const decision = checkTag(tag);
    assert.ok(!decision.allow);
    assert.equal(decision.error.kind, 'tag-invalid');
    assert.match(decision.error.message, message);
    assert.deepEqual(decision.error.detail, { rule, suggestion });
    assert.ok(isTag(suggestion));
  });
}
