import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../api-test-kit.ts';

const generic = {
  preset: 'generic',
  options: { issuer: 'https://idp.example.com', claims: { sub: ['repo:acme/app'] } },
};

test('a policy: made by preset, read, changed, deleted', async (t) => {
  const { call, token, app } = await openApi(t);
  const as = await token();
  const made = await call('POST', '/teams/acme/trust-policies', {
    as,
    body: { name: 'gh', preset: 'github', options: { repository: 'acme/app', ref: 'main' } },
  });
  assert.equal(made.status, 201);
  assert.deepEqual(made.body.actions, ['pull', 'push']);
  assert.match(made.body.advice, /id/);
  const path = `/teams/acme/trust-policies/${made.body.id}`;
  const read = await call('GET', path, { as });
  const change = { actions: ['pull'], projects: ['shop'], audience: 'me' };
  const stale = await call('PATCH', path, { as, body: change, headers: { 'If-Match': '"x"' } });
  assert.equal(stale.status, 412);
  const changed = await call('PATCH', path, {
    ...{ as, body: change },
    headers: { 'If-Match': read.headers.get('etag')! },
  });
  assert.equal(changed.status, 200, changed.body.message);
  assert.deepEqual(
    [changed.body.actions, changed.body.projects, changed.body.audience, changed.body.claims],
    [['pull'], ['acme/shop'], 'me', made.body.claims],
  );
  const back = await call('PATCH', path, { as, body: { projects: null, audience: null } });
  assert.deepEqual([back.body.projects, back.body.audience], [null, null]);
  const claims = { sub: ['repo:acme/other'] };
  assert.deepEqual((await call('PATCH', path, { as, body: { claims } })).status, 200);
  const { trustPolicies } = app.world.metadata;
  const [stored] = await trustPolicies.findByIds([made.body.id]);
  assert.deepEqual([stored?.claims, stored?.audience], [claims, undefined]);
  const open = await call('PATCH', path, { as, body: { claims: { sub: ['**'] } } });
  assert.equal(open.status, 400, 'a policy for everybody at the issuer');
  assert.equal((await call('DELETE', path, { as })).status, 204);
  assert.equal((await call('GET', path, { as })).status, 404);
});

test('bad presets and twins are refused', async (t) => {
  const { call, token } = await openApi(t);
  const as = await token();
  const make = (body: object) => call('POST', '/teams/acme/trust-policies', { as, body });
  assert.equal((await make({ name: 'a', ...generic })).status, 201);
  assert.equal((await make({ name: 'a', ...generic })).status, 409);
  const { body: other } = await make({ name: 'b', ...generic });
  const path = `/teams/acme/trust-policies/${other.id}`;
  assert.equal((await call('PATCH', path, { as, body: { name: 'a' } })).status, 409);
  assert.equal((await make({ name: 'c', preset: 'github', options: {} })).status, 400);
  assert.equal((await make({ name: 'c', preset: 'generic', options: { isuer: 'x' } })).status, 400);
  const list = await call('GET', '/teams/acme/trust-policies?limit=1', { as });
  assert.deepEqual([list.body.items.length, list.body.items[0].name], [1, 'a']);
  const rest = await call('GET', `/teams/acme/trust-policies?cursor=${list.body.next}`, { as });
  assert.deepEqual([rest.body.items[0].name, rest.body.next], ['b', null]);
});

test('nobody lets a policy do more than it may itself', async (t) => {
  const { call, token, robot } = await openApi(t);
  const path = '/teams/acme/trust-policies';
  const as = await robot(['pull', 'manage']);
  const make = (body: object) => call('POST', path, { as, body: { ...generic, ...body } });
  assert.equal((await make({ name: 'a' })).status, 403, 'pull and push');
  assert.equal((await make({ name: 'a', actions: ['pull', 'delete'] })).status, 403);
  const made = await make({ name: 'a', actions: ['pull', 'manage'] });
  assert.equal(made.status, 201);
  const change = (id: string, body: object) => call('PATCH', `${path}/${id}`, { as, body });
  assert.equal((await change(made.body.id, { actions: ['push'] })).status, 403);
  const admin = await token();
  const theirs = await call('POST', path, { as: admin, body: { name: 'b', ...generic } });
  const claims = { sub: ['mine'] };
  assert.equal((await change(theirs.body.id, { claims })).status, 403, 'it may push');
  assert.equal((await change(theirs.body.id, { claims, actions: ['pull'] })).status, 200);
  const narrowed = await token({ projectIds: ['prj_1'] });
  const asNarrow = { as: narrowed, body: { name: 'c', ...generic, projects: ['shop'] } };
  assert.equal((await call('POST', path, asNarrow)).status, 403);
});
