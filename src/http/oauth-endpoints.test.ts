import assert from 'node:assert/strict';
import test, { after, describe } from 'node:test';
import { startIssuer } from '../../conformance/tools/issuer.ts';
import { instanceAudience } from '../../conformance/tools/oidc-setup.ts';
import type { Action } from '../ports/trust-policies.ts';
import { openApplication } from './services-test-kit.ts';

const application = await openApplication({ after });
const { world } = application;
const { writer } = world.metadata;
const issuer = await startIssuer({ now: () => world.clock.now() / 1000 });
after(() => issuer.close());

let policies = 0;
async function trust(
  sub: string,
  actions: readonly Action[],
  more: { teamId?: string; projectIds?: string[] } = {},
): Promise<string> {
  const id = `pol_${++policies}`;
  await writer.run('CreateTrustPolicy', {
    ...{ id, teamId: 'team_1', name: id, issuer: issuer.url, audience: undefined },
    ...{ claims: { sub: [sub] }, projectIds: undefined, actions, createdAt: 0, ...more },
  });
  return id;
}
for (const [id, slug] of [
  ['prj_2', 'blog'],
  ['prj_3', 'docs'],
] as const) {
  await writer.run('CreateProject', { id, teamId: 'team_1', slug, settings: {}, createdAt: 0 });
}
const team2 = { id: 'team_2', slug: 'other', name: 'Other', plan: 'pro' as const, createdAt: 0 };
await writer.run('CreateTeam', team2);
await trust('repo:app', ['pull', 'push']);
await trust('repo:shop', ['pull', 'push'], { projectIds: ['prj_1'] });
await trust('repo:shop', ['pull'], { projectIds: ['prj_2'] });
await trust('repo:both', ['pull']);
await trust('repo:both', ['pull'], { teamId: 'team_2' });

const jwt = (sub: string, more = {}) => issuer.sign({ sub, aud: instanceAudience, ...more });
const grant = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
};
async function post(path: string, form: Record<string, string> | string) {
  const body = new URLSearchParams(form);
  const response = await application.fetch(path, { method: 'POST', body });
  assert.equal(response.headers.get('cache-control'), 'no-store');
  return { status: response.status, body: (await response.json()) as Record<string, string> };
}
async function exchange(sub: string, more: Record<string, string> = {}) {
  return post('/oauth/token', { ...grant, subject_token: await jwt(sub), ...more });
}
async function exchanged(sub: string, more: Record<string, string> = {}) {
  const { status, body } = await exchange(sub, more);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}
