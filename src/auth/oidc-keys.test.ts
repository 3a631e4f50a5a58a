import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startIssuer } from '../../conformance/tools/issuer.ts';
import { policyFor, setUpOidc } from '../../conformance/tools/oidc-setup.ts';
import { RegistryError } from '../oci/errors.ts';
import { createIssuerKeys } from './oidc-keys.ts';
import { generalDenial, type OidcResult } from './oidc-verifier.ts';

const minute = 60_000;

/** The kind of the RegistryError, 'ok', or the denial's reason. */
async function outcome(result: Promise<OidcResult>): Promise<string> {
  try {
    const settled = await result;
    return settled.ok ? 'ok' : settled.reason;
  } catch (error) {
    if (error instanceof RegistryError) return error.kind;
    throw error;
  }
}

test('keys are read once in ten minutes, however many log in at once', async (t) => {
  const { issuer, verifier, clock, token } = await setUpOidc(t);
  const logIn = async (count: number) => {
    const results = Array.from({ length: count }, async () => verifier.verify(await token()));
    for (const result of await Promise.all(results)) assert.ok(result.ok);
  };
  await logIn(50);
  clock.time += 10 * minute - 1;
  await logIn(50);
  assert.deepEqual(issuer.requests, { discovery: 1, jwks: 1, other: 0 });
  clock.time += 1;
  await logIn(50);
  assert.deepEqual(issuer.requests, { discovery: 2, jwks: 2, other: 0 });
});

test('a key that is new is found at once, a withdrawn one is gone with the next reading', async (t) => {
  const { issuer, verifier, clock, token } = await setUpOidc(t);
  assert.equal(await outcome(verifier.verify(await token())), 'ok');
  const old = issuer.keys[0]!;
  clock.time += minute;
  await issuer.rotate();
  const atOnce = Array.from({ length: 20 }, async () => outcome(verifier.verify(await token())));
  assert.deepEqual(new Set(await Promise.all(atOnce)), new Set(['ok']));
  assert.deepEqual(issuer.requests, { discovery: 2, jwks: 2, other: 0 });
  const late = issuer.sign({ aud: 'registry.example', sub: 'org/app' }, { key: old });
  assert.equal(await outcome(verifier.verify(await late)), 'rejected');
});

test('a token without a key id is checked by the only key, and by a newer one after a rotation', async (t) => {
  const { issuer, verifier, clock } = await setUpOidc(t);
  const bare = () =>
    issuer.sign({ aud: 'registry.example', sub: 'org/app' }, { header: { kid: undefined } });
  assert.equal(await outcome(verifier.verify(await bare())), 'ok');
  clock.time += minute;
  await issuer.rotate();
  assert.equal(await outcome(verifier.verify(await bare())), 'ok');
});

test('A28: without keys nobody is let in: 503, and the issuer is asked again only after a while', async (t) => {
  const { issuer, verifier, clock, log, token } = await setUpOidc(t);
  const good = await token();
  for (const status of [429, 500, 503, 404, 204]) {
    clock.time += 5000;
    issuer.resetRequests();
    issuer.faults.jwks = { kind: 'status', status };
    for (let login = 0; login < 3; login++) {
      assert.equal(await outcome(verifier.verify(good)), 'unavailable', `${status}`);
    }
    assert.deepEqual(issuer.requests, { discovery: 1, jwks: 1, other: 0 }, `${status}`);
  }
  const warnings = log.filter(({ level }) => level === 'warn');
  assert.equal(warnings.length, 5);
  assert.deepEqual(warnings[0]?.fields, {
    issuer: issuer.url,
    reason: `${issuer.url}/jwks answered 429`,
  });
  issuer.faults.jwks = undefined;
  clock.time += 5000;
  assert.equal(await outcome(verifier.verify(good)), 'ok');
});

test('A28: whatever is wrong with discovery or the keys, the token is not accepted', async (t) => {
  const { issuer, verifier, clock, log, token } = await setUpOidc(t);
  const theirs = await startIssuer();
  t.after(() => theirs.close());
  const good = await token();
  const faults: readonly (readonly [
    where: 'discovery' | 'jwks',
    fault: NonNullable<typeof issuer.faults.jwks>,
  ])[] = [
    ['discovery', { kind: 'status', status: 500 }],
    ['discovery', { kind: 'reset' }],
    ['discovery', { kind: 'truncate' }],
    ['discovery', { kind: 'body', body: '' }],
    ['discovery', { kind: 'body', body: 'null' }],
    ['discovery', { kind: 'body', body: '<html>' }],
    ['discovery', { kind: 'body', body: JSON.stringify({ issuer: issuer.url }) }],
    ['discovery', { kind: 'body', body: ' '.repeat(64 * 1024 + 1) }],
    ['discovery', { kind: 'redirect', location: `${theirs.url}/.well-known/openid-configuration` }],
    ['jwks', { kind: 'reset' }],
    ['jwks', { kind: 'truncate' }],
    ['jwks', { kind: 'body', body: '[]' }],
    ['jwks', { kind: 'body', body: '{"keys":{}}' }],
    ['jwks', { kind: 'body', body: '{"keys":["text"]}' }],
    ['jwks', { kind: 'body', body: JSON.stringify({ keys: Array(101).fill({}) }) }],
    ['jwks', { kind: 'body', body: `{"keys":[]${' '.repeat(256 * 1024)}}` }],
    ['jwks', { kind: 'redirect', location: `${theirs.url}/jwks` }],
  ];
  for (const [where, fault] of faults) {
    clock.time += 5000;
    issuer.faults[where] = fault;
    const what = `${where} ${JSON.stringify(fault).slice(0, 80)}`;
    assert.equal(await outcome(verifier.verify(good)), 'unavailable', what);
    issuer.faults[where] = undefined;
  }
  for (const overrides of [
    { issuer: `${issuer.url}/` },
    { issuer: theirs.url },
    { jwks_uri: 'http://169.254.169.254/jwks' },
    { jwks_uri: 'file:///etc/passwd' },
    { jwks_uri: 7 },
  ]) {
    clock.time += 5000;
    Object.assign(issuer.discoveryOverrides, overrides);
    const what = JSON.stringify(overrides);
    assert.equal(await outcome(verifier.verify(good)), 'unavailable', what);
    delete issuer.discoveryOverrides.issuer;
    delete issuer.discoveryOverrides.jwks_uri;
  }
  assert.equal(log.filter(({ level }) => level === 'warn').length, faults.length + 5);
  assert.deepEqual(theirs.requests, { discovery: 0, jwks: 0, other: 0 });
  clock.time += 5000;
  assert.equal(await outcome(verifier.verify(good)), 'ok');
});

