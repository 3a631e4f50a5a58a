import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instanceAudience, policyFor, setUpOidc } from '../../conformance/tools/oidc-setup.ts';
import type { TrustPolicy } from '../ports/trust-policies.ts';

test('A19: the audience must be one, and the right one', async (t) => {
  const { issuer, verifier, policies, token } = await setUpOidc(t);
  const reason = async (aud: unknown) => {
    const result = await verifier.verify(await token({ aud }));
    return result.ok ? 'accepted' : result.reason;
  };
  assert.equal(await reason([instanceAudience]), 'accepted');
  for (const aud of [
    'other.example',
    `${instanceAudience}/`,
    instanceAudience.toUpperCase(),
    [instanceAudience, 'other.example'],
    [instanceAudience, instanceAudience],
    [],
    '',
    [''],
    undefined,
    null,
    { 0: instanceAudience },
    [[instanceAudience]],
  ]) {
    assert.equal(await reason(aud), 'audience', JSON.stringify(aud));
  }
  policies[0] = policyFor(issuer.url, { audience: 'own.example' });
  assert.equal(await reason('own.example'), 'accepted');
  assert.equal(
    await reason(instanceAudience),
    'audience',
    "the instance's where the policy has one",
  );
});

test('A21: times are judged with one minute of clock skew', async (t) => {
  const { verifier, clock, token } = await setUpOidc(t);
  const now = clock.time / 1000;
  const cases: readonly [claims: Record<string, unknown>, accepted: boolean][] = [
    [{ exp: now - 59 }, true],
    [{ exp: now - 60 }, false],
    [{ exp: undefined }, false],
    [{ exp: String(now + 300) }, false],
    [{ exp: null }, false],
    [{ exp: -1 }, false],
    [{ exp: 1e300 }, false],
    [{ nbf: now + 60 }, true],
    [{ nbf: now + 61 }, false],
    [{ nbf: 'soon' }, false],
    [{ nbf: undefined, iat: undefined }, true],
    [{ iat: now + 60, nbf: undefined }, true],
    [{ iat: now + 61, nbf: undefined }, false],
    [{ iat: true }, false],
    [{ iat: now + 50, exp: now + 40 }, false],
  ];
  for (const [claims, accepted] of cases) {
    // The policy accepts no past or present `iat` problem of its own: only the case's claim differs.
    const iat = 'exp' in claims && !('iat' in claims) ? { iat: now - 600, nbf: now - 600 } : {};
    const result = await verifier.verify(await token({ ...iat, ...claims }));
    assert.equal(
      result.ok ? 'ok' : result.reason,
      accepted ? 'ok' : 'time',
      JSON.stringify(claims),
    );
  }
  const jwt = await token();
  assert.equal((await verifier.verify(jwt, { now: clock.time + 359_999 })).ok, true);
  assert.equal((await verifier.verify(jwt, { now: clock.time + 360_000 })).ok, false);
});

test('A22: org/app-evil does not match org/app, and the denial names the pattern', async (t) => {
  const { verifier, token } = await setUpOidc(t);
  for (const sub of ['org/app-evil', 'evil/org/app', 'org/app/', 'org', 'ORG/APP']) {
    const result = await verifier.verify(await token({ sub }));
    assert.ok(!result.ok && result.reason === 'claims', sub);
    assert.ok(result.message.includes('must match "org/app", but the token has'), result.message);
    assert.ok(result.message.includes(JSON.stringify(sub)), result.message);
  }
});

test('a policy without claims or with an empty list of patterns matches nothing', async (t) => {
  const { issuer, verifier, policies, token } = await setUpOidc(t);
  // A name that every object has by inheritance is not a claim of the token.
  const claimSets: TrustPolicy['claims'][] = [{}, { sub: [] }, { constructor: ['**'] }];
  for (const claims of claimSets) {
    policies[0] = policyFor(issuer.url, { claims });
    const result = await verifier.verify(await token());
    assert.equal(result.ok ? 'ok' : result.reason, 'claims');
  }
});

test('a token without a subject is refused', async (t) => {
  const { verifier, token } = await setUpOidc(t);
  for (const sub of [undefined, '', 1, ['org/app'], null]) {
    const result = await verifier.verify(await token({ sub }));
    assert.equal(result.ok ? 'ok' : result.reason, 'subject', JSON.stringify(sub));
  }
});
