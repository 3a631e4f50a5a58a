import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { now, populate, refused } from './fixture.ts';

const day = 86_400_000;
const issued = (id: string, createdAt = now) => ({
  id,
  teamId: 'team_1',
  name: 'repo:acme/shop',
  credential: {
    type: 'oidc' as const,
    policyIds: ['pol_1'],
    issuer: 'https://issuer.example',
    subject: 'repo:acme/shop',
  },
  projectIds: ['prj_1'],
  actions: ['pull' as const],
  createdAt,
  expiresAt: createdAt + 1000,
});

/** Issued tokens, refresh tokens. */
export function signInContract(open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>) {
  test('an issued token is found, listed newest first, and revoked once', async (t) => {
    const db = await open(t);
    await populate(db);
    for (const id of ['itk_1', 'itk_2', 'itk_3']) {
      await db.writer.run('CreateIssuedToken', { token: issued(id), hash: `hash of ${id}` });
    }
    assert.deepEqual(await db.issuedTokens.findByHash('hash of itk_1'), {
      ...issued('itk_1'),
      revokedAt: undefined,
    });
    const ids = async (before: string | undefined, limit: number) =>
      (await db.issuedTokens.list('team_1', before, limit)).map(({ id }) => id);
    assert.deepEqual(await ids(undefined, 2), ['itk_3', 'itk_2']);
    assert.deepEqual(await ids('itk_2', 2), ['itk_1']);
    const epoch = await db.tokens.epoch();
    const revoke = () => db.writer.run('RevokeIssuedToken', { id: 'itk_1', now: now + 5 });
    assert.deepEqual(await revoke(), { revoked: true });
    assert.deepEqual(await revoke(), { revoked: false });
    assert.equal(await db.tokens.epoch(), epoch + 1);
    assert.equal((await db.issuedTokens.findById('itk_1'))?.revokedAt, now + 5);
  });

  test('issued tokens that expired a day ago go when the next is made', async (t) => {
    const db = await open(t);
    await populate(db);
    await db.writer.run('CreateIssuedToken', { token: issued('itk_1'), hash: 'a' });
    const later = (id: string, at: number) =>
      db.writer.run('CreateIssuedToken', { token: issued(id, at), hash: id });
    await later('itk_2', now + 1000 + day);
    assert.ok(await db.issuedTokens.findById('itk_1'));
    await later('itk_3', now + 1001 + day);
    assert.equal(await db.issuedTokens.findById('itk_1'), undefined);
    assert.ok(await db.issuedTokens.findById('itk_2'));
  });

  test('a refresh token is dropped by its hash', async (t) => {
    const db = await open(t);
    const credential = { type: 'issued' as const, issuedId: 'itk_1' };
    const row = { id: 'rft_1', hash: 'h', credential, expiresAt: now + 1, now };
    await db.writer.run('CreateRefreshToken', row);
    assert.deepEqual((await db.tokens.findRefresh('h'))?.credential, credential);
    const drop = () => db.writer.run('DropRefreshToken', { hash: 'h' });
    assert.deepEqual([await drop(), await drop()], [{ dropped: true }, { dropped: false }]);
    assert.equal(await db.tokens.findRefresh('h'), undefined);
  });

  test('a session is found by its hash, touched forwards only, and ended', async (t) => {
    const db = await open(t);
    await db.writer.run('CreateAccount', { id: 'acc_1', name: 'ada', createdAt: now });
    const make = (id: string, createdAt: number) => {
      const session = {
        ...{ id, accountId: 'acc_1', tokenId: undefined, address: '::1', userAgent: undefined },
        ...{ createdAt, lastSeenAt: createdAt, expiresAt: createdAt + day },
      };
      const args = { session, hash: `hash of ${id}`, idleBefore: createdAt - 1000 };
      return db.writer.run('CreateSession', args).then(() => session);
    };
    const first = await make('ses_1', now);
    assert.deepEqual(await db.sessions.findByHash('hash of ses_1'), first);
    for (const at of [now + 500, now + 100]) {
      await db.writer.run('TouchSession', { id: 'ses_1', at });
    }
    assert.equal((await db.sessions.findById('ses_1'))?.lastSeenAt, now + 500);
    await make('ses_2', now + 1);
    const ids = async () => (await db.sessions.list({ accountId: 'acc_1' })).map(({ id }) => id);
    assert.deepEqual(await ids(), ['ses_2', 'ses_1']);
    await make('ses_3', now + 1001);
    assert.deepEqual(await ids(), ['ses_3', 'ses_1'], 'what rested too long goes');
    assert.deepEqual(await db.writer.run('EndSession', { id: 'ses_1' }), { ended: true });
    assert.deepEqual(await db.writer.run('EndSession', { id: 'ses_1' }), { ended: false });
    assert.deepEqual(await db.sessions.list({ tokenId: 'tok_1' }), []);
  });

  test('somebody at a provider is one account, and an account is one of them', async (t) => {
    const db = await open(t);
    const issuer = 'https://idp.example';
    const account = (id: string, name: string, email?: string) => ({
      ...{ id, name, createdAt: now },
      ...(email !== undefined && { email }),
    });
    const signUp = (subject: string, made: ReturnType<typeof account>) =>
      db.writer.run('CreateSignedInAccount', { issuer, subject, account: made });
    assert.deepEqual(await signUp('s1', account('acc_1', 'ada')), { accountId: 'acc_1' });
    assert.deepEqual(await signUp('s1', account('acc_9', 'ada')), { accountId: 'acc_1' });
    assert.deepEqual(await signUp('s2', account('acc_2', 'ada')), { accountId: 'acc_2' });
    assert.equal((await db.teams.findAccount('acc_2'))?.name, 'ada 2');
    for (const [subject, id, name] of [
      ['s7', 'acc_0', 'acc_1'],
      ['s8', 'acc_8', 'acc_2'],
    ] as const) {
      await signUp(subject, account(id, name));
      assert.equal((await db.teams.findAccount(name))?.id, name, 'not who is named like its id');
    }
    assert.equal((await db.sessions.findSignIn(issuer, 's1'))?.id, 'acc_1');
    assert.equal(await db.sessions.findSignIn('https://other.example', 's1'), undefined);

    await db.writer.run('CreateAccount', account('acc_3', 'eve', 'Eve@Example.com'));
    const found = async () =>
      (await db.sessions.findByEmail('eve@example.COM', issuer)).map((one) => [
        one.account.id,
        one.bound,
      ]);
    assert.deepEqual(await found(), [['acc_3', false]]);
    const bind = (subject: string, accountId: string) =>
      db.writer.run('BindSignIn', { issuer, subject, accountId, now: now + 1 });
    await bind('s3', 'acc_3');
    await bind('s3', 'acc_3');
    assert.deepEqual(await found(), [['acc_3', true]]);
    await refused(bind('s4', 'acc_3'), 'conflict');
    await refused(bind('s1', 'acc_2'), 'conflict');
  });
}
