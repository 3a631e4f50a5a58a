/** Whose JWTs are believed: at the registry's login, at the API, and in exchange for a token. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { expectStatus } from '../spec/check.ts';
import { type Answer, basic } from '../spec/client.ts';
import { useServer } from '../spec/fixture.ts';
import {
  createIssuerKey,
  type IssuerFault,
  startIssuer,
  type TestIssuer,
} from '../tools/issuer.ts';
import { createPolicy, createTeam, type Team } from './principals.ts';

const audience = 'https://registry.example.test';
const issuers: TestIssuer[] = [];

const fixture = useServer({ env: { GANTRY_OUTBOUND_ALLOW: 'loopback' } });
after(async () => {
  for (const issuer of issuers) await issuer.close();
});

let teams = 0;
/** An issuer that one team trusts for `org/app`. */
async function trusted(): Promise<{
  issuer: TestIssuer;
  team: Team;
  jwt: (sub: string) => Promise<string>;
}> {
  const issuer = await startIssuer();
  issuers.push(issuer);
  teams += 1;
  const team = await createTeam(fixture.server, `trusting-${teams}`);
  await createPolicy(fixture.server, team, {
    issuer: issuer.url,
    audience,
    claims: { sub: ['org/app'] },
  });
  return { issuer, team, jwt: (sub) => issuer.sign({ sub, aud: audience }) };
}

const login = (jwt: string) =>
  fixture.registry
    .as(basic('oidc', jwt))
    .get('/token', { query: { service: 'any' }, check: false });
const direct = (jwt: string) =>
  fixture.registry.as(basic('oidc', jwt)).get('/v2/', { check: false });
const api = (jwt: string) =>
  fixture.registry.as(`Bearer ${jwt}`).get('/api/v1/me', { check: false });
function exchange(jwt: string): Promise<Answer> {
  return fixture.registry.as(undefined).ask('POST', '/oauth/token', {
    check: false,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      subject_token: jwt,
    }).toString(),
  });
}

describe('Trust in issuers', () => {
  test('A22: org/app-evil against the pattern org/app: 401 at login with the pattern, 403 at the API', async () => {
    const { jwt } = await trusted();
    const good = await jwt('org/app');
    for (const ask of [login, direct, api, exchange]) expectStatus(await ask(good), 200);
    for (const sub of ['org/app-evil', 'org/app/evil', 'evil/org/app', 'org/app ', 'ORG/APP']) {
      const evil = await jwt(sub);
      for (const [ask, status] of [
        [login, 401],
        [direct, 401],
        [api, 403],
        [exchange, 400],
      ] as const) {
        const answer = expectStatus(await ask(evil), status);
        const text = answer.text().replaceAll('\\"', "'");
        assert.ok(text.includes("claim 'sub' must match 'org/app'"), text);
        assert.ok(!/gnt_|access_token/.test(text), text);
      }
    }
  });

  const faults: Record<string, IssuerFault> = {
    '429': { kind: 'status', status: 429 },
    '500': { kind: 'status', status: 500 },
    '503': { kind: 'status', status: 503 },
    'a cut connection': { kind: 'reset' },
    'half an answer': { kind: 'truncate' },
    'another body': { kind: 'body', body: '{"keys":"all"}' },
  };
  for (const [name, fault] of Object.entries(faults)) {
    test(`A28: an issuer whose keys or discovery answer ${name}: refused, never let in`, async () => {
      for (const at of ['jwks', 'discovery'] as const) {
        const { issuer, jwt } = await trusted();
        issuer.faults[at] = fault;
        const good = await jwt('org/app');
        for (const ask of [login, direct, api, exchange]) {
          const answer = expectStatus(await ask(good), 503);
          assert.ok(answer.header('retry-after'), `${answer.what}: no Retry-After`);
        }
        assert.ok(
          issuer.requests.discovery <= 1,
          'a failing issuer is asked once, not at each login',
        );
      }
    });
  }

  test('A28: keys that were read go on working; a new key of an issuer that fails is not believed', async () => {
    const { issuer, jwt } = await trusted();
    expectStatus(await login(await jwt('org/app')), 200);
    issuer.faults.jwks = { kind: 'status', status: 503 };
    expectStatus(await login(await jwt('org/app')), 200);
    const key = await createIssuerKey();
    const forged = await issuer.sign({ sub: 'org/app', aud: audience }, { key });
    for (const ask of [login, direct, api, exchange]) {
      const { status, what } = await ask(forged);
      assert.ok([400, 401, 503].includes(status), `${what}: ${status}`);
    }
  });
});
