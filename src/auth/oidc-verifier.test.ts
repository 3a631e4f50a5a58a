import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  breakSignature,
  forgeCompressedJwe,
  forgeHmac,
  forgeUnsigned,
} from '../../conformance/tools/forged-jwts.ts';
import { createIssuerKey, startIssuer } from '../../conformance/tools/issuer.ts';
import { instanceAudience, policyFor, setUpOidc } from '../../conformance/tools/oidc-setup.ts';
import { createOidcVerifier, generalDenial, type OidcResult } from './oidc-verifier.ts';

const none = { discovery: 0, jwks: 0, other: 0 };

function assertGeneral(result: OidcResult, what: string): void {
  assert.deepEqual(result, { ok: false, reason: 'rejected', message: generalDenial }, what);
}

/** Claims that the policy of the setup would accept. */
function goodClaims(iss: string, time: number): Record<string, unknown> {
  const iat = time / 1000;
  return { iss, sub: 'org/app', aud: instanceAudience, iat, nbf: iat, exp: iat + 300 };
}

test('accepts a token of each allowed algorithm', async (t) => {
  for (const alg of ['RS256', 'RS512', 'PS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA']) {
    const { issuer, verifier, policies, clock, token } = await setUpOidc(t, { alg });
    const result = await verifier.verify(await token());
    assert.deepEqual(
      result,
      {
        ok: true,
        issuer: issuer.url,
        subject: 'org/app',
        policies,
        expiresAt: clock.time + 300_000 + 60_000,
      },
      alg,
    );
  }
});

test('returns all policies that match, of the named team alone where one is named', async (t) => {
  const { issuer, verifier, policies, token } = await setUpOidc(t);
  const [first] = policies;
  const other = policyFor(issuer.url, { teamId: 'team_b', claims: { sub: ['org/*'] } });
  const narrow = policyFor(issuer.url, { claims: { sub: ['org/app'], role: ['admin'] } });
  policies.push(other, narrow);
  const found = async (teamId?: string) => {
    const result = await verifier.verify(await token(), { teamId });
    return result.ok ? result.policies : result.reason;
  };
  assert.deepEqual(await found(), [first, other]);
  assert.deepEqual(await found('team_a'), [first]);
  assert.deepEqual(await found('team_b'), [other]);
  assert.equal(await found('team_c'), 'rejected');
});

test('A14, A15: no algorithm without a signature of the issuer', async (t) => {
  const { issuer, verifier, clock, token } = await setUpOidc(t, { alg: 'RS256' });
  assert.ok((await verifier.verify(await token())).ok);
  const claims = goodClaims(issuer.url, clock.time);
  for (const alg of ['none', 'None', 'NONE', '', 'HS256', 'RS257']) {
    assertGeneral(await verifier.verify(forgeUnsigned(claims, alg)), `alg ${alg}`);
    assertGeneral(await verifier.verify(`${forgeUnsigned(claims, alg)}c2ln`), `alg ${alg}, signed`);
  }
  assertGeneral(await verifier.verify(await forgeHmac(claims, issuer.keys[0]!)), 'HS256');
});

test('A16: keys in the header are neither used nor fetched', async (t) => {
  const { issuer, verifier } = await setUpOidc(t);
  const theirs = await startIssuer();
  t.after(() => theirs.close());
  const key = theirs.keys[0]!;
  const claims = { aud: instanceAudience, sub: 'org/app' };
  for (const header of [
    { jwk: key.publicJwk },
    { jku: `${theirs.url}/jwks` },
    { x5u: `${theirs.url}/jwks` },
    { x5c: ['MIIB'] },
    { crit: ['b64'], b64: true },
  ]) {
    const name = Object.keys(header)[0]!;
    const forged = await issuer.sign(claims, {
      key,
      header: { ...header, kid: issuer.keys[0]!.kid },
    });
    assertGeneral(await verifier.verify(forged), name);
    const unknown = await issuer.sign(claims, { key, header });
    assertGeneral(await verifier.verify(unknown), `${name}, unknown kid`);
  }
  const honest = await issuer.sign(claims, { header: { jwk: issuer.keys[0]!.publicJwk } });
  assertGeneral(await verifier.verify(honest), "the issuer's own key in the header");
  assert.deepEqual(theirs.requests, none);
});

test('A17: a known key id with another key is refused, and no new keys are fetched for it', async (t) => {
  const { issuer, verifier, clock, token } = await setUpOidc(t);
  assert.ok((await verifier.verify(await token())).ok);
  const { kid } = issuer.keys[0]!;
  const stranger = await createIssuerKey('ES256', kid);
  clock.time += 31_000;
  issuer.resetRequests();
  const claims = { aud: instanceAudience, sub: 'org/app' };
  assertGeneral(await verifier.verify(await issuer.sign(claims, { key: stranger })), 'other key');
  assertGeneral(await verifier.verify(breakSignature(await token())), 'broken signature');
  const rsa = await createIssuerKey('RS256', kid);
  assertGeneral(
    await verifier.verify(await issuer.sign(claims, { key: rsa })),
    'other kind of key',
  );
  assert.deepEqual(issuer.requests, none);
});

