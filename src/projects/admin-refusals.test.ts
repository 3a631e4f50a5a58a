import assert from 'node:assert/strict';
import test from 'node:test';
import { adminKit } from './admin-test-kit.ts';

const policy = { team: 'acme', name: 'ci', preset: 'generic' };

/** With a team `acme` that has a project `web`, a team `other` with a project `app`, and an account `ada`. */
const refusals: [method: string, params: unknown, kind: string, says: RegExp][] = [
  ['team.destroy', {}, 'invalid', /no method "team\.destroy"; there are status, team\.create/],
  ['team.create', {}, 'invalid', /team\.create needs slug/],
  ['team.create', [], 'invalid', /takes an object of parameters/],
  ['team.create', { slug: 'acme' }, 'conflict', /"acme" is taken/],
  ['team.create', { slug: 'Acme' }, 'invalid', /slug must be 1 to 63 lower-case.*got "Acme"/],
  ['team.create', { slug: 'a/b' }, 'invalid', /slug must be/],
  ['team.create', { slug: 'a'.repeat(64) }, 'invalid', /slug must be 1 to 63/],
  ['team.create', { slug: `team_${'0'.repeat(32)}` }, 'invalid', /slug must be/],
  ['team.create', { slug: 'x', plan: 'free' }, 'invalid', /plan must be one of: self-hosted/],
  ['team.create', { slug: 'x', nmae: 'y' }, 'invalid', /no "nmae"\. Did you mean name\?/],
  ['team.create', { slug: 'x', name: 'a\nb' }, 'invalid', /name must be a text/],
  ['team.set-plan', { team: 'absent', plan: 'pro' }, 'not-found', /no team "absent"/],
  ['project.create', { project: 'acme' }, 'invalid', /named team\/project/],
  ['project.create', { project: 'acme/a/b' }, 'invalid', /named team\/project/],
  ['project.create', { project: 'acme/Web' }, 'invalid', /named team\/project/],
  ['project.create', { project: 'acme/web' }, 'conflict', /"web" is taken/],
  ['project.create', { project: 'absent/web' }, 'not-found', /no team "absent"/],
  [
    'project.settings',
    { project: 'acme/web', platforms: ['linux'] },
    'invalid',
    /platforms must be .*os\/architecture/,
  ],
  [
    'project.settings',
    { project: 'acme/web', layerCompressions: ['lz4'] },
    'invalid',
    /layerCompressions must be some of: none, gzip, zstd/,
  ],
  ['project.settings', { project: 'acme/absent' }, 'not-found', /no project "acme\/absent"/],
  ['account.create', { name: 'ada' }, 'conflict', /"ada" is taken/],
  ['member.add', { team: 'acme', account: 'bob' }, 'not-found', /no account "bob"/],
  ['member.add', { team: 'acme', account: 'ada', role: 'boss' }, 'invalid', /role must be one of/],
  ['member.remove', { team: 'acme', account: 'ada' }, 'not-found', /not a member/],
  ['token.create', {}, 'invalid', /exactly one of team and account/],
  ['token.create', { team: 'acme', account: 'ada' }, 'invalid', /exactly one of team and account/],
  ['token.create', { team: 'acme', expires: '90' }, 'invalid', /expires must be a time/],
  ['token.create', { team: 'acme', scope: 'root' }, 'invalid', /scope must be one of: read/],
  ['token.create', { team: 'acme', projects: [] }, 'invalid', /projects must be 1 to 100/],
  ['token.create', { team: 'acme', projects: ['app'] }, 'not-found', /"acme" has no project "app"/],
  ['token.create', { team: 'acme', projects: ['other/app'] }, 'not-found', /"acme" has no project/],
  ['token.revoke', { token: 'tok_x' }, 'not-found', /no token with the id "tok_x"/],
  ['policy.create', { ...policy, options: {} }, 'invalid', /the generic preset needs issuer/],
  [
    'policy.create',
    { ...policy, options: { issuer: 'https://i.example', claims: {} } },
    'invalid',
    /at least one claim/,
  ],
  [
    'policy.create',
    { ...policy, preset: 'github', options: { repo: 'a/b' } },
    'invalid',
    /the github preset takes no "repo".*It takes: repository/,
  ],
  ['policy.delete', { policy: 'pol_x' }, 'not-found', /no policy with the id "pol_x"/],
  ['repository.list', { team: 'acme', limit: 0 }, 'invalid', /limit must be a number from 1/],
  ['repository.list', { team: 'acme', after: 'x' }, 'invalid', /after must be the name/],
  ['repository.visibility', { repository: 'acme/web/x' }, 'not-found', /no repository/],
  ['repository.visibility', { repository: '../x' }, 'not-found', /no repository/],
];

test('every refusal has its kind, says what is wrong, and hints at a command', async (t) => {
  const { admin, refusal } = await adminKit(t);
  for (const slug of ['acme', 'other']) await admin.call('team.create', { slug });
  await admin.call('project.create', { project: 'acme/web' });
  await admin.call('project.create', { project: 'other/app' });
  await admin.call('account.create', { name: 'ada' });
  for (const [method, params, kind, says] of refusals) {
    await t.test(`${method} ${JSON.stringify(params).slice(0, 80)}`, async () => {
      const info = await refusal(method, params);
      assert.equal(info.kind, kind, info.message);
      assert.match(info.message, says);
      assert.match(info.hint ?? '', /\S/);
    });
  }
});

test('writes are audited with their outcome, reads are not, and no entry has a secret', async (t) => {
  const { admin, audited, refusal } = await adminKit(t);
  const team = (await admin.handle('team.create', { slug: 'acme' })) as { id: string };
  await admin.handle('team.list', {});
  await admin.handle('status', {});
  await refusal('team.create', { slug: 'acme' });
  const made = await admin.handle('token.create', { team: 'acme' });
  const { id, token } = made as { id: string; token: string };
  await admin.handle('project.create', { project: 'acme/web' });
  await admin.handle('project.settings', { project: 'acme/web' });
  await admin.handle('token.revoke', { token: id });
  // Whoever calls it by its types writes its own entries.
  await admin.call('team.create', { slug: 'other' });
  assert.deepEqual(
    audited.map(({ method, outcome }) => `${method} ${outcome}`),
    [
      ...['team.create ok', 'team.create conflict', 'token.create ok', 'project.create ok'],
      'token.revoke ok',
    ],
  );
  assert.deepEqual(
    audited.map((entry) => entry.teamId),
    [undefined, undefined, team.id, team.id, team.id],
  );
  assert.deepEqual(
    audited.map(({ target }) => target),
    ['acme', 'acme', 'acme', 'acme/web', id],
  );
  assert.match(audited[1]?.reason ?? '', /taken/);
  assert.ok(!JSON.stringify(audited).includes(token));
});
