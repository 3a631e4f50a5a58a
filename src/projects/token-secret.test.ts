import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { hashToken, isTokenShaped, newToken } from './token-secret.ts';

test('a new token: prefix, 30 and 6 base62 characters, and its SHA-256', () => {
  const { secret, hash } = newToken();
  assert.match(secret, /^gnt_[0-9A-Za-z]{36}$/);
  assert.equal(hash, createHash('sha256').update(secret).digest('hex'));
  assert.equal(hashToken(secret), hash);
});

test('a thousand tokens differ, have the right shape and use the whole alphabet', () => {
  const secrets = new Set(Array.from({ length: 1000 }, () => newToken().secret));
  assert.equal(secrets.size, 1000);
  for (const secret of secrets) assert.ok(isTokenShaped(secret), secret);
  const letters = new Set([...secrets].flatMap((secret) => [...secret.slice(4, 34)]));
  assert.equal(letters.size, 62);
});

test('the checksum is CRC-32 in base62, most significant digit first', () => {
  // CRC-32 of thirty times `0` is 0x77e5db82 (2011552642), which is 2C8GjS in base62.
  const zeros = '0'.repeat(30);
  const digits = [...'2C8GjS'].map((c) =>
    '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.indexOf(c),
  );
  assert.equal(
    digits.reduce((value, digit) => value * 62 + digit, 0),
    2011552642,
  );
  assert.ok(isTokenShaped(`gnt_${zeros}2C8GjS`));
});

test('any one wrong, missing or added character is noticed', () => {
  const { secret } = newToken();
  for (let i = 0; i < secret.length; i++) {
    const other = secret[i] === 'a' ? 'b' : 'a';
    assert.equal(isTokenShaped(secret.slice(0, i) + other + secret.slice(i + 1)), false, `at ${i}`);
    assert.equal(isTokenShaped(secret.slice(0, i) + secret.slice(i + 1)), false, `without ${i}`);
  }
  for (const text of [
    '',
    'gnt_',
    `${secret}a`,
    ` ${secret}`,
    `${secret}\n`,
    secret.toUpperCase(),
  ]) {
    assert.equal(isTokenShaped(text), false, JSON.stringify(text));
  }
});
