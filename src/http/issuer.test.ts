import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { instanceAudience } from '../../conformance/tools/oidc-setup.ts';
import type { TrustPolicy } from '../ports/trust-policies.ts';
import { openApplication } from './services-test-kit.ts';

const application = await openApplication({ after });
const { world, services } = application;
const { writer } = world.metadata;
const url = 'https://registry.example';
const { secret } = await application.token('write');

const json = async (path: string) => {
  const response = await application.fetch(path);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('cache-control')!, /public, max-age=/);
  return (await response.json()) as Record<string, unknown>;
};
async function ask(body: unknown, token = secret) {
  const response = await application.fetch('/api/v1/teams/acme/projects/shop/oidc-token', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
}
let policies = 0;
const trust = (claims: TrustPolicy['claims']) =>
  writer.run('CreateTrustPolicy', {
    ...{ id: `pol_${++policies}`, teamId: 'team_1', name: `own-${policies}`, issuer: url, claims },
    ...{ audience: undefined, projectIds: undefined, actions: ['pull'], createdAt: 0 },
  });

test('discovery names the keys, and who verifies by them finds what it should', async () => {
  const discovery = await json('/.well-known/openid-configuration');
  assert.equal(discovery.issuer, url);
  assert.equal(discovery.jwks_uri, `${url}/.well-known/jwks.json`);
  assert.equal(discovery.token_endpoint, `${url}/oauth/token`);
  const jwks = (await json('/.well-known/jwks.json')) as unknown as JSONWebKeySet;
  assert.ok(jwks.keys.length > 0);
  for (const key of jwks.keys) {
    assert.deepEqual(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
  }
  const { status, body } = await ask({ environment: 'production', audience: 'sts.example' });
  assert.equal(status, 200, JSON.stringify(body));
  const { payload, protectedHeader } = await jwtVerify(body.token!, createLocalJWKSet(jwks), {
    ...{ issuer: url, audience: 'sts.example', algorithms: ['RS256'] },
    currentDate: new Date(world.clock.now()),
  });
  assert.equal(protectedHeader.alg, 'RS256');
  const now = world.clock.now() / 1000;
  assert.deepEqual(
    { ...payload, jti: '' },
    {
      ...{ iss: url, sub: 'team:acme:project:shop:environment:production', aud: 'sts.example' },
      ...{ team: 'acme', team_id: 'team_1', project: 'shop', project_id: 'prj_1' },
      ...{ environment: 'production', iat: now, nbf: now, exp: now + 3600, jti: '' },
    },
  );
});

test('what is asked for is checked', async () => {
  for (const body of [
    {},
    { environment: '' },
    { environment: 'Production' },
    { environment: 'a:team:x' },
    { environment: '*' },
    { environment: 'production', audience: 'a b' },
    { environment: 'production', expiresIn: 3601 },
    { environment: 'production', expiresIn: 0 },
    { environment: 'production', team: 'other' },
  ]) {
    assert.equal((await ask(body)).status, 400, JSON.stringify(body));
  }
  const { secret: reader } = await application.token('read');
  assert.equal((await ask({ environment: 'production' }, reader)).status, 403);
  const { secret: creator } = await application.token('create');
  assert.equal((await ask({ environment: 'production' }, creator)).status, 403);
});

test('a team that trusts it: docker logs in with it, though nobody answers at its address', async () => {
  await trust({ project_id: ['prj_1'], environment: ['production'] });
  const { token, expiresAt } = await services.issuer.sign(
    { id: 'team_1', slug: 'acme' },
    { id: 'prj_1', slug: 'shop' },
    { environment: 'production' },
  );
  const login = await services.login('oidc', token);
  assert.ok('identity' in login, JSON.stringify(login));
  assert.deepEqual(login.identity.grants, [
    { teamId: 'team_1', projectIds: undefined, actions: ['pull'] },
    { teamId: 'team_1', projectIds: ['prj_1'], actions: ['pull'] },
  ]);
  const preview = await services.issuer.sign(
    { id: 'team_1', slug: 'acme' },
    { id: 'prj_1', slug: 'shop' },
    { environment: 'preview' },
  );
  const own = await services.login('oidc', preview.token);
  assert.ok('identity' in own, 'without a policy: its own project');
  assert.deepEqual(own.identity.grants, [
    { teamId: 'team_1', projectIds: ['prj_1'], actions: ['pull'] },
  ]);
  world.pass(expiresAt - world.clock.now() + 60_000);
  assert.ok('refused' in (await services.login('oidc', token)));
});

test('a token for another audience, or of another key, is not one for here', async () => {
  await trust({ team: ['acme'] });
  const project = { id: 'prj_1', slug: 'shop' };
  const team = { id: 'team_1', slug: 'acme' };
  const options = { environment: 'production', audience: 'elsewhere' };
  const elsewhere = await services.issuer.sign(team, project, options);
  assert.ok('refused' in (await services.login('oidc', elsewhere.token)));
  const good = await services.issuer.sign(team, project, { environment: 'production' });
  assert.equal(good.audience, instanceAudience);
  const [head, body, signature] = good.token.split('.') as [string, string, string];
  const forged = Buffer.from(
    JSON.stringify({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), team: 'other' }),
  ).toString('base64url');
  for (const bad of [
    `${head}.${forged}.${signature}`,
    `${head}.${body}.${signature.slice(0, -4)}AAAA`,
  ]) {
    const result = await services.login('oidc', bad);
    assert.ok('refused' in result && result.refused.includes('was not accepted'));
  }
});
