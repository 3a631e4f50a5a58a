import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import type { Token } from '../../../src/ports/tokens.ts';
import { ensure, events, now, path, populate, refused } from './fixture.ts';

const token = (id: string, rest: Partial<Token> = {}): Token => ({
  id,
  name: id,
  teamId: 'team_1',
  accountId: undefined,
  scope: 'write',
  projectIds: undefined,
  createdAt: now,
  expiresAt: undefined,
  revokedAt: undefined,
  lastUsedAt: undefined,
  ...rest,
});

/** Teams, projects, repositories, tokens, policies and keys. */
export function principalsContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
) {
  test('teams, projects and members', async (t) => {
    const db = await open(t);
    const { teamId } = await populate(db);
    assert.equal((await db.teams.findBySlug('acme'))?.id, teamId);
    assert.equal((await db.teams.findById(teamId))?.plan, 'pro');
    assert.equal((await db.teams.list()).length, 1);
    const project = await db.projects.findBySlugs('acme', 'shop');
    assert.deepEqual(project?.settings, { platforms: ['linux/amd64'] });
    assert.deepEqual([project?.plan, project?.teamSlug], ['pro', 'acme']);
    const again = { id: 'team_2', slug: 'acme', name: 'x', plan: 'pro' as const, createdAt: now };
    await refused(db.writer.run('CreateTeam', again), 'conflict');
    const twin = { id: 'prj_2', teamId, slug: 'shop', settings: {}, createdAt: now };
    await refused(db.writer.run('CreateProject', twin), 'conflict');
    await db.writer.run('SetTeamPlan', { teamId, plan: 'hobby' });
    assert.equal((await db.projects.listByTeam(teamId))[0]?.plan, 'hobby');

    await db.writer.run('CreateAccount', { id: 'acc_1', name: 'ada', createdAt: now });
    const ada = { id: 'acc_2', name: 'ada', createdAt: now };
    await refused(db.writer.run('CreateAccount', ada), 'conflict');
    const membership = { teamId, accountId: 'acc_1' };
    await db.writer.run('PutMember', { ...membership, role: 'viewer' });
    await db.writer.run('PutMember', { ...membership, role: 'admin' });
    const member = { ...membership, accountName: 'ada', role: 'admin' };
    assert.deepEqual(await db.teams.findMember(teamId, 'acc_1'), member);
    assert.deepEqual(await db.teams.listMembers(teamId), [member]);
    assert.equal((await db.teams.findAccount('ada'))?.id, 'acc_1');
    await db.writer.run('RemoveMember', membership);
    await refused(db.writer.run('RemoveMember', membership), 'not-found');
    assert.equal(await db.teams.findMember(teamId, 'acc_1'), undefined);
  });

  test('a repository is made once, within the plan', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    assert.deepEqual(await ensure(db, 'web'), repository);
    assert.deepEqual(await db.repositories.find(path), repository);
    assert.deepEqual(await events(db, repository.id), ['repository.created']);
    const limits = { plan: 'hobby' as const, repositories: 2 };
    await ensure(db, 'second', limits);
    await refused(ensure(db, 'third', limits), 'quota');
    await ensure(db, 'second', limits);
  });

  test('names are listed for their team, narrowed to projects, page by page', async (t) => {
    const db = await open(t);
    const { teamId, projectId } = await populate(db);
    for (const name of ['api', 'z']) await ensure(db, name);
    const names = ['acme/shop/api', 'acme/shop/web', 'acme/shop/z'];
    const list = (projectIds?: string[], last?: string, limit = 10) =>
      db.repositories.listNames(
        { teamId, projectIds },
        last === undefined ? undefined : { project: 'shop', repository: last },
        limit,
      );
    assert.deepEqual(await list(), names);
    assert.deepEqual(await list([projectId], 'api', 1), [names[1]]);
    assert.deepEqual(await list(['prj_other']), []);
    assert.deepEqual(await list(undefined, 'z'), []);
    assert.deepEqual(await db.repositories.listNames({ teamId: 'team_other' }, undefined, 10), []);
  });

  test('tokens: found by hash, revoked once, last use only goes forward', async (t) => {
    const db = await open(t);
    await populate(db);
    const full = token('tok_1', { projectIds: ['prj_1'], expiresAt: now + 5 });
    await db.writer.run('CreateToken', { token: full, hash: 'h1' });
    assert.deepEqual(await db.tokens.findByHash('h1'), full);
    assert.equal(await db.tokens.findByHash('h2'), undefined);
    assert.deepEqual(await db.tokens.list({ teamId: 'team_1' }), [full]);
    for (const at of [now + 9, now + 3]) {
      await db.writer.run('TouchTokens', { uses: [{ id: 'tok_1', at }] });
    }
    assert.equal((await db.tokens.findById('tok_1'))?.lastUsedAt, now + 9);
    const before = await db.tokens.epoch();
    const revoke = { id: 'tok_1', now: now + 1 };
    assert.deepEqual(await db.writer.run('RevokeToken', revoke), { revoked: true });
    assert.deepEqual(await db.writer.run('RevokeToken', revoke), { revoked: false });
    assert.equal((await db.tokens.findById('tok_1'))?.revokedAt, now + 1);
    assert.equal(await db.tokens.epoch(), before + 1);
  });

  test('refresh tokens: kept until they expire', async (t) => {
    const db = await open(t);
    await populate(db);
    await db.writer.run('CreateToken', { token: token('tok_1'), hash: 'h1' });
    const credential = { type: 'token', tokenId: 'tok_1', teamId: 'team_1' } as const;
    const make = (id: string, expiresAt: number, at: number) =>
      db.writer.run('CreateRefreshToken', { id, hash: id, credential, expiresAt, now: at });
    await make('r1', now + 5, now);
    assert.deepEqual(await db.tokens.findRefresh('r1'), {
      id: 'r1',
      credential,
      expiresAt: now + 5,
    });
    await make('r2', now + 50, now + 5);
    assert.equal(await db.tokens.findRefresh('r1'), undefined);
  });

  test('trust policies: by issuer, by id, by team; each change is a new epoch', async (t) => {
    const db = await open(t);
    const { teamId } = await populate(db);
    const policy = {
      id: 'pol_1',
      teamId,
      name: 'ci',
      issuer: 'https://issuer.example',
      audience: undefined,
      claims: { sub: ['repo:acme/*'] },
      projectIds: ['prj_1'],
      actions: ['pull', 'push'] as const,
      createdAt: now,
    };
    const before = await db.tokens.epoch();
    await db.writer.run('CreateTrustPolicy', policy);
    assert.equal(await db.tokens.epoch(), before + 1);
    assert.deepEqual(await db.trustPolicies.findByIssuer(policy.issuer), [policy]);
    assert.deepEqual(await db.trustPolicies.findByIssuer(`${policy.issuer}/`), []);
    assert.deepEqual(await db.trustPolicies.findByIds(['pol_1', 'pol_2']), [policy]);
    assert.deepEqual(await db.trustPolicies.list(teamId), [policy]);
    const twin = { ...policy, id: 'pol_2' };
    await refused(db.writer.run('CreateTrustPolicy', twin), 'conflict');
    const second = { ...policy, id: 'pol_2', name: 'second' };
    await db.writer.run('CreateTrustPolicy', second);
    assert.deepEqual(await db.trustPolicies.page(teamId, undefined, 1), [policy]);
    assert.deepEqual(await db.trustPolicies.page(teamId, 'ci', 5), [second]);
    const changed = { ...second, claims: { sub: ['x'] }, audience: 'a', projectIds: undefined };
    await db.writer.run('UpdateTrustPolicy', changed);
    assert.equal(await db.tokens.epoch(), before + 3);
    assert.deepEqual(await db.trustPolicies.findByIds(['pol_2']), [changed]);
    await refused(db.writer.run('UpdateTrustPolicy', { ...changed, name: 'ci' }), 'conflict');
    const elsewhere = { ...changed, teamId: 'team_2' };
    await refused(db.writer.run('UpdateTrustPolicy', elsewhere), 'not-found');
    await db.writer.run('DeleteTrustPolicy', { id: 'pol_2' });
    assert.deepEqual(await db.writer.run('DeleteTrustPolicy', { id: 'pol_1' }), { deleted: true });
    assert.deepEqual(await db.trustPolicies.list(teamId), []);
  });

  test('keys come newest first, by purpose', async (t) => {
    const db = await open(t);
    const key = (id: string) => ({
      id,
      purpose: 'upload-url' as const,
      wrapped: `w-${id}`,
      createdAt: now,
      retiredAt: undefined,
    });
    for (const id of ['key_1', 'key_2']) await db.writer.run('CreateKey', key(id));
    assert.deepEqual(await db.keys.list('upload-url'), [key('key_2'), key('key_1')]);
    assert.deepEqual(await db.keys.list('registry-token'), []);
  });
}