test('A18: a compressed JWE is refused before anything is decrypted or inflated', async (t) => {
  const { issuer, verifier } = await setUpOidc(t);
  for (const bytes of [1_000, 8_000_000]) {
    const jwe = forgeCompressedJwe(bytes);
    // Of all threads: what inflates or decrypts may be another.
    const started = process.cpuUsage();
    assertGeneral(await verifier.verify(jwe), `${bytes} bytes inside`);
    const { user, system } = process.cpuUsage(started);
    assert.ok(user + system < 50_000, `took ${user + system} µs`);
  }
  assert.deepEqual(issuer.requests, none);
});

test('A20: look-alike issuers are refused and nobody is asked', async (t) => {
  const { issuer, policies, verifier, clock } = await setUpOidc(t);
  const theirs = await startIssuer({ now: () => clock.time / 1000 });
  t.after(() => theirs.close());
  const claims = { aud: instanceAudience, sub: 'org/app' };
  const { port } = new URL(issuer.url);
  const lookAlikes = [
    `${issuer.url}/`,
    `${issuer.url}#`,
    `${issuer.url}?`,
    issuer.url.toUpperCase(),
    ` ${issuer.url}`,
    `${issuer.url}\u0000`,
    `http://localhost:${port}`,
    `http://127.1:${port}`,
    `${issuer.url}@${new URL(theirs.url).host}`,
    theirs.url,
  ];
  for (const iss of lookAlikes) {
    const forged = await theirs.sign({ ...claims, iss });
    assertGeneral(await verifier.verify(forged), iss);
    assertGeneral(await verifier.verify(await issuer.sign({ ...claims, iss })), iss);
  }
  for (const iss of [undefined, '', 1, null, [issuer.url], { url: issuer.url }]) {
    assertGeneral(
      await verifier.verify(await theirs.sign({ ...claims, iss })),
      JSON.stringify(iss),
    );
  }
  assert.deepEqual(issuer.requests, none);
  assert.deepEqual(theirs.requests, none);

  // A store that compares more kindly than we do changes nothing.
  const kind = createOidcVerifier({
    trustPolicies: { findByIssuer: () => policies },
    audience: () => instanceAudience,
    clock: { now: () => clock.time },
    outbound: {
      check: () => assert.fail('no outbound request'),
      fetch: () => assert.fail('no outbound request'),
      close: async () => {},
    },
    log: { info() {}, warn() {} },
  });
  assertGeneral(await kind.verify(await theirs.sign(claims)), 'a kind store');
});

test('A23: a thousand unknown key ids cost one fetch in thirty seconds', async (t) => {
  const { issuer, verifier, clock, token } = await setUpOidc(t);
  const key = await createIssuerKey();
  const flood = (count: number) =>
    Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const header = { kid: `random-${clock.time}-${index}` };
        const jwt = await issuer.sign({ aud: instanceAudience }, { key, header });
        assertGeneral(await verifier.verify(jwt), header.kid);
      }),
    );
  await flood(500);
  clock.time += 29_999;
  await flood(500);
  assert.deepEqual(issuer.requests, { discovery: 1, jwks: 1, other: 0 });
  clock.time += 1;
  await flood(500);
  assert.deepEqual(issuer.requests, { discovery: 2, jwks: 2, other: 0 });
  assert.ok((await verifier.verify(await token())).ok);
});

test('A24: garbage gets the one general text', async (t) => {
  const { issuer, verifier, clock, token } = await setUpOidc(t);
  const good = await token();
  const [header, payload, signature] = good.split('.') as [string, string, string];
  const part = (text: string) => Buffer.from(text).toString('base64url');
  const claims = goodClaims(issuer.url, clock.time);
  const garbage = [
    '',
    '.',
    '..',
    '...',
    'gnt_abc',
    'a.b.c',
    `${header}.${payload}`,
    `${header}.${payload}.`,
    `.${payload}.${signature}`,
    `${header}..${signature}`,
    `${good}.`,
    ` ${good}`,
    `${good}\n`,
    `${header}.${payload}=.${signature}`,
    good.replaceAll('.', '\u0000'),
    `${part('null')}.${payload}.${signature}`,
    `${part('[]')}.${payload}.${signature}`,
    `${part('{')}.${payload}.${signature}`,
    `${part('{"alg":["ES256"]}')}.${payload}.${signature}`,
    `${part('{"alg":"ES256","kid":{}}')}.${payload}.${signature}`,
    `${part('{"alg":"ES256","typ":"logout+jwt"}')}.${payload}.${signature}`,
    `${header}.${part('"text"')}.${signature}`,
    `${header}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${signature}`,
    `${header}.${part(`${'['.repeat(9000)}`)}.${signature}`,
    `${header}.${part(JSON.stringify({ ...claims, sub: 'other' }))}.${signature}`,
    'x'.repeat(20_000_000),
    '.'.repeat(20_000),
  ];
  for (const text of garbage) assertGeneral(await verifier.verify(text), text.slice(0, 80));
  const padding = 'x'.repeat(16_000);
  assertGeneral(await verifier.verify(await token({ padding })), 'over 16 KiB');
  assert.ok((await verifier.verify(await token({ padding: padding.slice(0, 8000) }))).ok);
});
