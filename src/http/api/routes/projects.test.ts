import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../api-test-kit.ts';

test('projects: made, listed for who knows them, changed, deleted when empty', async (t) => {
  const { call, token } = await openApi(t);
  const as = await token();
  const settings = { platforms: ['linux/amd64'] };
  const body = { slug: 'api', settings };
  const made = await call('POST', '/teams/acme/projects', { as, body });
  assert.equal(made.status, 201);
  const functions = { enabled: true, autoDeploy: true, productionTag: 'latest', network: 'public' };
  assert.deepEqual(made.body.settings, { layerCompressions: null, ...settings, functions });
  assert.equal((await call('POST', '/teams/acme/projects', { as, body })).status, 409);
  const slugs = async (by: string, query = '') => {
    const answer = await call('GET', `/teams/acme/projects${query}`, { as: by });
    return answer.body.items.map((one: { slug: string }) => one.slug);
  };
  assert.deepEqual(await slugs(as), ['api', 'shop']);
  assert.deepEqual(await slugs(as, '?limit=1'), ['api']);
  const narrowed = await token({ projectIds: ['prj_1'] });
  assert.deepEqual(await slugs(narrowed), ['shop']);
  assert.equal((await call('GET', '/teams/acme/projects/api', { as: narrowed })).status, 404);

  const path = '/teams/acme/projects/api';
  const change = { settings: { layerCompressions: ['zstd'], platforms: null } };
  const changed = await call('PATCH', path, { as, body: change });
  assert.deepEqual(changed.body.settings, { ...change.settings, functions });
  assert.deepEqual((await call('GET', path, { as })).body, changed.body);
  const reader = await token({ scope: 'read' });
  assert.equal((await call('PATCH', path, { as: reader, body: change })).status, 403);
  const odd = { settings: { platforms: ['nonsense'] } };
  assert.equal((await call('PATCH', path, { as, body: odd })).status, 400);

  const full = await call('DELETE', '/teams/acme/projects/shop', { as });
  assert.equal(full.status, 409);
  assert.match(full.body.message, /"web"/);
  assert.notEqual(full.body.hint, '');
  await call('PUT', `${path}/secrets/A`, { as, body: { value: 'x' } });
  await call('PUT', `${path}/env/preview/A`, { as, body: { value: 'x' } });
  assert.equal((await call('DELETE', path, { as })).status, 204);
  assert.equal((await call('GET', path, { as })).status, 404);
});

test('secrets: written, never read, by who may set functions', async (t) => {
  const { call, token, app, robot } = await openApi(t);
  const as = await token({ scope: 'write' });
  const path = '/teams/acme/projects/shop/secrets';
  const put = (value: unknown, name = 'API_KEY', by = as) =>
    call('PUT', `${path}/${name}`, { as: by, body: { value } });
  const made = await put('canary-one');
  assert.deepEqual([made.status, made.body.version], [201, 1]);
  const again = await put('canary-two');
  assert.deepEqual([again.status, again.body.version], [200, 2]);
  const list = await call('GET', path, { as });
  assert.deepEqual(
    list.body.items.map((one: { name: string }) => one.name),
    ['API_KEY'],
  );
  const stored = await app.world.metadata.secrets.find('prj_1', 'API_KEY');
  const { sealer } = app.services;
  assert.equal(sealer.unseal(stored!.sealed, 'secret:prj_1/API_KEY'), 'canary-two');
  assert.throws(() => sealer.unseal(stored!.sealed, 'secret:prj_1/OTHER'));
  assert.equal((await put(`canary-${'x'.repeat(70_000)}`)).status, 400);
  assert.equal((await put(['canary'])).status, 400);
  for (const name of ['1A', 'A-B', 'A%20B', 'Ä', 'A'.repeat(256)]) {
    assert.equal((await put('x', name)).status, 400, name);
  }
  for (const scope of ['read', 'create'] as const) {
    const by = await token({ scope });
    assert.equal((await put('x', 'A', by)).status, 403, scope);
    assert.equal((await call('GET', path, { as: by })).status, 403, scope);
  }
  assert.equal((await put('x', 'B', await robot(['manage'], ['prj_1']))).status, 201);
  const answers = [made, again, list].map(({ body }) => body);
  assert.ok(!JSON.stringify([answers, app.logged]).includes('canary'));
  assert.equal((await call('DELETE', `${path}/API_KEY`, { as })).status, 204);
  assert.equal((await call('GET', `${path}/API_KEY`, { as })).status, 404);
  assert.equal((await call('DELETE', `${path}/API_KEY`, { as })).status, 404);
});

test('variables: by environment, sealed at rest, shown to who may set them', async (t) => {
  const { call, token, app, robot } = await openApi(t);
  const as = await token({ scope: 'write' });
  const path = (environment: string) => `/teams/acme/projects/shop/env/${environment}`;
  const put = (environment: string, name: string, value: string) =>
    call('PUT', `${path(environment)}/${name}`, { as, body: { value } });
  assert.equal((await put('preview', 'B', 'two\nlines')).status, 201);
  assert.equal((await put('preview', 'A', '')).status, 201);
  assert.equal((await put('preview', 'A', 'one')).status, 200);
  assert.equal((await put('production', 'A', 'live')).body.value, 'live');
  const values = async (environment: string, by = as) => {
    const { body } = await call('GET', path(environment), { as: by });
    return body.items?.map((one: { name: string; value: string }) => [one.name, one.value]);
  };
  const preview = [
    ['A', 'one'],
    ['B', 'two\nlines'],
  ];
  assert.deepEqual(await values('preview'), preview);
  assert.deepEqual(await values('production'), [['A', 'live']]);
  assert.deepEqual(await values('development'), []);
  assert.deepEqual(await values('preview', await robot(['manage'])), preview);
  assert.equal(await values('preview', await token({ scope: 'read' })), undefined);
  const row = await app.world.metadata.variables.find('prj_1', 'production', 'A');
  assert.ok(!row!.sealed.includes('live'));
  assert.throws(() => app.services.sealer.unseal(row!.sealed, 'variable:prj_1/preview/A'));
  assert.equal((await put('staging', 'A', 'x')).status, 400);
  assert.equal((await put('preview', 'A', 'a\0b')).status, 400);
  assert.equal((await call('DELETE', `${path('preview')}/A`, { as })).status, 204);
  assert.deepEqual(await values('preview'), [['B', 'two\nlines']]);
});
