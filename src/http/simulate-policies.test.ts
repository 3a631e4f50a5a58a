import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { breakSignature } from '../../conformance/tools/forged-jwts.ts';
import { startIssuer } from '../../conformance/tools/issuer.ts';
import { instanceAudience } from '../../conformance/tools/oidc-setup.ts';
import { openApplication } from './services-test-kit.ts';

const application = await openApplication({ after });
const { world, logged } = application;
const { writer } = world.metadata;
const now = () => world.clock.now() / 1000;
const issuer = await startIssuer({ now });
const stranger = await startIssuer({ now });
after(async () => {
  await issuer.close();
  await stranger.close();
});
const policy = {
  ...{ teamId: 'team_1', issuer: issuer.url, audience: undefined, createdAt: 0 },
  ...{ claims: { sub: ['repo:org/app:*'], ref: ['refs/heads/main', 'refs/tags/**'] } },
} as const;
const actions = ['pull', 'push'] as const;
await writer.run('CreateTrustPolicy', {
  ...{ ...policy, id: 'pol_1', name: 'app', projectIds: ['prj_1'], actions },
});
await writer.run('CreateTrustPolicy', {
  ...{ ...policy, id: 'pol_2', name: 'other', audience: 'elsewhere', projectIds: undefined },
  ...{ actions: ['pull'], claims: { sub: ['**'] } },
});
const project = { id: 'prj_2', teamId: 'team_1', slug: 'blog', settings: {}, createdAt: 0 };
await writer.run('CreateProject', project);
const { secret } = await application.token('admin');

interface Simulation {
  readonly signature: string;
  readonly time: string | null;
  readonly accepted: boolean;
  readonly actions: string[];
  readonly policies: {
    name: string;
    matches: boolean;
    actions: string[];
    projectIds: string[] | null;
    checks: {
      claim: string;
      expected: string[];
      received: unknown;
      matches: boolean;
      reason: string;
    }[];
  }[];
  readonly message?: string;
}
async function simulate(body: unknown, token = secret) {
  const response = await application.fetch('/api/v1/teams/acme/policies/simulate', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Simulation };
}
const good = { aud: instanceAudience, sub: 'repo:org/app:x', ref: 'refs/heads/main' };

test('a JWT that is accepted: which policy, what it gives, what the others lack', async () => {
  const { status, body } = await simulate({ token: await issuer.sign(good) });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(
    [body.signature, body.time, body.accepted, body.actions],
    ['valid', null, true, ['pull', 'create', 'push']],
  );
  const [app, other] = body.policies;
  assert.deepEqual([app?.name, app?.matches, app?.projectIds], ['app', true, ['prj_1']]);
  assert.deepEqual(
    app?.checks.map(({ claim, matches }) => [claim, matches]),
    [
      ['iss', true],
      ['aud', true],
      ['sub', true],
      ['ref', true],
    ],
  );
  assert.deepEqual([other?.matches, other?.actions], [false, []]);
  assert.deepEqual(other?.checks[1], {
    ...{ claim: 'aud', expected: ['elsewhere'], received: instanceAudience, matches: false },
    reason: 'It must be the same, to the last character.',
  });
});

test('A22: what is refused says which claim, what was expected, what came, and why', async () => {
  const claims = { ...good, sub: 'repo:org/app-evil:x', ref: undefined };
  const { body } = await simulate({ token: await issuer.sign(claims) });
  assert.deepEqual([body.signature, body.accepted, body.actions], ['valid', false, []]);
  assert.deepEqual(body.policies[0]?.checks.slice(2), [
    {
      ...{ claim: 'sub', expected: ['repo:org/app:*'], received: 'repo:org/app-evil:x' },
      ...{ matches: false, reason: 'None of the patterns matches the whole value.' },
    },
    {
      ...{ claim: 'ref', expected: ['refs/heads/main', 'refs/tags/**'], received: null },
      ...{ matches: false, reason: 'The token has no claim "ref".' },
    },
  ]);
});

test('the signature and the times are told apart from the claims', async () => {
  const token = await issuer.sign(good);
  const forged = (await simulate({ token: breakSignature(token) })).body;
  assert.deepEqual([forged.signature, forged.accepted], ['invalid', false]);
  assert.equal(forged.policies[0]?.matches, true, 'its claims are as the policy asks');
  const old = await issuer.sign({ ...good, exp: now() - 300, iat: now() - 600, nbf: now() - 600 });
  const late = (await simulate({ token: old })).body;
  assert.deepEqual([late.signature, late.accepted], ['valid', false]);
  assert.match(late.time!, /expired at .*; it is now/);
});

test('A20: an issuer that no policy of the team names is not called', async () => {
  const { body } = await simulate({ token: await stranger.sign(good) });
  assert.deepEqual([body.signature, body.accepted], ['not-checked', false]);
  assert.deepEqual(body.policies[0]?.checks[0]?.matches, false);
  assert.deepEqual(stranger.requests, { discovery: 0, jwks: 0, other: 0 });
});

test("A28: an issuer's keys that cannot be had", async () => {
  const broken = await startIssuer({ now });
  broken.faults.jwks = { kind: 'status', status: 503 };
  await writer.run('CreateTrustPolicy', {
    ...{ ...policy, id: 'pol_3', name: 'broken', issuer: broken.url },
    ...{ projectIds: undefined, actions },
  });
  const { status, body } = await simulate({ token: await broken.sign(good) });
  await broken.close();
  await writer.run('DeleteTrustPolicy', { id: 'pol_3' });
  assert.deepEqual([status, body.signature, body.accepted], [200, 'unavailable', false]);
});

test('bare claims are compared, and accepted nowhere', async () => {
  const exp = now() + 300;
  const { body } = await simulate({ claims: { iss: issuer.url, exp, ...good } });
  assert.deepEqual(
    [body.signature, body.time, body.accepted, body.actions],
    ['not-verified', null, false, ['pull', 'create', 'push']],
  );
  const none = await simulate({ claims: {} });
  assert.match(none.body.time!, /^Its "exp" claim is missing/);
  assert.ok(none.body.policies.every(({ matches }) => !matches));
});

test('at a repository: what is given there', async () => {
  const token = await issuer.sign(good);
  const at = async (repository: string) => (await simulate({ token, repository })).body;
  assert.deepEqual((await at('acme/shop/new')).actions, ['pull', 'create', 'push']);
  const blog = await at('acme/blog/web');
  assert.deepEqual([blog.actions, blog.policies[0]?.matches], [[], true]);
  for (const repository of ['acme/absent/web', 'other/shop/web', 'acme/shop', 'x']) {
    const { status, body } = await simulate({ token, repository });
    assert.equal(status, 400);
    assert.match(body.message!, /must be in a project of the team/);
  }
});

test('what is no such request; who may ask', async () => {
  const token = await issuer.sign(good);
  const bad = [
    {},
    { token, claims: {} },
    { token: 'x' },
    { token: '' },
    { claims: [] },
    { token: 1 },
  ];
  for (const body of bad) assert.equal((await simulate(body)).status, 400, JSON.stringify(body));
  const { secret: writing } = await application.token('write');
  assert.equal((await simulate({ token }, writing)).status, 403);
});

test('A49: neither log nor audit holds the JWT', async () => {
  logged.length = 0;
  const canary = 'canary-in-a-claim';
  const token = await issuer.sign({ ...good, canary });
  await simulate({ token });
  await simulate({ token: `${token}x` });
  await simulate({ claims: { canary } });
  const lines = JSON.stringify(logged);
  for (const part of [...token.split('.'), canary]) assert.ok(!lines.includes(part), part);
});
