import assert from 'node:assert/strict';
import test from 'node:test';
import { adminKit, url } from './admin-test-kit.ts';
import { newId } from './ids.ts';
import { hashToken, isTokenShaped } from './token-secret.ts';

test('a team: made with the plan of the settings, listed, its plan changed', async (t) => {
  const { admin, metadata } = await adminKit(t);
  const team = await admin.call('team.create', { slug: 'acme' });
  assert.match(team.id, /^team_[0-9a-f]{32}$/);
  assert.deepEqual([team.slug, team.name, team.plan], ['acme', 'acme', 'self-hosted']);
  await admin.call('team.create', { slug: 'b', name: 'The B', plan: 'pro' });
  const { teams } = await admin.call('team.list', {});
  assert.deepEqual(
    teams.map(({ slug, name, plan }) => [slug, name, plan]),
    [
      ['acme', 'acme', 'self-hosted'],
      ['b', 'The B', 'pro'],
    ],
  );
  const changed = await admin.call('team.set-plan', { team: team.id, plan: 'hobby' });
  assert.equal(changed.plan, 'hobby');
  assert.equal((await metadata.teams.findBySlug('acme'))?.plan, 'hobby');
});

test('a project: made under its team, listed, narrowed and widened again', async (t) => {
  const { admin, metadata } = await adminKit(t);
  await admin.call('team.create', { slug: 'acme' });
  const made = await admin.call('project.create', {
    project: 'acme/web',
    platforms: ['linux/arm64'],
  });
  assert.deepEqual([made.path, made.settings], ['acme/web', { platforms: ['linux/arm64'] }]);
  const { projects } = await admin.call('project.list', { team: 'acme' });
  assert.deepEqual(projects, [made]);
  const narrowed = await admin.call('project.settings', {
    project: 'acme/web',
    layerCompressions: ['zstd'],
    platforms: null,
  });
  assert.deepEqual(narrowed.settings, { layerCompressions: ['zstd'] });
  const stored = await metadata.projects.findBySlugs('acme', 'web');
  assert.deepEqual(stored?.settings, { layerCompressions: ['zstd'] });
  const shown = await admin.call('project.settings', { project: made.id });
  assert.deepEqual(shown.settings, { layerCompressions: ['zstd'] });
});

test('people: an account, member of a team with a role that can change, removed', async (t) => {
  const { admin, refusal } = await adminKit(t);
  await admin.call('team.create', { slug: 'acme' });
  const account = await admin.call('account.create', { name: 'ada@example.com' });
  assert.match(account.id, /^acc_/);
  const added = await admin.call('member.add', { team: 'acme', account: 'ada@example.com' });
  assert.equal(added.role, 'developer');
  await admin.call('member.add', { team: 'acme', account: account.id, role: 'owner' });
  const { members } = await admin.call('member.list', { team: 'acme' });
  assert.deepEqual(
    members.map(({ accountName, role }) => [accountName, role]),
    [['ada@example.com', 'owner']],
  );
  const last = await refusal('member.remove', { team: 'acme', account: account.id });
  assert.deepEqual([last.kind, /last owner/.test(last.message)], ['conflict', true]);
  await admin.call('account.create', { name: 'bob' });
  await admin.call('member.add', { team: 'acme', account: 'bob', role: 'owner' });
  await admin.call('member.remove', { team: 'acme', account: account.id });
  assert.equal((await admin.call('member.list', { team: 'acme' })).members.length, 1);
  assert.equal((await admin.call('account.list', {})).accounts.length, 2);
});

test('a team token: its secret once, its hash stored, narrowed to projects, with an expiry', async (t) => {
  const { admin, metadata, pass } = await adminKit(t);
  const team = await admin.call('team.create', { slug: 'acme' });
  const project = await admin.call('project.create', { project: 'acme/web' });
  const made = await admin.call('token.create', {
    team: 'acme',
    name: 'ci',
    scope: 'read',
    projects: ['web', 'acme/web'],
    expires: '90d',
  });
  assert.ok(isTokenShaped(made.token));
  assert.equal(made.registry, '127.0.0.1:5050');
  assert.deepEqual(made.logins, [{ team: 'acme', username: team.id }]);
  const stored = await metadata.tokens.findByHash(hashToken(made.token));
  assert.equal(stored?.id, made.id);
  assert.deepEqual(stored?.projectIds, [project.id]);
  assert.equal(stored?.scope, 'read');
  assert.equal(stored!.expiresAt! - stored!.createdAt, 90 * 864e5);

  const listed = async () => (await admin.call('token.list', { team: 'acme' })).tokens;
  assert.deepEqual(
    (await listed()).map(({ owner, projects, state }) => [owner, projects, state]),
    [['team acme', ['acme/web'], 'active']],
  );
  assert.doesNotMatch(JSON.stringify(await listed()), /gnt_/);
  pass(90 * 864e5);
  assert.equal((await listed())[0]?.state, 'expired');
});

