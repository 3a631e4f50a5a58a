import assert from 'node:assert/strict';
import test from 'node:test';
import { functionUrl } from './host-labels.ts';

test('a label lies under the functions domain; a custom domain is the whole name', () => {
  const local = { server: 'http://127.0.0.1:5050', address: 'localhost:5050' };
  assert.equal(functionUrl('web-shop', local), 'http://web-shop.localhost:5050');
  assert.equal(functionUrl('shop.example.com', local), 'http://shop.example.com:5050');
  const open = { server: 'https://registry.example.net', address: 'fn.example.org' };
  assert.equal(functionUrl('web-shop', open), 'https://web-shop.fn.example.org');
  assert.equal(functionUrl('shop.example.com', open), 'https://shop.example.com');
});
