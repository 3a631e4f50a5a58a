import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../api-test-kit.ts';

const day = 864e5;

test('teams: those that the caller knows; all of them for an operator, in pages', async (t) => {
  const { call, account, token } = await openApi(t);
  await account('acc_root', { operator: true });
  const root = await token({ accountId: 'acc_root' });
  for (const slug of ['b', 'c']) {
    const made = await call('POST', '/teams', { as: root, body: { slug } });
    assert.equal(made.status, 201);
    assert.equal(made.headers.get('location'), `/api/v1/teams/${slug}`);
    assert.equal(made.body.name, slug);
  }
  const slugs = async (as: string, query = '') => {
    const { body } = await call('GET', `/teams${query}`, { as });
    return { slugs: body.items.map((team: { slug: string }) => team.slug), next: body.next };
  };
  assert.deepEqual(await slugs(root), { slugs: ['acme', 'b', 'c'], next: null });
  const first = await slugs(root, '?limit=2');
  assert.deepEqual(first.slugs, ['acme', 'b']);
  assert.deepEqual(await slugs(root, `?limit=2&cursor=${first.next}`), {
    slugs: ['c'],
    next: null,
  });
  const robot = await token({ scope: 'read' });
  assert.deepEqual(await slugs(robot), { slugs: ['acme'], next: null });
  assert.equal((await call('POST', '/teams', { as: robot, body: { slug: 'd' } })).status, 403);
  assert.equal((await call('GET', '/teams/b', { as: robot })).status, 404);
  assert.equal((await call('GET', '/teams/acme', { as: robot })).body.id, 'team_1');
  assert.equal((await call('POST', '/teams', { as: root, body: { slug: 'b' } })).status, 409);
});

test("a team's slug can change; the old one is held for it", async (t) => {
  const { call, account, token, app } = await openApi(t);
  await account('acc_root', { operator: true });
  const root = await token({ accountId: 'acc_root' });
  const admin = await token();
  const rename = (slug: string) =>
    call('PATCH', '/teams/team_1', { as: admin, body: { slug, name: 'New' } });
  assert.equal((await rename('acme-inc')).body.slug, 'acme-inc');
  assert.equal((await call('GET', '/teams/acme', { as: admin })).status, 404);
  const squat = () => call('POST', '/teams', { as: root, body: { slug: 'acme' } });
  const refused = await squat();
  assert.equal(refused.status, 409);
  assert.match(refused.body.message, /held until/);
  assert.equal((await rename('acme')).status, 200, 'its own old slug');
  assert.equal((await rename('acme-inc')).status, 200);
  app.world.pass(91 * day);
  assert.equal((await squat()).status, 201);
  assert.equal((await rename('acme')).status, 409, 'now it is another team’s');
});

test('the plan of a team is for operators', async (t) => {
  const { call, account, token } = await openApi(t);
  await account('acc_root', { operator: true });
  const body = { plan: 'enterprise' };
  const admin = await token();
  assert.equal((await call('PATCH', '/teams/acme', { as: admin, body })).status, 403);
  const root = await token({ accountId: 'acc_root' });
  const changed = await call('PATCH', '/teams/acme', { as: root, body });
  assert.equal(changed.body.plan, 'enterprise');
});

test('an operator by a token that is narrowed is none', async (t) => {
  const { call, account, token } = await openApi(t);
  await account('acc_root', { operator: true });
  for (const limits of [{ scope: 'write' }, { projectIds: ['prj_1'] }] as const) {
    const as = await token({ accountId: 'acc_root', ...limits });
    assert.equal((await call('GET', '/accounts', { as })).status, 403);
  }
});

test('members: roles are given within what the caller may, owners by owners alone', async (t) => {
  const { call, account, token, robot } = await openApi(t);
  await account('acc_olga', { role: 'owner' });
  await account('acc_mary', { role: 'admin' });
  await account('acc_dave');
  const [owner, admin] = [
    await token({ accountId: 'acc_olga' }),
    await token({ accountId: 'acc_mary' }),
  ];
  const put = (as: string, who: string, role: string) =>
    call('PUT', `/teams/acme/members/${who}`, { as, body: { role } });
  const drop = (as: string, who: string) => call('DELETE', `/teams/acme/members/${who}`, { as });
  assert.equal((await put(admin, 'name-of-acc_dave', 'developer')).body.accountId, 'acc_dave');
  assert.equal((await put(admin, 'acc_dave', 'owner')).status, 403, 'an admin makes no owner');
  assert.equal((await put(admin, 'acc_olga', 'viewer')).status, 403, 'nor changes one');
  assert.equal((await drop(admin, 'acc_olga')).status, 403, 'nor removes one');
  assert.equal((await put(await token(), 'acc_dave', 'owner')).status, 403, 'nor does a robot');
  assert.equal((await drop(owner, 'acc_olga')).status, 409, 'the last owner cannot leave');
  assert.equal((await put(owner, 'acc_olga', 'admin')).status, 409, 'nor step down');
  assert.equal((await put(owner, 'acc_mary', 'owner')).status, 200);
  assert.equal((await drop(owner, 'acc_olga')).status, 204);
  assert.equal((await call('GET', '/teams/acme', { as: owner })).status, 404);
  assert.equal((await put(admin, 'nobody', 'viewer')).status, 404);
  const manages = await robot(['pull', 'manage']);
  assert.equal((await put(manages, 'acc_dave', 'viewer')).status, 200);
  assert.equal((await put(manages, 'acc_dave', 'developer')).status, 403, 'more than itself');
});