test('an account token opens every team that the account is in', async (t) => {
  const { admin } = await adminKit(t);
  await admin.call('account.create', { name: 'ada' });
  const ids: string[] = [];
  for (const slug of ['a', 'b', 'c']) ids.push((await admin.call('team.create', { slug })).id);
  await admin.call('member.add', { team: 'a', account: 'ada' });
  await admin.call('member.add', { team: 'c', account: 'ada' });
  const made = await admin.call('token.create', { account: 'ada', projects: ['*'] });
  assert.equal(made.owner, 'account ada');
  assert.equal(made.scope, 'write');
  assert.equal(made.projects, undefined);
  assert.deepEqual(made.logins, [
    { team: 'a', username: ids[0] },
    { team: 'c', username: ids[2] },
  ]);
});

test('a revoked token is shown so, and revoking it again changes nothing', async (t) => {
  const { admin, metadata, pass } = await adminKit(t);
  await admin.call('team.create', { slug: 'acme' });
  const { id } = await admin.call('token.create', { team: 'acme' });
  const first = await admin.call('token.revoke', { token: id });
  assert.equal(first.token.state, 'revoked');
  pass(1000);
  const second = await admin.call('token.revoke', { token: id });
  assert.equal(second.token.revokedAt, first.token.revokedAt);
  assert.equal((await metadata.tokens.findById(id))?.revokedAt, first.token.revokedAt);
});

test('policies: by claims and by preset, listed with their projects, deleted', async (t) => {
  const { admin, metadata } = await adminKit(t);
  await admin.call('team.create', { slug: 'acme' });
  await admin.call('project.create', { project: 'acme/web' });
  const generic = await admin.call('policy.create', {
    team: 'acme',
    name: 'ci',
    projects: ['web'],
    actions: ['pull'],
    preset: 'generic',
    options: { issuer: 'https://idp.example.com', claims: { sub: ['repo:a/b:*', 'repo:a/c:*'] } },
  });
  assert.deepEqual(generic.projects, ['acme/web']);
  const github = await admin.call('policy.create', {
    team: 'acme',
    name: 'gh',
    preset: 'github',
    options: { repository: 'acme/app', ref: 'main' },
  });
  assert.equal(github.claims.ref?.[0], 'refs/heads/main');
  assert.deepEqual(github.actions, ['pull', 'push']);
  assert.match(github.advice!, /can|Safer/);
  const [stored] = await metadata.trustPolicies.findByIssuer('https://idp.example.com');
  assert.deepEqual(stored?.claims, { sub: ['repo:a/b:*', 'repo:a/c:*'] });
  const { policies } = await admin.call('policy.list', { team: 'acme' });
  assert.deepEqual(
    policies.map(({ name }) => name),
    ['ci', 'gh'],
  );
  await admin.call('policy.delete', { policy: generic.id });
  assert.equal((await admin.call('policy.list', { team: 'acme' })).policies.length, 1);
});

test('repositories: listed in pages, of a project, made public', async (t) => {
  const { admin, metadata } = await adminKit(t);
  await admin.call('team.create', { slug: 'acme' });
  for (const slug of ['api', 'web']) {
    const { id } = await admin.call('project.create', { project: `acme/${slug}` });
    for (const name of ['a', 'b']) {
      await metadata.writer.run('EnsureRepository', {
        id: newId('repo'),
        projectId: id,
        name,
        visibility: 'private',
        actor: 'test',
        limits: { plan: 'self-hosted' },
        now: 1,
      });
    }
  }
  const page = await admin.call('repository.list', { team: 'acme', limit: 3 });
  assert.deepEqual(
    page.repositories.map(({ name }) => name),
    ['acme/api/a', 'acme/api/b', 'acme/web/a'],
  );
  const rest = await admin.call('repository.list', { team: 'acme', limit: 3, after: page.next! });
  assert.deepEqual(rest, { repositories: [{ name: 'acme/web/b', visibility: 'private' }] });
  const web = await admin.call('repository.list', { team: 'acme', project: 'web' });
  assert.equal(web.repositories.length, 2);

  const repository = 'acme/web/b';
  await admin.call('repository.visibility', { repository, visibility: 'public' });
  const shown = await admin.call('repository.visibility', { repository });
  assert.deepEqual(shown, { name: repository, visibility: 'public' });
});

test('status is what the server says of itself', async (t) => {
  const { admin } = await adminKit(t);
  assert.equal((await admin.call('status', {})).url, url);
});
