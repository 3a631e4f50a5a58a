import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { activate, deployingPush, production, snapshot, states } from './deployments-fixture.ts';
import { digest, ensure, manifest, now, populate, refused } from './fixture.ts';

/** Deployments that pushes make, in their own transaction. */
export function reservationsContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
): void {
  test('a push makes a service, a deployment for each tag, and their hosts', async (t) => {
    const db = await open(t);
    const { repository, projectId } = await populate(db);
    assert.deepEqual(await deployingPush(db, repository.id, 'one', ['latest', 'pr-1']), [
      { deploymentId: 'dpl_one_latest', host: 'web-dpl_one_latest' },
      { deploymentId: 'dpl_one_pr-1', host: 'web-dpl_one_pr-1' },
    ]);
    const service = await db.services.findByRepository(repository.id);
    assert.deepEqual(service, {
      ...{ id: 'svc_web', projectId, name: 'web', repositoryId: repository.id, settings: {} },
      ...{ version: 1, paused: false, createdAt: now, updatedAt: now, updatedBy: 'ci' },
    });
    assert.deepEqual(await db.deployments.findById('dpl_one_latest'), {
      ...{ id: 'dpl_one_latest', number: 1, projectId, teamId: 'team_1', ...production },
      ...{ state: 'queued', reason: undefined, snapshot: undefined, readyAt: undefined },
      origin: {
        ...{ type: 'push', serviceId: 'svc_web', repositoryId: repository.id },
        ...{ tag: 'latest', digest: digest('one') },
      },
      ...{ host: 'web-dpl_one_latest', createdAt: now, createdBy: 'ci' },
    });
    assert.deepEqual(await db.deployments.findHost('web-dpl_one_latest'), {
      ...{ host: 'web-dpl_one_latest', custom: false, projectId, service: 'web' },
      ...{ deploymentId: 'dpl_one_latest', environment: undefined },
    });
    assert.deepEqual(await db.deployments.findHost('shop-pr-1'), {
      ...{ host: 'shop-pr-1', custom: false, projectId, service: undefined },
      ...{ deploymentId: undefined, environment: { environment: 'preview', name: 'pr-1' } },
    });
    assert.equal((await db.deployments.findHost('web-shop-pr-1'))?.service, 'web');
    assert.equal((await db.deployments.hosts(projectId)).length, 6);
    assert.equal((await db.deployments.hosts(projectId, 'dpl_one_latest')).length, 1);
    const place = { projectId, environment: 'preview', name: 'pr-1' } as const;
    const latest = (serviceId: string) => db.deployments.latestOf({ ...place, serviceId });
    assert.equal((await latest('svc_web'))?.id, 'dpl_one_pr-1');
    assert.equal(await latest('svc_other'), undefined);
    const queued = await db.deployments.inStates(['queued'], 10);
    assert.deepEqual(
      queued.map(({ id }) => id),
      ['dpl_one_latest', 'dpl_one_pr-1'],
    );
  });

  test('only a tag that moved, one never deployed, or one that failed is deployed', async (t) => {
    const db = await open(t);
    const { repository, projectId } = await populate(db);
    await db.writer.run('PutManifest', manifest(repository.id, 'one', { tags: ['latest'] }));
    // Functions were off at the first push: it did not move, and was never deployed.
    const [first] = await deployingPush(db, repository.id, 'one', ['latest']);
    assert.equal(first?.deploymentId, 'dpl_one_latest');
    const again = (id: string) =>
      db.writer.run('PutManifest', {
        ...manifest(repository.id, 'one', { tags: ['latest'] }),
        deploy: {
          newService: { id: 'svc_other', name: 'web' },
          deployments: [
            {
              ...{ id, ...production, tag: 'latest', hosts: [`web-${id}`] },
              ...{ pointerHosts: ['unused'], serviceHosts: ['unused-2'] },
            },
          ],
        },
      });
    assert.deepEqual((await again('dpl_2')).deployments, [first]);
    const from = ['queued'] as const;
    await db.writer.run('SetDeploymentState', {
      id: first.deploymentId,
      from,
      state: 'failed',
      now,
    });
    assert.deepEqual((await again('dpl_3')).deployments, [
      { deploymentId: 'dpl_3', host: 'web-dpl_3' },
    ]);
    assert.equal(await activate(db, 'dpl_3', snapshot(['web', 'one']), 0), 'ready');
    assert.deepEqual((await again('dpl_4')).deployments, [
      { deploymentId: 'dpl_3', host: 'web-dpl_3' },
    ]);
    assert.deepEqual(await states(db), [
      [2, 'dpl_3', 'ready'],
      [1, 'dpl_one_latest', 'failed'],
    ]);
    // Its environment was ended: pushing again begins anew.
    const place = { projectId, ...production };
    await db.writer.run('MovePointer', { ...place, deploymentId: null, actor: 'ada', now });
    assert.deepEqual((await again('dpl_5')).deployments, [
      { deploymentId: 'dpl_5', host: 'web-dpl_5' },
    ]);
    // Another image was deployed there by hand.
    await db.writer.run('CreateDeployment', {
      ...{ ...place, id: 'dpl_6', snapshot: snapshot(['web', 'two']), service: undefined },
      origin: {
        type: 'api',
        image: {
          ...{ serviceId: 'svc_web', repositoryId: repository.id },
          ...{ reference: 'two', digest: digest('two') },
        },
      },
      ...{ hosts: ['dpl-6'], pointerHosts: ['p'], serviceHosts: [], actor: 'ada', now },
    });
    assert.equal((await again('dpl_7')).deployments[0]?.deploymentId, 'dpl_7');
    assert.equal(await db.deployments.findHost('unused'), undefined);
    assert.equal((await db.services.list(projectId)).length, 1);
  });

  test('a push that is refused leaves no deployment, host or service', async (t) => {
    const db = await open(t);
    const { repository, projectId } = await populate(db);
    const deploy = {
      newService: { id: 'svc_web', name: 'web' },
      deployments: [
        {
          ...{ id: 'dpl_1', ...production, tag: 'latest', hosts: ['h1'] },
          ...{ pointerHosts: ['h2'], serviceHosts: ['h3'] },
        },
      ],
    };
    const put = manifest(repository.id, 'one', {
      ...{ tags: ['latest'], deploy, blobs: [digest('absent')] },
    });
    await refused(db.writer.run('PutManifest', put), 'manifest-blob-unknown');
    assert.deepEqual(await states(db), []);
    assert.deepEqual(await db.deployments.hosts(projectId), []);
    assert.deepEqual(await db.services.list(projectId), []);
  });

  test('a repository without a service gets the one of its name, or none', async (t) => {
    const db = await open(t);
    const { repository, projectId } = await populate(db);
    assert.deepEqual(
      (
        await db.writer.run('PutManifest', {
          ...manifest(repository.id, 'one', { tags: ['latest'] }),
          deploy: { newService: undefined, deployments: [] },
        })
      ).deployments,
      [],
    );
    const common = { projectId, settings: {}, actor: 'ada', now };
    await db.writer.run('CreateService', {
      ...{ ...common, id: 'svc_1', name: 'web', repositoryId: undefined },
    });
    await deployingPush(db, repository.id, 'two', ['latest']);
    assert.equal((await db.services.findByRepository(repository.id))?.id, 'svc_1');
    // Its name is another's, which is bound elsewhere.
    const api = await ensure(db, 'api');
    await db.writer.run('CreateService', {
      ...{ ...common, id: 'svc_2', name: 'worker', repositoryId: api.id },
    });
    const worker = await ensure(db, 'worker');
    const service = { id: 'svc_3', name: 'worker' };
    assert.deepEqual(await deployingPush(db, worker.id, 'three', ['latest'], service), []);
  });

  test('host names: the next of the list where the first is taken, and never two alike', async (t) => {
    const db = await open(t);
    const { repository, teamId } = await populate(db);
    await deployingPush(db, repository.id, 'one', ['latest']);
    const project = { id: 'prj_2', teamId, slug: 'other', settings: {}, createdAt: now };
    await db.writer.run('CreateProject', project);
    const theirs = await db.writer.run('EnsureRepository', {
      ...{ id: 'repo_2', projectId: 'prj_2', name: 'web', visibility: 'private', actor: 'ci' },
      ...{ limits: { plan: 'self-hosted' }, now },
    });
    await deployingPush(db, theirs.id, 'two', ['latest'], { id: 'svc_2', name: 'web' });
    assert.equal((await db.deployments.findHost('shop-production'))?.projectId, 'prj_1');
    assert.equal((await db.deployments.findHost('shop-production-2'))?.projectId, 'prj_2');
    assert.equal((await db.deployments.findHost('web-shop-production-2'))?.projectId, 'prj_2');
  });
}
