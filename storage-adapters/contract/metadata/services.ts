import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { ensure, now, populate, refused } from './fixture.ts';

/** Services, their settings and the project's rewrites. */
export function servicesContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
): void {
  const create = (db: Metadata, id: string, name: string, repositoryId?: string) =>
    db.writer.run('CreateService', {
      ...{ id, projectId: 'prj_1', name, repositoryId, settings: { port: 80 }, actor: 'ada', now },
    });

  test('services: one of a name, one of a repository', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    await create(db, 'svc_1', 'web', repository.id);
    await refused(create(db, 'svc_2', 'web'), 'conflict');
    await refused(create(db, 'svc_2', 'api', repository.id), 'conflict');
    await refused(create(db, 'svc_2', 'api', 'repo_none'), 'not-found');
    await create(db, 'svc_2', 'api');
    assert.deepEqual(
      (await db.services.list('prj_1')).map(({ name }) => name),
      ['api', 'web'],
    );
    assert.equal((await db.services.find('prj_1', 'web'))?.id, 'svc_1');
    assert.equal((await db.services.findById('svc_2'))?.name, 'api');
    assert.equal(await db.services.find('prj_1', 'none'), undefined);
    await db.writer.run('DeleteService', { id: 'svc_1' });
    await refused(db.writer.run('DeleteService', { id: 'svc_1' }), 'not-found');
    await create(db, 'svc_3', 'web', repository.id);
  });

  test('a change is made to the version that was seen', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    await create(db, 'svc_1', 'web', repository.id);
    const update = (more: object) =>
      db.writer.run('UpdateService', { id: 'svc_1', actor: 'bob', now: now + 1, ...more });
    const changed = await update({ version: 1, settings: { port: 81 } });
    assert.deepEqual(
      [changed.version, changed.settings, changed.updatedBy],
      [2, { port: 81 }, 'bob'],
    );
    assert.deepEqual(await db.services.find('prj_1', 'web'), changed);
    await refused(update({ version: 1, paused: true }), 'precondition-failed');
    assert.equal((await update({ paused: true })).paused, true);
    assert.equal((await update({ repositoryId: null })).repositoryId, undefined);
    const api = await ensure(db, 'api');
    await create(db, 'svc_2', 'api', api.id);
    await refused(update({ repositoryId: api.id }), 'conflict');
    await refused(
      db.writer.run('UpdateService', { id: 'svc_none', actor: 'bob', now }),
      'not-found',
    );
    assert.equal((await db.services.find('prj_1', 'web'))?.version, 4);
  });

  test('rewrites have a version, and functions can be off for a team', async (t) => {
    const db = await open(t);
    const { teamId } = await populate(db);
    assert.deepEqual(await db.services.rewrites('prj_1'), { rewrites: [], version: 0 });
    const rewrites = [{ source: '/api/(.*)', destination: { service: 'api' } }];
    const common = { actor: 'ada', now };
    const set = (projectId: string) =>
      db.writer.run('SetRewrites', { ...common, projectId, rewrites });
    assert.deepEqual(await set('prj_1'), { version: 1 });
    assert.deepEqual(await db.services.rewrites('prj_1'), { rewrites, version: 1 });
    await refused(set('prj_none'), 'not-found');
    const switched = async (functions: boolean) => {
      await db.writer.run('UpdateTeam', { teamId, functions, now, heldUntil: now });
      const team = await db.teams.findById(teamId);
      const project = await db.projects.findBySlugs('acme', 'shop');
      return [team?.functions, project?.teamFunctions];
    };
    assert.deepEqual(await switched(false), [false, false]);
    assert.deepEqual(await switched(true), [undefined, undefined]);
  });
}
