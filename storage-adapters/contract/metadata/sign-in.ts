import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { now, populate } from './fixture.ts';

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
}
