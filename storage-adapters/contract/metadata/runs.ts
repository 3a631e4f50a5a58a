import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Invocation } from '../../../src/ports/invocations.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import type { Sandbox } from '../../../src/ports/sandboxes.ts';
import { digest, now, populate, refused } from './fixture.ts';

/** Volumes, sandboxes and invocations of a project. */
export function runsContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
): void {
  test('volumes: by name, and kept as they were made', async (t) => {
    const db = await open(t);
    await populate(db);
    const common = { projectId: 'prj_1', maxBytes: undefined, createdAt: now, createdBy: 'ada' };
    const disk = { ...common, id: 'vol_1', name: 'data', kind: 'disk', bucket: undefined } as const;
    const sealed = {
      endpoint: undefined,
      region: 'eu',
      bucket: 'b',
      prefix: 'p/',
      sealedKeys: 'x',
    };
    const bucket = {
      ...common,
      id: 'vol_2',
      name: 'assets',
      kind: 'bucket',
      bucket: sealed,
    } as const;
    for (const volume of [disk, bucket]) await db.writer.run('CreateVolume', volume);
    await refused(db.writer.run('CreateVolume', { ...disk, id: 'vol_3' }), 'conflict');
    await refused(
      db.writer.run('CreateVolume', { ...disk, id: 'vol_3', projectId: 'prj_none' }),
      'not-found',
    );
    assert.deepEqual(await db.volumes.find('prj_1', 'data'), disk);
    const { endpoint: _, ...kept } = sealed;
    assert.deepEqual(await db.volumes.list('prj_1'), [{ ...bucket, bucket: kept }, disk]);
    assert.deepEqual(await db.volumes.list('prj_2'), []);
    assert.deepEqual(await db.volumes.existing(['vol_2', 'vol_none']), ['vol_2']);
    const limit = (name: string, maxBytes: number | undefined) =>
      db.writer.run('UpdateVolume', { projectId: 'prj_1', name, maxBytes });
    assert.equal((await limit('data', 5e9)).maxBytes, 5e9);
    assert.deepEqual(await db.volumes.limited(), [{ id: disk.id, maxBytes: 5e9 }]);
    await limit('data', undefined);
    assert.deepEqual(await db.volumes.limited(), []);
    await refused(limit(bucket.name, 1), 'invalid');
    await refused(limit('none', 1), 'not-found');
    const remove = () => db.writer.run('DeleteVolume', { projectId: 'prj_1', name: 'data', now });
    assert.deepEqual(await remove(), disk);
    await refused(remove(), 'not-found');
    assert.deepEqual(await db.volumes.removed(['vol_1', 'vol_2', 'vol_none']), ['vol_1']);
  });

  test('volumes: what was deleted is told from what nobody knows, and that can be adopted', async (t) => {
    const db = await open(t);
    await populate(db);
    const disk = {
      ...({ projectId: 'prj_1', kind: 'disk', bucket: undefined, maxBytes: undefined } as const),
      ...{ createdAt: now, createdBy: 'operator' },
    };
    const all = ['vol_adopted', 'vol_deleted', 'vol_discarded', 'vol_none'];
    const adopt = (id: string, name: string, projectId = 'prj_1') =>
      db.writer.run('AdoptVolume', { ...disk, id, name, projectId });
    const discard = (id: string, projectId?: string) =>
      db.writer.run('DiscardVolume', { id, projectId, now: now + 1 });
    await adopt('vol_adopted', 'data');
    assert.deepEqual(await db.volumes.find('prj_1', 'data'), {
      ...{ ...disk, id: 'vol_adopted', name: 'data' },
    });
    await refused(adopt('vol_adopted', 'again'), 'conflict');
    await refused(adopt('vol_none', 'data'), 'conflict');
    await refused(adopt('vol_none', 'other', 'prj_none'), 'not-found');
    await refused(discard('vol_adopted'), 'conflict');
    await discard('vol_discarded');
    await discard('vol_discarded', 'prj_1');
    await adopt('vol_deleted', 'gone');
    await db.writer.run('DeleteVolume', { projectId: 'prj_1', name: 'gone', now });
    await refused(adopt('vol_deleted', 'gone'), 'conflict');
    await refused(adopt('vol_discarded', 'gone'), 'conflict');
    assert.deepEqual(await db.volumes.existing(all), ['vol_adopted']);
    const removed = async () => (await db.volumes.removed(all)).sort();
    assert.deepEqual(await removed(), ['vol_deleted', 'vol_discarded']);

    await refused(db.writer.run('DeleteProject', { projectId: 'prj_1' }), 'conflict');
    assert.deepEqual(await removed(), ['vol_deleted', 'vol_discarded']);

    await db.writer.run('ForgetRemovedVolumes', { before: now, keep: [] });
    await db.writer.run('ForgetRemovedVolumes', { before: now + 1, keep: ['vol_deleted'] });
    assert.deepEqual(await removed(), ['vol_deleted', 'vol_discarded']);
    await db.writer.run('ForgetRemovedVolumes', { before: now + 1, keep: ['vol_other'] });
    assert.deepEqual(await removed(), ['vol_discarded']);
    await db.writer.run('ForgetRemovedVolumes', { before: now + 2, keep: [] });
    assert.deepEqual(await removed(), []);
  });

  test('volumes: what was deleted is known once its project is gone', async (t) => {
    const db = await open(t);
    await populate(db);
    const projectId = 'prj_2';
    await db.writer.run('CreateProject', {
      ...{ id: projectId, teamId: 'team_1', slug: 'second', settings: {}, createdAt: now },
    });
    await db.writer.run('CreateVolume', {
      ...{ id: 'vol_1', projectId, name: 'data', kind: 'disk', bucket: undefined },
      ...{ maxBytes: undefined, createdAt: now, createdBy: 'ada' },
    });
    await refused(db.writer.run('DeleteProject', { projectId }), 'conflict');
    await db.writer.run('DeleteVolume', { projectId, name: 'data', now });
    await db.writer.run('DeleteProject', { projectId });
    assert.deepEqual(await db.volumes.removed(['vol_1']), ['vol_1']);
  });

  test('sandboxes: counted while they are open, changed from states, pruned when they ended', async (t) => {
    const db = await open(t);
    await populate(db);
    const spec = {
      ...{ repository: 'acme/shop/web', repositoryId: 'repo_web', digest: digest('image') },
      ...{ machineType: 'S', ports: [] },
    };
    const sandbox = (id: string): Sandbox => ({
      ...{ id, projectId: 'prj_1', spec, state: 'starting', reason: undefined },
      ...{ createdAt: now, createdBy: 'ada', expiresAt: now + 1000, endedAt: undefined },
    });
    const create = (id: string, projectId = 'prj_1') =>
      db.writer.run('CreateSandbox', { sandbox: { ...sandbox(id), projectId }, most: 2 });
    await create('sbx_1');
    await create('sbx_2');
    await refused(create('sbx_3'), 'quota');
    await refused(create('sbx_3', 'prj_none'), 'not-found');
    assert.deepEqual(await db.sandboxes.find('sbx_1'), sandbox('sbx_1'));
    const end = { state: 'ended' as const, reason: 'stopped', endedAt: now + 5 };
    const ending = { id: 'sbx_1', from: ['starting', 'running'] as const, ...end };
    assert.deepEqual(await db.writer.run('UpdateSandbox', ending), { changed: true });
    assert.deepEqual(await db.writer.run('UpdateSandbox', ending), { changed: false });
    assert.deepEqual(await db.sandboxes.find('sbx_1'), { ...sandbox('sbx_1'), ...end });
    await create('sbx_3');
    const ports = [{ port: 8080, label: 'sbx-a' }];
    await db.writer.run('UpdateSandbox', {
      ...{ id: 'sbx_2', from: ['starting'], state: 'running', expiresAt: now + 9 },
      spec: { ...spec, ports },
    });
    const two = (await db.sandboxes.find('sbx_2'))!;
    assert.deepEqual([two.state, two.expiresAt, two.spec.ports], ['running', now + 9, ports]);
    const ids = (rows: readonly Sandbox[]) => rows.map(({ id }) => id);
    assert.deepEqual(ids(await db.sandboxes.open()), ['sbx_2', 'sbx_3']);
    const all = { projectId: 'prj_1' };
    assert.deepEqual(ids(await db.sandboxes.page(all, undefined, 2)), ['sbx_3', 'sbx_2']);
    assert.deepEqual(ids(await db.sandboxes.page(all, 'sbx_2', 2)), ['sbx_1']);
    const running = { projectId: 'prj_1', state: 'running' } as const;
    assert.deepEqual(ids(await db.sandboxes.page(running, undefined, 9)), ['sbx_2']);
    const prune = (before: number) => db.writer.run('PruneSandboxes', { before, limit: 10 });
    assert.deepEqual(await prune(now + 5), { pruned: 0 });
    assert.deepEqual(await prune(now + 6), { pruned: 1 });
    assert.equal(await db.sandboxes.find('sbx_1'), undefined);
  });

  test('invocations: claimed once, given back by a lease that ends, finished by their own attempt', async (t) => {
    const db = await open(t);
    await populate(db);
    const invocation = (id: string, runAt = now): Invocation => ({
      ...{ id, projectId: 'prj_1', service: 'web', environment: 'production', name: 'production' },
      ...{ state: 'queued', attempts: 0, runAt, contentType: 'text/plain', result: undefined },
      ...{ error: undefined, createdAt: now, createdBy: 'ada', finishedAt: undefined },
    });
    const create = (id: string, runAt?: number, most = 3) =>
      db.writer.run('CreateInvocation', {
        ...{ invocation: invocation(id, runAt), payload: Buffer.from(`of ${id}`), most },
      });
    assert.equal(await db.invocations.nextRunAt(), undefined);
    await create('inv_1');
    await create('inv_2');
    await create('inv_3', now + 1000);
    await refused(create('inv_4'), 'too-many-requests');
    assert.equal(await db.invocations.nextRunAt(), now);
    const claim = async (at: number, leaseUntil: number, limit = 9) =>
      (await db.writer.run('ClaimInvocations', { now: at, leaseUntil, limit })).map(
        ({ invocation: { id, attempts, state }, payload }) =>
          `${id} ${attempts} ${state} ${Buffer.from(payload)}`,
      );
    assert.deepEqual(await claim(now, now + 50, 1), ['inv_1 1 running of inv_1']);
    assert.deepEqual(await claim(now, now + 50), ['inv_2 1 running of inv_2']);
    assert.deepEqual(await claim(now, now + 50), []);
    assert.equal(await db.invocations.nextRunAt(), now + 50);
    const result = { status: 200, headers: { a: 'b' }, body: 'b2s=', truncated: false };
    const finish = (attempt: number) =>
      db.writer.run('FinishInvocation', {
        ...{ id: 'inv_1', attempt, state: 'succeeded', result, now: now + 9 },
      });
    // Its lease ended, and another attempt began: the first one's answer comes too late.
    assert.deepEqual(await claim(now + 50, now + 99, 1), ['inv_1 2 running of inv_1']);
    assert.deepEqual(await finish(1), { changed: false });
    assert.deepEqual(await finish(2), { changed: true });
    assert.deepEqual(await db.invocations.find('prj_1', 'inv_1'), {
      ...invocation('inv_1', now + 9),
      ...{ state: 'succeeded', attempts: 2, result, finishedAt: now + 9 },
    });
    assert.equal(await db.invocations.find('prj_2', 'inv_1'), undefined);
    await db.writer.run('FinishInvocation', {
      ...{ id: 'inv_2', attempt: 1, state: 'queued', runAt: now + 500, error: 'why', now },
    });
    const again = (await db.invocations.find('prj_1', 'inv_2'))!;
    assert.deepEqual([again.state, again.runAt, again.error], ['queued', now + 500, 'why']);
    await claim(now + 500, now + 900);
    const [taken] = await db.writer.run('ClaimInvocations', {
      ...{ now: now + 600, leaseUntil: now + 1500, limit: 9, abandoned: now + 900 },
    });
    assert.equal(taken?.invocation.attempts, 3, 'its lease is not over, but who had it is no more');
    const scope = { projectId: 'prj_1', service: 'web' };
    const page = async (before: string | undefined) =>
      (await db.invocations.page(scope, before, 2)).map(({ id }) => id);
    assert.deepEqual(await page(undefined), ['inv_3', 'inv_2']);
    assert.deepEqual(await page('inv_2'), ['inv_1']);
    const prune = (before: number) => db.writer.run('PruneInvocations', { before, limit: 10 });
    assert.deepEqual(await prune(now + 9), { pruned: 0 });
    assert.deepEqual(await prune(now + 10), { pruned: 1 });
  });
}
