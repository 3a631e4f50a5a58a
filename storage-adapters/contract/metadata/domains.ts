import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { production } from './deployments-fixture.ts';
import { now, populate, refused } from './fixture.ts';

const host = 'shop.example.com';

/** A domain leads to one project: the first that proves it, or that is trusted. */
export function domainsContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
): void {
  const claim = (
    db: Metadata,
    projectId: string,
    more: { trusted?: boolean; host?: string } = {},
  ) =>
    db.writer.run('ClaimDomain', {
      ...{ host, projectId, ...production, service: 'web', token: `token of ${projectId}` },
      ...{ trusted: false, most: 2, now, ...more },
    });
  const check = (db: Metadata, projectId: string, missing?: string, last = false) =>
    db.writer.run('CheckDomain', {
      ...{ host, projectId, token: `token of ${projectId}`, missing, last, now: now + 5 },
    });
  async function two(t: { after(fn: () => unknown): void }): Promise<Metadata> {
    const db = await open(t);
    const { teamId } = await populate(db);
    const project = { id: 'prj_2', teamId, slug: 'other', settings: {}, createdAt: now };
    await db.writer.run('CreateProject', project);
    return db;
  }

  test('custom domains: one project each, once it is proven', async (t) => {
    const db = await two(t);
    const first = await claim(db, 'prj_1');
    assert.deepEqual(first, {
      ...{ host, projectId: 'prj_1', ...production, service: 'web', token: 'token of prj_1' },
      ...{ state: 'pending', message: undefined, createdAt: now, checkedAt: undefined },
    });
    assert.equal(await db.deployments.findHost(host), undefined, 'pending ones lead nowhere');
    assert.equal((await claim(db, 'prj_2')).state, 'pending', 'nobody is kept from it by a wish');
    assert.equal((await db.domains.pending(now, 10)).length, 2);
    const waits = await check(db, 'prj_1', 'no record');
    assert.deepEqual([waits?.state, waits?.message], ['pending', 'no record']);
    assert.equal((await check(db, 'prj_2'))?.state, 'verified');
    assert.deepEqual(await db.deployments.findHost(host), {
      ...{ host, custom: true, projectId: 'prj_2', service: 'web' },
      ...{ deploymentId: undefined, environment: production },
    });
    assert.equal((await check(db, 'prj_1'))?.state, 'failed', 'it is taken');
    await refused(claim(db, 'prj_1'), 'conflict');
    assert.deepEqual(await db.domains.pending(now + 10, 10), []);
    // A record that went is no reason to end what leads there.
    assert.equal((await check(db, 'prj_2', 'no record', true))?.state, 'verified');
    const remove = (projectId: string) => db.writer.run('RemoveCustomDomain', { host, projectId });
    await remove('prj_1');
    await refused(remove('prj_1'), 'not-found');
    assert.ok(await db.deployments.findHost(host));
    await remove('prj_2');
    assert.equal(await db.deployments.findHost(host), undefined);
    assert.equal(await db.domains.find('prj_2', host), undefined);
  });

  test('domains: trusted ones lead there at once, changed ones stay verified, and wishes are few', async (t) => {
    const db = await two(t);
    assert.equal((await claim(db, 'prj_1', { trusted: true })).state, 'verified');
    const preview = { environment: 'preview', name: 'pr-1' } as const;
    const moved = await db.writer.run('ClaimDomain', {
      ...{ host, projectId: 'prj_1', ...preview, service: undefined, token: 'another' },
      ...{ trusted: false, most: 2, now: now + 1 },
    });
    assert.deepEqual([moved.state, moved.token], ['verified', 'token of prj_1']);
    assert.deepEqual((await db.deployments.findHost(host))?.environment, preview);
    for (const name of ['a.example.com', 'b.example.com']) await claim(db, 'prj_1', { host: name });
    await refused(claim(db, 'prj_1', { host: 'c.example.com' }), 'conflict');
    assert.equal((await claim(db, 'prj_1', { host: 'a.example.com' })).state, 'pending');
    const names = (await db.domains.list('prj_1')).map((one) => one.host);
    assert.deepEqual(names, ['a.example.com', 'b.example.com', host]);
    await refused(claim(db, 'prj_none'), 'not-found');
    await db.writer.run('CheckDomain', {
      ...{ host: 'a.example.com', projectId: 'prj_1', token: 'token of prj_1' },
      ...{ missing: 'still none', last: true, now: now + 9 },
    });
    const given = await db.domains.find('prj_1', 'a.example.com');
    assert.deepEqual([given?.state, given?.message], ['failed', 'still none']);
  });
}
