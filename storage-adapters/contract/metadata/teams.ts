import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import type { Role } from '../../../src/ports/teams.ts';
import type { Token } from '../../../src/ports/tokens.ts';
import { now, populate, refused } from './fixture.ts';

const token = (id: string, rest: Partial<Token>): Token => ({
  ...{ id, name: id, teamId: undefined, accountId: undefined, scope: 'read', createdAt: now },
  ...{ projectIds: undefined, expiresAt: undefined, revokedAt: undefined, lastUsedAt: undefined },
  ...rest,
});

/** Slugs that are held, owners that stay, accounts that go, and pages of all of them. */
export function teamsContract(open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>) {
  test('a slug that a team gave up is its own for a while', async (t) => {
    const db = await open(t);
    const { teamId } = await populate(db);
    const rename = (slug: string, at: number, id = teamId) =>
      db.writer.run('UpdateTeam', { teamId: id, slug, now: at, heldUntil: at + 100 });
    await rename('acme-inc', now);
    const newcomer = (id: string, at: number) =>
      db.writer.run('CreateTeam', { id, slug: 'acme', name: 'x', plan: 'pro', createdAt: at });
    await refused(newcomer('team_2', now + 99), 'conflict');
    await db.writer.run('CreateTeam', {
      ...{ id: 'team_3', slug: 'third', name: 'x', plan: 'pro', createdAt: now },
    });
    await refused(rename('acme', now + 99, 'team_3'), 'conflict');
    await refused(rename('acme-inc', now, 'team_3'), 'conflict');
    await rename('acme', now + 99);
    assert.equal((await db.teams.findBySlug('acme'))?.id, teamId);
    await rename('acme-inc', now + 100);
    await newcomer('team_2', now + 200);
    await refused(rename('x', now, 'team_none'), 'not-found');
    await db.writer.run('UpdateTeam', {
      ...{ teamId, name: 'New', plan: 'hobby', now, heldUntil: now },
    });
    const team = await db.teams.findById(teamId);
    assert.deepEqual([team?.slug, team?.name, team?.plan], ['acme-inc', 'New', 'hobby']);
    const slugs = async (ids: string[] | undefined, after: string | undefined, limit: number) =>
      (await db.teams.page(ids, after, limit)).map(({ slug }) => slug);
    assert.deepEqual(await slugs(undefined, undefined, 2), ['acme', 'acme-inc']);
    assert.deepEqual(await slugs(undefined, 'acme-inc', 2), ['third']);
    assert.deepEqual(await slugs([teamId, 'team_3'], undefined, 5), ['acme-inc', 'third']);
    assert.deepEqual(await slugs([], undefined, 5), []);
  });

  test('owners are for owners, and one stays', async (t) => {
    const db = await open(t);
    const { teamId } = await populate(db);
    for (const id of ['acc_1', 'acc_2']) {
      await db.writer.run('CreateAccount', { id, name: id, createdAt: now });
    }
    const put = (accountId: string, role: Role, asOwner?: boolean) =>
      db.writer.run('PutMember', {
        ...{ teamId, accountId, role },
        ...(asOwner !== undefined && { asOwner }),
      });
    await refused(put('acc_1', 'owner', false), 'denied');
    await put('acc_1', 'owner');
    await put('acc_1', 'owner', false);
    await refused(put('acc_1', 'admin', false), 'denied');
    await refused(put('acc_1', 'admin'), 'conflict');
    const first = { teamId, accountId: 'acc_1' };
    await refused(db.writer.run('RemoveMember', { ...first, asOwner: false }), 'denied');
    await refused(db.writer.run('RemoveMember', first), 'conflict');
    await refused(db.writer.run('DeleteAccount', { accountId: 'acc_1' }), 'conflict');
    await put('acc_2', 'owner');
    await db.writer.run('RemoveMember', first);
    const names = (await db.teams.pageMembers(teamId, undefined, 5)).map((m) => m.accountName);
    assert.deepEqual(names, ['acc_2']);
    assert.deepEqual(await db.teams.pageMembers(teamId, 'acc_2', 5), []);
  });

  test('an account changes, and goes with all that opens by it', async (t) => {
    const db = await open(t);
    const { teamId } = await populate(db);
    const accountId = 'acc_1';
    await db.writer.run('CreateAccount', { id: accountId, name: 'ada', createdAt: now });
    await db.writer.run('CreateAccount', { id: 'acc_2', name: 'bob', createdAt: now });
    const change = (more: object) => db.writer.run('UpdateAccount', { accountId, ...more });
    await refused(change({ name: 'bob' }), 'conflict');
    await change({ name: 'ada2', email: 'ada@example.com', operator: true });
    const account = { id: accountId, name: 'ada2', email: 'ada@example.com', operator: true };
    assert.deepEqual(await db.teams.findAccount(accountId), { ...account, createdAt: now });
    await change({ email: null, operator: false });
    assert.equal((await db.teams.findAccount(accountId))?.operator, undefined);
    const pages = await db.teams.pageAccounts('ada2', 5);
    assert.deepEqual(
      pages.map(({ id }) => id),
      ['acc_2'],
    );
    await db.writer.run('PutMember', { teamId, accountId, role: 'admin' });
    await db.writer.run('CreateToken', { token: token('tok_1', { accountId }), hash: 'h1' });
    const credential = { type: 'token', tokenId: 'tok_1', teamId } as const;
    await db.writer.run('CreateRefreshToken', {
      ...{ id: 'ref_1', hash: 'r1', credential, expiresAt: now + 5, now },
    });
    const before = await db.tokens.epoch();
    await db.writer.run('DeleteAccount', { accountId });
    assert.equal(await db.tokens.epoch(), before + 1);
    assert.equal(await db.tokens.findByHash('h1'), undefined);
    assert.equal(await db.tokens.findRefresh('r1'), undefined);
    assert.equal(await db.teams.findMember(teamId, accountId), undefined);
    assert.equal(await db.teams.findAccount(accountId), undefined);
    await refused(db.writer.run('DeleteAccount', { accountId }), 'not-found');
    await refused(change({ name: 'x' }), 'not-found');
  });

  test('tokens and projects come in pages; a team’s tokens are events of the team', async (t) => {
    const db = await open(t);
    const { teamId } = await populate(db);
    await db.writer.run('CreateAccount', { id: 'acc_1', name: 'ada', createdAt: now });
    for (const id of ['tok_1', 'tok_2', 'tok_3']) {
      await db.writer.run('CreateToken', { token: token(id, { teamId }), hash: id, actor: 'ada' });
    }
    const own = token('tok_own', { accountId: 'acc_1' });
    await db.writer.run('CreateToken', { token: own, hash: 'own' });
    for (const id of ['tok_2', 'tok_2', 'tok_own']) {
      await db.writer.run('RevokeToken', { id, now: now + 1, actor: 'bob' });
    }
    const ids = async (before: string | undefined, limit: number) =>
      (await db.tokens.page({ teamId }, before, limit)).map(({ id }) => id);
    assert.deepEqual(await ids(undefined, 2), ['tok_3', 'tok_2']);
    assert.deepEqual(await ids('tok_2', 2), ['tok_1']);
    assert.equal((await db.tokens.page({ accountId: 'acc_1' }, undefined, 5)).length, 1);
    const events = await db.outbox.listByRepository(teamId, 0, 10);
    assert.deepEqual(
      events.map(({ type, data }) => [type, data.tokenId, data.actor]),
      [
        ['token.created', 'tok_1', 'ada'],
        ['token.created', 'tok_2', 'ada'],
        ['token.created', 'tok_3', 'ada'],
        ['token.revoked', 'tok_2', 'bob'],
      ],
    );

    const project = { id: 'prj_2', teamId, slug: 'a', settings: {}, createdAt: now };
    await db.writer.run('CreateProject', project);
    const slugs = async (ids: string[] | undefined, after?: string) =>
      (await db.projects.page({ teamId, ids }, after, 5)).map(({ slug }) => slug);
    assert.deepEqual(await slugs(undefined), ['a', 'shop']);
    assert.deepEqual(await slugs(undefined, 'a'), ['shop']);
    assert.deepEqual(await slugs(['prj_1', 'prj_none']), ['shop']);
    assert.deepEqual((await db.projects.findByIds(['prj_2', 'x']))[0]?.slug, 'a');
  });
}