const me = async (secret: string) => {
  const headers = { authorization: `Bearer ${secret}` };
  const response = await application.fetch('/api/v1/me', { headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const basic = (user: string, secret: string) =>
  `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;

describe('an exchanged token', () => {
  test('has the fields of RFC 8693, section 2.2.1, and opens the registry and the API', async () => {
    const body = await exchanged('repo:app');
    assert.match(body.access_token!, /^gnt_/);
    assert.deepEqual(
      { ...body, access_token: '', id: '' },
      {
        ...{ access_token: '', id: '', username: 'team_1', token_type: 'Bearer', expires_in: 900 },
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        scope: 'pull push',
      },
    );
    const { status, body: who } = await me(body.access_token!);
    assert.equal(status, 200);
    assert.deepEqual(who.grants, [
      { teamId: 'team_1', team: 'acme', projectIds: null, actions: ['pull', 'push'] },
    ]);
    const login = (user: string) =>
      application.fetch('/token?scope=repository:acme/shop/web:pull,push,delete', {
        headers: { authorization: basic(user, body.access_token!) },
      });
    const token = (await (await login('team_1')).json()) as { scope: string };
    assert.equal(token.scope, 'repository:acme/shop/web:pull,push');
    assert.equal((await login('team_2')).status, 401);
  });

  test('is narrowed to what was asked for, and says so', async () => {
    const cases: [string, string, string][] = [
      ['repo:app', 'pull', 'pull'],
      ['repo:app', 'create', 'create'],
      ['repo:app', 'pull manage delete', 'pull'],
      ['repo:app', 'repository:acme/shop/web:pull', 'repository:acme/shop/*:pull'],
      [
        'repo:app',
        'repository:acme/shop/a:pull repository:acme/shop/b:pull',
        'repository:acme/shop/*:pull',
      ],
      ['repo:app', 'repository:acme/shop/web:*', 'repository:acme/shop/*:pull,create,push'],
      [
        'repo:shop',
        'repository:acme/shop/a:pull,push repository:acme/blog/b:pull,push repository:acme/docs/c:pull,push',
        'repository:acme/shop/*:pull,push repository:acme/blog/*:pull',
      ],
      ['repo:both', 'repository:acme/shop/web:pull', 'repository:acme/shop/*:pull'],
    ];
    for (const [sub, scope, expected] of cases) {
      assert.equal((await exchanged(sub, { scope })).scope, expected, scope);
    }
    const { access_token } = await exchanged('repo:shop', {
      scope: 'repository:acme/shop/a:pull,push repository:acme/blog/b:pull,push',
    });
    assert.deepEqual((await me(access_token!)).body.grants, [
      { teamId: 'team_1', team: 'acme', projectIds: ['prj_1'], actions: ['pull', 'push'] },
      { teamId: 'team_1', team: 'acme', projectIds: ['prj_2'], actions: ['pull'] },
    ]);
  });

  test('ends with its time, and is told so; the row goes a day later', async () => {
    const { access_token, id } = await exchanged('repo:app');
    world.pass(900_000);
    const { status, body } = await me(access_token!);
    assert.equal(status, 401);
    assert.match(String(body.message), /expired at .* Exchange a new JWT/);
    world.pass(86_400_001);
    await exchanged('repo:app');
    assert.equal(await world.metadata.issuedTokens.findById(id!), undefined);
  });

  test('ends with the policy that it stands on', async () => {
    const policy = await trust('repo:brief', ['pull']);
    const { access_token } = await exchanged('repo:brief');
    assert.equal((await me(access_token!)).status, 200);
    await writer.run('DeleteTrustPolicy', { id: policy });
    assert.equal((await me(access_token!)).status, 401);
  });
});

describe('refusals, by RFC 6749, section 5.2, and RFC 8693, section 2.2.2', () => {
  const expectError = async (
    answer: Promise<{ status: number; body: Record<string, string> }>,
    error: string,
    description: RegExp,
  ) => {
    const { status, body } = await answer;
    assert.deepEqual([status, body.error], [400, error], JSON.stringify(body));
    assert.match(body.error_description!, description);
    assert.match(body.error_description!, /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/);
  };

  test('A22: a claim that fails is named with its pattern', async () => {
    await expectError(exchange('repo:app-evil'), 'invalid_request', /add the parameter team/);
    await expectError(
      exchange('repo:app-evil', { team: 'acme' }),
      'invalid_request',
      /claim 'sub' must match 'repo:app', but the token has 'repo:app-evil'/,
    );
  });

  test('what is no such request', async () => {
    const subject_token = await jwt('repo:app');
    const form = (more: Record<string, string>) =>
      post('/oauth/token', { ...grant, subject_token, ...more });
    await expectError(post('/oauth/token', {}), 'invalid_request', /grant_type is missing/);
    await expectError(form({ grant_type: 'password' }), 'unsupported_grant_type', /\/token/);
    await expectError(form({ subject_token: '' }), 'invalid_request', /subject_token is missing/);
    await expectError(
      form({ subject_token_type: 'x' }),
      'invalid_request',
      /must be urn:.*:jwt or/,
    );
    await expectError(form({ actor_token: 'x' }), 'invalid_request', /actor_token/);
    const refresh = 'urn:ietf:params:oauth:token-type:refresh_token';
    await expectError(form({ requested_token_type: refresh }), 'invalid_request', /access_token/);
    const twice = `${new URLSearchParams({ ...grant, subject_token })}&subject_token=x`;
    await expectError(post('/oauth/token', twice), 'invalid_request', /twice/);
    for (const bad of ['x', subject_token.slice(0, -3), `${subject_token}x`, 'a.b.c']) {
      await expectError(form({ subject_token: bad }), 'invalid_request', /was not accepted/);
    }
  });

  test('scopes that are none, or that no policy gives', async () => {
    const asked = (scope: string, sub = 'repo:app') => exchange(sub, { scope });
    await expectError(asked('admin'), 'invalid_scope', /must be some of pull, create/);
    await expectError(asked('repository:acme:pull'), 'invalid_scope', /must be some of/);
    await expectError(asked('repository:acme/shop/web:fly'), 'invalid_scope', /must be some of/);
    await expectError(asked('manage'), 'invalid_scope', /which gives pull, push/);
    await expectError(
      asked('repository:acme/docs/web:pull', 'repo:shop'),
      'invalid_scope',
      /nothing of what was asked for there/,
    );
    await expectError(
      asked('repository:acme/shop/a:pull repository:acme/shop/b:push'),
      'invalid_scope',
      /two tokens/,
    );
    // Another team's: its policies are asked, and no others.
    const other = asked('repository:other/shop/a:pull');
    await expectError(other, 'invalid_request', /no trust policy of team team_2 accepts it/);
  });

  test('policies of several teams: the team must be named', async () => {
    await expectError(exchange('repo:both'), 'invalid_request', /team=<slug>/);
    assert.equal((await exchanged('repo:both', { team: 'other' })).username, 'team_2');
    assert.equal((await exchanged('repo:both', { team: 'team_1' })).username, 'team_1');
    await expectError(exchange('repo:both', { team: 'absent' }), 'invalid_request', /not accepted/);
  });

  test('a token for another place is not made', async () => {
    const at = (more: Record<string, string>) => exchange('repo:app', more);
    const host = `127.0.0.1:${application.port}`;
    for (const name of [host, `http://${host}`, `http://${host}/`, instanceAudience]) {
      assert.equal((await at({ audience: name, resource: name })).status, 200, name);
    }
    await expectError(at({ audience: 'elsewhere' }), 'invalid_target', /good for itself alone/);
    await expectError(at({ resource: 'https://x.example' }), 'invalid_target', /itself alone/);
  });

  test("A28: where the issuer's keys cannot be had: 503, and no token", async () => {
    const broken = await startIssuer({ now: () => world.clock.now() / 1000 });
    await writer.run('CreateTrustPolicy', {
      ...{ id: 'pol_b', teamId: 'team_1', name: 'broken', issuer: broken.url, audience: undefined },
      ...{ claims: { sub: ['a'] }, projectIds: undefined, actions: ['pull'], createdAt: 0 },
    });
    broken.faults.jwks = { kind: 'status', status: 429 };
    const subject_token = await broken.sign({ sub: 'a', aud: instanceAudience });
    const { status, body } = await post('/oauth/token', { ...grant, subject_token });
    await broken.close();
    assert.deepEqual([status, body.error], [503, 'temporarily_unavailable']);
  });
});

