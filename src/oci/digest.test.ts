import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { algorithmOf, digestOf, formatDigest, isDigestAlgorithm, parseDigest } from './digest.ts';

const hex256 = 'a'.repeat(64);
const hex512 = '0'.repeat(128);

test('digests of both registered algorithms are read as they are', () => {
  for (const text of [`sha256:${hex256}`, `sha512:${hex512}`])
    assert.equal(parseDigest(text), text);
});

test('A8: what is no digest is none', () => {
  const bad = [
    '',
    'sha256',
    'sha256:',
    `sha256:${hex256.slice(1)}`,
    `sha256:${hex256}a`,
    `sha256:${'A'.repeat(64)}`,
    `sha256:${'g'.repeat(64)}`,
    `SHA256:${hex256}`,
    `sha256:${hex256}\n`,
    `\nsha256:${hex256.slice(1)}`,
    `sha256:../${hex256.slice(3)}`,
    `sha256:${hex512}`,
    `sha512:${hex256}`,
    `sha384:${'a'.repeat(96)}`,
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    `sha256+b64:${hex256}`,
    ` sha256:${hex256}`,
  ];
  for (const text of bad) assert.equal(parseDigest(text), undefined, JSON.stringify(text));
});

test('the algorithm of a digest, and names that are no algorithm', () => {
  assert.equal(algorithmOf(digestOf(Buffer.from('x'))), 'sha256');
  assert.equal(algorithmOf(digestOf(Buffer.from('x'), 'sha512')), 'sha512');
  assert.ok(isDigestAlgorithm('sha256') && isDigestAlgorithm('sha512'));
  for (const text of ['', 'md5', 'SHA256', 'toString', '__proto__', 'constructor'])
    assert.equal(isDigestAlgorithm(text), false, text);
});

test('a digest is of the bytes, whether given whole or in pieces', () => {
  const expected = `sha256:${createHash('sha256').update('ab').digest('hex')}`;
  assert.equal(digestOf(Buffer.from('ab')), expected);
  const hash = createHash('sha256').update('a').update('b');
  assert.equal(formatDigest('sha256', hash), expected);
  assert.equal(parseDigest(expected), expected);
});
