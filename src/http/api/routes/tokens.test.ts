import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../api-test-kit.ts';

test('a team token: made, shown once, listed, revoked', async (t) => {
  const { call, token, app } = await openApi(t);
  const as = await token();
  const body = { name: 'ci', scope: 'create', projects: ['shop'], expires: '90d' };
  const made = await call('POST', '/teams/acme/tokens', { as, body });
  assert.equal(made.status, 201);
  assert.match(made.body.token, /^gnt_/);
  assert.deepEqual(made.body.projects, ['acme/shop']);
  assert.deepEqual(made.body.usernames, [{ team: 'acme', username: 'team_1' }]);
  const path = `/teams/acme/tokens/${made.body.id}`;
  assert.equal(made.headers.get('location'), `/api/v1${path}`);
  const mine = await call('GET', '/me', { as: made.body.token });
  assert.deepEqual(mine.body.grants[0].actions, ['pull', 'create']);
  const shown = await call('GET', path, { as });
  assert.deepEqual([shown.body.state, shown.body.scope], ['active', 'create']);
  const list = await call('GET', '/teams/acme/tokens?limit=1', { as });
  assert.equal(list.body.items.length, 1);
  assert.notEqual(list.body.next, null);
  assert.ok(!JSON.stringify([shown.body, list.body]).includes(made.body.token));
  assert.equal((await call('DELETE', path, { as })).status, 204);
  assert.equal((await call('DELETE', path, { as })).status, 204, 'again');
  assert.equal((await call('GET', path, { as })).body.state, 'revoked');
  assert.equal((await call('GET', '/me', { as: made.body.token })).status, 401);
  assert.ok(!JSON.stringify(app.logged).includes(made.body.token));
});

test('nobody makes a team token that may do more than itself', async (t) => {
  const { call, token, robot } = await openApi(t);
  const make = (as: string, body: object) =>
    call('POST', '/teams/acme/tokens', { as, body: { name: 'x', ...body } });
  for (const scope of ['read', 'create', 'write'] as const) {
    const as = await token({ scope });
    assert.equal((await make(as, { scope: 'read' })).status, 403, scope);
  }
  const narrowed = await token({ projectIds: ['prj_1'] });
  assert.equal((await make(narrowed, { scope: 'read', projects: ['shop'] })).status, 403);
  const manages = await robot(['pull', 'manage']);
  assert.equal((await make(manages, { scope: 'read', expires: '1s' })).status, 201);
  for (const scope of ['create', 'write', 'admin']) {
    const refused = await make(manages, { scope });
    assert.equal(refused.status, 403, scope);
    assert.match(refused.body.message, /may do less than a token of scope/);
  }
});

test('a token that ends makes none that outlives it', async (t) => {
  const { call, token } = await openApi(t);
  const as = await token();
  const body = { name: 'hour', scope: 'admin', expires: '1h' };
  const hour = (await call('POST', '/teams/acme/tokens', { as, body })).body.token;
  for (const expires of [{}, { expires: '2h' }]) {
    const more = { name: 'x', scope: 'read', ...expires };
    const refused = await call('POST', '/teams/acme/tokens', { as: hour, body: more });
    assert.equal(refused.status, 403);
    assert.match(refused.body.message, /outlives it/);
  }
  const less = { name: 'x', scope: 'read', expires: '30m' };
  assert.equal((await call('POST', '/teams/acme/tokens', { as: hour, body: less })).status, 201);
});

test('projects of a token are those of its team', async (t) => {
  const { call, token, app } = await openApi(t);
  const { writer } = app.world.metadata;
  const team = { id: 'team_2', slug: 'other', name: 'Other', plan: 'pro' as const, createdAt: 0 };
  await writer.run('CreateTeam', team);
  const project = { id: 'prj_2', teamId: 'team_2', slug: 'secret', settings: {}, createdAt: 0 };
  await writer.run('CreateProject', project);
  const as = await token();
  const said = async (name: string) => {
    const body = { name: 'x', scope: 'read', projects: [name] };
    const { status, body: answer } = await call('POST', '/teams/acme/tokens', { as, body });
    assert.equal(status, 400, name);
    return answer.message.replace(name, '…');
  };
  const absent = await said('other/none');
  for (const name of ['other/secret', 'prj_2', 'prj_none', 'secret', 'a/b/c', '']) {
    if (name !== '') assert.equal(await said(name), absent);
  }
});

test("another team's token is not there", async (t) => {
  const { call, token, app } = await openApi(t);
  const { writer } = app.world.metadata;
  const team = { id: 'team_2', slug: 'other', name: 'Other', plan: 'pro' as const, createdAt: 0 };
  await writer.run('CreateTeam', team);
  await token({ id: 'tok_theirs', teamId: 'team_2' });
  const as = await token();
  for (const method of ['GET', 'DELETE']) {
    assert.equal((await call(method, '/teams/acme/tokens/tok_theirs', { as })).status, 404);
    assert.equal((await call(method, '/teams/other/tokens/tok_theirs', { as })).status, 404);
  }
  assert.equal((await app.world.metadata.tokens.findById('tok_theirs'))?.revokedAt, undefined);
});

test("a person's tokens: no more than the token that makes them, no longer", async (t) => {
  const { call, token, account, app } = await openApi(t);
  await account('acc_1', { role: 'developer' });
  const now = app.world.clock.now();
  const accountId = 'acc_1';
  const make = (as: string, body: object) =>
    call('POST', '/me/tokens', { as, body: { name: 'x', ...body } });
  const write = await token({ accountId, scope: 'write' });
  const made = await make(write, { scope: 'read', projects: ['acme/shop'] });
  assert.equal(made.status, 201);
  assert.deepEqual(made.body.usernames, [{ team: 'acme', username: 'team_1' }]);
  assert.equal((await make(write, { scope: 'admin' })).status, 403);
  const narrow = await token({ accountId, projectIds: ['prj_1'], expiresAt: now + 3_600_000 });
  const here = { scope: 'admin', projects: ['acme/shop'] };
  assert.equal((await make(narrow, { ...here, expires: '1h' })).status, 201);
  assert.equal((await make(narrow, { ...here, expires: '2h' })).status, 403, 'longer');
  assert.equal((await make(narrow, here)).status, 403, 'for ever');
  assert.equal((await make(narrow, { scope: 'read', expires: '1h' })).status, 403, 'everywhere');
  assert.equal((await make(await token(), { scope: 'read' })).status, 403, 'a robot');

  const own = await call('GET', '/me/tokens', { as: write });
  assert.equal(own.body.items.length, 4);
  const wide = own.body.items.find((one: { scope: string }) => one.scope === 'admin').id;
  assert.equal((await call('DELETE', `/me/tokens/${wide}`, { as: write })).status, 403);
  const id = made.body.id;
  assert.equal((await call('DELETE', `/me/tokens/${id}`, { as: write })).status, 204);
  assert.equal((await call('GET', `/me/tokens/${id}`, { as: write })).body.state, 'revoked');
  await account('acc_2');
  const other = await token({ accountId: 'acc_2' });
  assert.equal((await call('GET', `/me/tokens/${id}`, { as: other })).status, 404);
});

test('the same create again, with its key, gives the same secret', async (t) => {
  const { call, token } = await openApi(t);
  const as = await token();
  const body = { name: 'ci', scope: 'read' };
  const options = { as, body, headers: { 'Idempotency-Key': 'k-1' } };
  const first = await call('POST', '/teams/acme/tokens', options);
  const second = await call('POST', '/teams/acme/tokens', options);
  assert.deepEqual(second.body, first.body);
  assert.equal(second.headers.get('idempotency-replayed'), 'true');
});