test('A28: cached keys go on working while the issuer is down, but not for ever', async (t) => {
  const { issuer, verifier, clock, token } = await setUpOidc(t);
  assert.equal(await outcome(verifier.verify(await token())), 'ok');
  issuer.faults.discovery = { kind: 'status', status: 503 };
  clock.time += 11 * minute;
  for (let login = 0; login < 5; login++) {
    assert.equal(await outcome(verifier.verify(await token())), 'ok');
  }
  assert.equal(issuer.requests.discovery, 2, 'asked again once, not at each login');
  const stranger = await startIssuer({ now: () => clock.time / 1000 });
  t.after(() => stranger.close());
  const forged = await stranger.sign({ iss: issuer.url }, { header: { kid: 'unknown' } });
  assert.equal(await outcome(verifier.verify(forged)), 'unavailable', 'its key may be a new one');
  clock.time += 24 * 60 * minute;
  assert.equal(await outcome(verifier.verify(await token())), 'unavailable');
  issuer.faults.discovery = undefined;
  clock.time += 5000;
  assert.equal(await outcome(verifier.verify(await token())), 'ok');
});

test('a clock that is set back keeps neither old keys nor a refusal to ask', async (t) => {
  const { issuer, verifier, clock, token } = await setUpOidc(t);
  const early = clock.time - 10 * minute;
  assert.equal(await outcome(verifier.verify(await token())), 'ok');
  clock.time = early;
  assert.equal(await outcome(verifier.verify(await token())), 'ok');
  assert.equal(issuer.requests.jwks, 2);
});

test('A25: an issuer at an inner address is not asked', async (t) => {
  const { issuer, verifier, policies, token } = await setUpOidc(t);
  for (const inner of ['http://169.254.169.254', 'https://10.0.0.1', 'https://[fd00::1]']) {
    policies.push(policyFor(inner));
    assert.equal(await outcome(verifier.verify(await token({ iss: inner }))), 'unavailable', inner);
  }
  assert.deepEqual(issuer.requests, { discovery: 0, jwks: 0, other: 0 });
});

test("the issuer's path is kept, and the text before a signature is checked is always the same", async (t) => {
  const { issuer, verifier, token } = await setUpOidc(t, { path: '/realms/a' });
  assert.equal(await outcome(verifier.verify(await token())), 'ok');
  assert.deepEqual(issuer.requests, { discovery: 1, jwks: 1, other: 0 });
  const result = await verifier.verify(await token(), { teamId: 'team_none' });
  assert.deepEqual(result, { ok: false, reason: 'rejected', message: generalDenial });
});

test('requests to an issuer are bounded: five seconds each, 64 KiB of discovery, 256 KiB of keys', async (t) => {
  const { issuer } = await setUpOidc(t);
  const asked: unknown[] = [];
  const keys = createIssuerKeys({
    outbound: {
      check() {},
      async fetch(url, { timeoutMs, maxBytes }) {
        asked.push([String(url), timeoutMs, maxBytes]);
        const body = { issuer: issuer.url, jwks_uri: 'https://keys.example/', keys: [] };
        return { status: 200, headers: {}, body: Buffer.from(JSON.stringify(body)) };
      },
      async close() {},
    },
    clock: { now: () => 0 },
    log: { info() {}, warn() {} },
  });
  await keys.current(issuer.url);
  assert.deepEqual(asked, [
    [`${issuer.url}/.well-known/openid-configuration`, 5000, 64 * 1024],
    ['https://keys.example/', 5000, 256 * 1024],
  ]);
});

test('closing ends a request under way', async (t) => {
  const { issuer, verifier, token } = await setUpOidc(t);
  issuer.faults.discovery = { kind: 'hang' };
  const pending = outcome(verifier.verify(await token()));
  verifier.close();
  assert.equal(await pending, 'unavailable');
});
