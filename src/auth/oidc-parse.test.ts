import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJwt } from './oidc-parse.ts';

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (header: object, claims: unknown = { iss: 'https://idp.example' }) =>
  `${part({ alg: 'ES256', ...header })}.${part(claims)}.c2lnbmF0dXJl`;

test('what a JWT says of itself', () => {
  const claims = { iss: 'https://idp.example', sub: 'a' };
  assert.deepEqual(parseJwt(jwt({ kid: '1', typ: 'JWT' }, claims)), {
    algorithm: 'ES256',
    keyId: '1',
    issuer: 'https://idp.example',
    claims,
  });
});

test('types of JWT that are made for logins', () => {
  for (const typ of [undefined, 'JWT', 'jwt', 'at+jwt', 'application/at+jwt']) {
    assert.ok(parseJwt(jwt({ typ })), String(typ));
  }
  for (const typ of ['logout+jwt', 'dpop+jwt', 'secevent+jwt', '', 'xjwt', 7, null, ['JWT']]) {
    assert.equal(parseJwt(jwt({ typ })), undefined, String(typ));
  }
});

test('anything but three parts is refused, whatever its header claims', () => {
  assert.equal(parseJwt(`${jwt({})}.c2ln`), undefined);
  assert.equal(parseJwt(`${jwt({})}.c2ln.c2ln`), undefined);
  assert.equal(parseJwt(jwt({ enc: 'A256GCM' })), undefined);
  assert.equal(parseJwt(jwt({ zip: 'DEF' })), undefined);
});

test('sizes are bounded', () => {
  assert.ok(parseJwt(jwt({ kid: 'k'.repeat(512) })));
  assert.equal(parseJwt(jwt({ kid: 'k'.repeat(513) })), undefined);
  assert.equal(parseJwt(jwt({ filler: 'k'.repeat(4096) })), undefined);
  assert.ok(parseJwt(jwt({}, { iss: 'i'.repeat(1024) })));
  assert.equal(parseJwt(jwt({}, { iss: 'i'.repeat(1025) })), undefined);
  const whole = jwt({}, { iss: 'i', filler: 'f'.repeat(12_000) });
  assert.ok(whole.length < 16 * 1024 && parseJwt(whole));
  assert.equal(parseJwt(jwt({}, { iss: 'i', filler: 'f'.repeat(12_300) })), undefined);
});