test('members: people see who is there and may leave, robots that do not manage may not', async (t) => {
  const { call, account, token } = await openApi(t);
  await account('acc_a', { role: 'viewer' });
  await account('acc_b', { role: 'viewer' });
  const as = await token({ accountId: 'acc_a' });
  const listed = await call('GET', '/teams/acme/members?limit=1', { as });
  assert.deepEqual(listed.body.items, [
    { accountId: 'acc_a', name: 'name-of-acc_a', role: 'viewer' },
  ]);
  assert.notEqual(listed.body.next, null);
  const leave = (who: string, by: string) =>
    call('DELETE', `/teams/acme/members/${who}`, { as: by });
  assert.equal((await leave('acc_b', as)).status, 403);
  const narrow = await token({ accountId: 'acc_a', scope: 'read' });
  assert.equal((await leave('acc_a', narrow)).status, 403, 'not by a token that is only to read');
  assert.equal((await leave('acc_a', as)).status, 204);
  const robot = await token({ scope: 'write' });
  assert.equal((await call('GET', '/teams/acme/members', { as: robot })).status, 403);
  assert.equal((await call('GET', '/teams/acme/members', { as: await token() })).status, 200);
});

test('accounts: made, changed, deleted with what opens by them', async (t) => {
  const { call, account, token, app } = await openApi(t);
  await account('acc_root', { operator: true });
  const as = await token({ accountId: 'acc_root' });
  const body = { name: 'ada', email: 'ada@example.com' };
  const made = await call('POST', '/accounts', { as, body });
  assert.deepEqual([made.status, made.body.operator], [201, false]);
  assert.equal((await call('POST', '/accounts', { as, body })).status, 409);
  const like = { name: 'acc_0123456789abcdef0123456789abcdef' };
  assert.equal((await call('POST', '/accounts', { as, body: like })).status, 400);
  const path = `/accounts/${made.body.id}`;
  const changed = await call('PATCH', path, { as, body: { operator: true, email: null } });
  assert.deepEqual([changed.body.operator, changed.body.email], [true, null]);
  const theirs = await token({ accountId: made.body.id });
  assert.equal((await call('GET', '/accounts', { as: theirs })).status, 200);
  const { writer } = app.world.metadata;
  const place = { teamId: 'team_1', accountId: made.body.id };
  await writer.run('PutMember', { ...place, role: 'owner' });
  assert.equal((await call('DELETE', path, { as })).status, 409, 'the last owner of acme');
  await account('acc_other', { role: 'owner' });
  assert.equal((await call('DELETE', path, { as })).status, 204);
  assert.equal((await call('GET', '/me', { as: theirs })).status, 401);
  assert.equal((await call('GET', path, { as })).status, 404);
  assert.equal(await app.world.metadata.teams.findMember('team_1', made.body.id), undefined);
});

test('a token that is narrowed to projects is shown the members of no team', async (t) => {
  const { call, account, token } = await openApi(t);
  await account('acc_root', { operator: true });
  await account('acc_1');
  const root = await token({ accountId: 'acc_root' });
  const body = { role: 'viewer' };
  await call('PUT', '/teams/acme/members/acc_1', { as: root, body });
  const narrowed = await token({ accountId: 'acc_1', projectIds: ['prj_elsewhere'] });
  for (const path of ['/teams/acme/members', '/teams/acme/members/acc_1']) {
    assert.equal((await call('GET', path, { as: narrowed })).status, 403);
    const whole = await token({ accountId: 'acc_1', scope: 'read' });
    assert.equal((await call('GET', path, { as: whole })).status, 200);
  }
});

test('of two changes to the same version at once, one is refused', async (t) => {
  const { call, token } = await openApi(t);
  const as = await token();
  const etag = (await call('GET', '/teams/acme', { as })).headers.get('etag') ?? '';
  const rename = (name: string) =>
    call('PATCH', '/teams/acme', { as, body: { name }, headers: { 'If-Match': etag } });
  const both = await Promise.all([rename('One'), rename('Two')]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [200, 412]);
});

test('a token with limits ends only the sessions that it began', async (t) => {
  const { call, account, token } = await openApi(t);
  await account('acc_1');
  const whole = await token({ accountId: 'acc_1' });
  const narrow = await token({ accountId: 'acc_1', scope: 'read' });
  const begin = async (of: string) =>
    (await call('POST', '/session', { body: { token: of } })).body.id as string;
  const [ofWhole, ofNarrow] = [await begin(whole), await begin(narrow)];
  const end = async (id: string, as: string) =>
    (await call('DELETE', `/sessions/${id}`, { as })).status;
  assert.equal(await end(ofWhole, narrow), 403);
  assert.equal(await end(ofNarrow, narrow), 204);
  assert.equal(await end(await begin(narrow), whole), 204);
  assert.equal(await end(ofWhole, whole), 204);
});
