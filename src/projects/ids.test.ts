import assert from 'node:assert/strict';
import test from 'node:test';
import { isId, newId } from './ids.ts';

test('an id is its prefix and a UUIDv7', () => {
  const id = newId('team');
  assert.match(id, /^team_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  const madeAt = Number.parseInt(id.slice(5, 17), 16);
  assert.ok(Math.abs(madeAt - Date.now()) < 5000);
});

test('ids differ', () => {
  assert.equal(new Set(Array.from({ length: 1000 }, () => newId('upl'))).size, 1000);
});

test('isId: prefix and 32 hex digits, nothing else', () => {
  assert.ok(isId(newId('prj'), 'prj'));
  for (const text of [
    newId('team'),
    'prj_',
    `${newId('prj')}0`,
    newId('prj').toUpperCase(),
    'prj',
  ]) {
    assert.equal(isId(text, 'prj'), false, text);
  }
});