describe('revoking', () => {
  test('by its holder (RFC 7009): once, again, and of what is none', async () => {
    const { access_token } = await exchanged('repo:app');
    for (const token of [access_token!, access_token!, 'gnt_none', 'x']) {
      const { status } = await post('/oauth/revoke', { token, token_type_hint: 'access_token' });
      assert.equal(status, 200);
    }
    const { status, body } = await me(access_token!);
    assert.deepEqual([status, body.message], [401, 'The token was revoked.']);
    assert.equal((await post('/oauth/revoke', {})).status, 400);
  });

  test("a refresh token, too; a person's token is not ended by mistake", async () => {
    const { secret, basic: header } = await application.token('write');
    const login = await application.fetch('/token?offline_token=true', {
      headers: { authorization: header },
    });
    const { refresh_token } = (await login.json()) as { refresh_token: string };
    const again = () => post('/token', { grant_type: 'refresh_token', refresh_token });
    assert.equal((await again()).status, 200);
    assert.equal((await post('/oauth/revoke', { token: refresh_token })).status, 200);
    assert.equal((await again()).status, 401);
    const { status, body } = await post('/oauth/revoke', { token: secret });
    assert.deepEqual([status, body.error], [400, 'unsupported_token_type']);
    assert.equal((await me(secret)).status, 200);
  });

  test('by who manages the team, from the list', async () => {
    const { secret: admin } = await application.token('admin');
    const call = (path: string, method = 'GET', token = admin) =>
      application.fetch(`/api/v1/teams/${path}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
      });
    const { access_token, id } = await exchanged('repo:shop', {
      scope: 'repository:acme/shop/web:pull',
    });
    type Page = { items: Record<string, unknown>[]; next: string | null };
    const list = async (query: string) =>
      (await (await call(`acme/issued-tokens${query}`)).json()) as Page;
    const first = await list('?limit=1');
    assert.equal(first.items[0]?.id, id);
    assert.deepEqual(
      { ...first.items[0], id: '', createdAt: '', expiresAt: '', policyIds: [] },
      {
        ...{ id: '', name: 'repo:shop', issuer: issuer.url, policyIds: [], state: 'active' },
        ...{ projectIds: ['prj_1'], actions: ['pull'], createdAt: '', expiresAt: '' },
        revokedAt: null,
      },
    );
    const second = await list(`?limit=1&cursor=${first.next}`);
    assert.notEqual(second.items[0]?.id, id);

    assert.equal((await call(`acme/issued-tokens/${id}`, 'DELETE', access_token)).status, 403);
    assert.equal((await call(`other/issued-tokens/${id}`, 'DELETE')).status, 404);
    assert.equal((await call('acme/issued-tokens/itk_none', 'DELETE')).status, 404);
    assert.equal((await call(`acme/issued-tokens/${id}`, 'DELETE')).status, 204);
    assert.equal((await me(access_token!)).status, 401);
    assert.equal((await list('?limit=1')).items[0]?.state, 'revoked');
  });
});
