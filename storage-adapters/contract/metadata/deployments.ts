import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeploymentOrigin } from '../../../src/ports/functions.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { activate, deployingPush, production, snapshot, states } from './deployments-fixture.ts';
import { digest, ensure, now, populate, refused } from './fixture.ts';

/** How deployments take their places, and who gives way. */
export function deploymentsContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
): void {
  const pointer = async (db: Metadata) => {
    const found = await db.deployments.pointer('prj_1', 'production', 'production');
    return found && [found.deploymentId, found.version];
  };
  const create = (db: Metadata, id: string, origin: DeploymentOrigin, text: string) =>
    db.writer.run('CreateDeployment', {
      ...{ id, projectId: 'prj_1', ...production, snapshot: snapshot(['web', text]), origin },
      ...{ hosts: [id], pointerHosts: ['p'], serviceHosts: [], service: undefined },
      ...{ actor: 'ada', now },
    });
  const move = (db: Metadata, deploymentId: string | null, version?: number) =>
    db.writer.run('MovePointer', {
      ...{ projectId: 'prj_1', ...production, deploymentId, version, actor: 'ada', now },
    });

  test('two pushes at once lose nothing: the second builds on what the first left', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const api = await ensure(db, 'api');
    await deployingPush(db, repository.id, 'w1', ['latest']);
    await deployingPush(db, api.id, 'a1', ['latest'], { id: 'svc_api', name: 'api' });
    assert.equal(await activate(db, 'dpl_a1_latest', snapshot(['api', 'a1']), 0), 'ready');
    assert.equal(await activate(db, 'dpl_w1_latest', snapshot(['web', 'w1']), 0), 'stale');
    assert.deepEqual(await pointer(db), ['dpl_a1_latest', 1]);
    const both = snapshot(['api', 'a1'], ['web', 'w1']);
    assert.equal(await activate(db, 'dpl_w1_latest', both, 1), 'ready');
    assert.deepEqual(await pointer(db), ['dpl_w1_latest', 2]);
    assert.deepEqual((await db.deployments.findById('dpl_w1_latest'))?.snapshot, both);
    assert.equal(await activate(db, 'dpl_w1_latest', both, 2), 'gone');
    const types = (await db.outbox.listByRepository('team_1', 0, 10)).map((row) => [
      ...[row.type, row.data.deployment, row.data.replaces],
    ]);
    assert.deepEqual(types, [
      ['deployment.ready', 'dpl_a1_latest', null],
      ['deployment.ready', 'dpl_w1_latest', 'dpl_a1_latest'],
    ]);
  });

  test('an older push never overtakes a newer one of its service', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    await deployingPush(db, repository.id, 'w1', ['latest']);
    await deployingPush(db, repository.id, 'w2', ['latest']);
    assert.equal(await activate(db, 'dpl_w2_latest', snapshot(['web', 'w2']), 0), 'ready');
    assert.equal(await activate(db, 'dpl_w1_latest', snapshot(['web', 'w1']), 1), 'superseded');
    assert.deepEqual(await states(db), [
      [2, 'dpl_w2_latest', 'ready'],
      [1, 'dpl_w1_latest', 'superseded'],
    ]);
    // Of another name: not in its way.
    await deployingPush(db, repository.id, 'w3', ['pr-1']);
    await deployingPush(db, repository.id, 'w4', ['latest']);
    assert.equal(await activate(db, 'dpl_w4_latest', snapshot(['web', 'w4']), 1), 'ready');
    assert.equal(await activate(db, 'dpl_w3_pr-1', snapshot(['web', 'w3']), 0), 'ready');
  });

  test('what was made before a rollback does not undo it', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    await deployingPush(db, repository.id, 'w1', ['latest']);
    assert.equal(await activate(db, 'dpl_w1_latest', snapshot(['web', 'w1']), 0), 'ready');
    await deployingPush(db, repository.id, 'w2', ['latest']);
    assert.equal(await activate(db, 'dpl_w2_latest', snapshot(['web', 'w2']), 1), 'ready');
    await deployingPush(db, repository.id, 'w3', ['latest']);
    await refused(move(db, 'dpl_w1_latest', 1), 'precondition-failed');
    await refused(move(db, 'dpl_w3_latest'), 'conflict');
    await refused(move(db, 'dpl_none'), 'not-found');
    assert.deepEqual(await move(db, 'dpl_w1_latest', 2), { version: 3, from: 'dpl_w2_latest' });
    assert.equal(await activate(db, 'dpl_w3_latest', snapshot(['web', 'w3']), 3), 'superseded');
    assert.deepEqual(await pointer(db), ['dpl_w1_latest', 3]);
    await deployingPush(db, repository.id, 'w4', ['latest']);
    assert.equal(await activate(db, 'dpl_w4_latest', snapshot(['web', 'w4']), 3), 'ready');
    const rows = await db.outbox.listByRepository('team_1', 0, 10);
    assert.ok(rows.some((row) => row.type === 'environment.moved' && row.data.from));
  });

  test('a promotion counts as moved by hand, and gives way to what came later', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    await deployingPush(db, repository.id, 'w1', ['latest']);
    const promote = { type: 'promote', deploymentId: 'dpl_w1_latest' } as const;
    await create(db, 'dpl_promoted', promote, 'w0');
    assert.equal(await activate(db, 'dpl_promoted', snapshot(['web', 'w0']), 0), 'ready');
    assert.equal(await activate(db, 'dpl_w1_latest', snapshot(['web', 'w1']), 1), 'superseded');
    await create(db, 'dpl_late', promote, 'w0');
    await deployingPush(db, repository.id, 'w2', ['latest']);
    assert.equal(await activate(db, 'dpl_w2_latest', snapshot(['web', 'w2']), 1), 'ready');
    assert.equal(await activate(db, 'dpl_late', snapshot(['web', 'w0']), 2), 'superseded');
    // New settings go with whatever runs by then.
    await create(db, 'dpl_settings', { type: 'settings' }, 'w2');
    await deployingPush(db, repository.id, 'w3', ['latest']);
    assert.equal(await activate(db, 'dpl_w3_latest', snapshot(['web', 'w3']), 2), 'ready');
    assert.equal(await activate(db, 'dpl_settings', snapshot(['web', 'w3']), 3), 'ready');
  });

  test('states change from where they are said to be, and failures say why', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    await deployingPush(db, repository.id, 'w1', ['latest']);
    const id = 'dpl_w1_latest';
    const set = (from: 'queued' | 'ready' | 'failed', state: 'preparing' | 'failed' | 'deleted') =>
      db.writer.run('SetDeploymentState', {
        ...{ id, from: [from], state, now },
        ...(state === 'failed' && { reason: { code: 'c', message: 'm', hint: 'h' } }),
      });
    assert.deepEqual(await set('ready', 'failed'), { changed: false });
    assert.deepEqual(await set('queued', 'failed'), { changed: true });
    const failed = await db.deployments.findById(id);
    assert.deepEqual(
      [failed?.state, failed?.reason],
      ['failed', { code: 'c', message: 'm', hint: 'h' }],
    );
    const [event] = await db.outbox.listByRepository('team_1', 0, 10);
    assert.deepEqual([event?.type, event?.data.code], ['deployment.failed', 'c']);
    assert.equal(await activate(db, id, snapshot(['web', 'w1']), 0), 'gone');
    assert.deepEqual(await set('failed', 'deleted'), { changed: true });
    assert.equal(await db.deployments.findHost('web-dpl_w1_latest'), undefined);
  });

  test('what an environment runs cannot be deleted, nor its image', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    await deployingPush(db, repository.id, 'w1', ['latest']);
    assert.equal(await activate(db, 'dpl_w1_latest', snapshot(['web', 'w1']), 0), 'ready');
    await deployingPush(db, repository.id, 'w2', ['pr-1']);
    assert.equal(await activate(db, 'dpl_w2_pr-1', snapshot(['web', 'w2']), 0), 'ready');
    await deployingPush(db, repository.id, 'w3', ['latest']);
    const remove = (id: string) =>
      db.writer.run('SetDeploymentState', { id, from: ['ready'], state: 'deleted', now });
    const common = { repositoryId: repository.id, actor: 'ci', now };
    const removeImage = (text: string) =>
      db.writer.run('DeleteManifest', { ...common, digest: digest(text) });
    await refused(remove('dpl_w1_latest'), 'conflict');
    const error = await refused(removeImage('w1'), 'conflict');
    assert.equal(error.info.detail?.deployment, 'dpl_w1_latest');
    assert.ok(await db.manifests.find(repository.id, digest('w1')));
    await refused(db.writer.run('DeleteRepository', common), 'conflict');
    const pinned = await db.retention.pinned(repository.id);
    assert.deepEqual(new Set(pinned), new Set(['w1', 'w2', 'w3'].map(digest)));
    const looked = { ...common, digest: digest('w3'), onlyWithTags: ['latest'] };
    const spared = await refused(db.writer.run('DeleteManifest', looked), 'conflict');
    assert.match(spared.message, /about to run/);
    // What is on its way fails.
    await removeImage('w3');
    const third = await db.deployments.findById('dpl_w3_latest');
    assert.deepEqual([third?.state, third?.reason?.code], ['failed', 'IMAGE_DELETED']);
    // What only its own name leads to ends.
    const preview = { projectId: 'prj_1', environment: 'preview', name: 'pr-1' } as const;
    await db.writer.run('MovePointer', { ...preview, deploymentId: null, actor: 'ada', now });
    assert.equal(await db.deployments.findHost('shop-pr-1'), undefined);
    assert.ok(await db.deployments.findHost('web-dpl_w2_pr-1'));
    await removeImage('w2');
    assert.equal((await db.deployments.findById('dpl_w2_pr-1'))?.state, 'deleted');
    assert.equal(await db.deployments.findHost('web-dpl_w2_pr-1'), undefined);
    await move(db, null);
    await db.writer.run('DeleteRepository', common);
    assert.equal((await db.services.find('prj_1', 'web'))?.repositoryId, undefined);
    await db.writer.run('DeleteProject', { projectId: 'prj_1' });
    assert.equal(await db.deployments.findById('dpl_w1_latest'), undefined);
    assert.equal(await db.deployments.findHost('shop-production'), undefined);
    assert.deepEqual(await db.deployments.pointers(), []);
  });

  test('who runs an image of another team does not keep that team from deleting it', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    await deployingPush(db, repository.id, 'w1', ['v1']);
    await db.writer.run('CreateTeam', {
      ...{ id: 'team_2', slug: 'other', name: 'Other', plan: 'pro', createdAt: now },
    });
    const project = { id: 'prj_2', teamId: 'team_2', slug: 'app', settings: {}, createdAt: now };
    await db.writer.run('CreateProject', project);
    await db.writer.run('CreateDeployment', {
      ...{ id: 'dpl_theirs', projectId: 'prj_2', ...production, origin: { type: 'api' } },
      ...{ snapshot: snapshot(['web', 'w1']), hosts: ['theirs'], pointerHosts: ['p'] },
      ...{ serviceHosts: [], service: undefined, actor: 'eve', now },
    });
    assert.equal(await activate(db, 'dpl_theirs', snapshot(['web', 'w1']), 0), 'ready');
    const args = { repositoryId: repository.id, digest: digest('w1'), actor: 'ci', now };
    await db.writer.run('DeleteManifest', args);
    assert.equal((await db.deployments.findById('dpl_theirs'))?.state, 'ready');
  });

  test('pages: newest first, by environment and state', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    for (const text of ['a', 'b', 'c']) await deployingPush(db, repository.id, text, ['latest']);
    await deployingPush(db, repository.id, 'd', ['pr-1']);
    const numbers = async (...args: Parameters<Metadata['deployments']['page']>) =>
      (await db.deployments.page(...args)).map(({ number }) => number);
    const scope = { projectId: 'prj_1' };
    assert.deepEqual(await numbers(scope, undefined, 3), [4, 3, 2]);
    assert.deepEqual(await numbers(scope, 2, 3), [1]);
    assert.deepEqual(await numbers({ ...scope, environment: 'preview' }, undefined, 3), [4]);
    assert.deepEqual(await numbers({ ...scope, state: 'ready' }, undefined, 3), []);
    assert.deepEqual(await numbers({ projectId: 'prj_2' }, undefined, 3), []);
  });
}
