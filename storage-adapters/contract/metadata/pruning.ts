import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { activate, deployingPush, production, snapshot } from './deployments-fixture.ts';
import { digest, now, populate } from './fixture.ts';

/** Which deployments are kept no longer, and what goes with them. */
export function pruningContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
): void {
  const due = async (db: Metadata, keep: number, before = now + 1, projectId?: string) =>
    (await db.deployments.prunable({ before, keep, projectId }, 100)).map(({ id }) => id).sort();
  const prune = async (db: Metadata, ids: readonly string[]) =>
    (await db.writer.run('PruneDeployments', { ids })).removed;

  test('the newest of each service stay, and what an environment runs', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    for (const [at, text] of ['w1', 'w2', 'w3', 'w4'].entries()) {
      await deployingPush(db, repository.id, text, ['latest']);
      const outcome = await activate(db, `dpl_${text}_latest`, snapshot(['web', text]), at);
      assert.equal(outcome, 'ready');
    }
    await deployingPush(db, repository.id, 'w5', ['latest']);
    const reason = { code: 'BAD', message: 'm', hint: 'h' };
    await db.writer.run('SetDeploymentState', {
      ...{ id: 'dpl_w5_latest', from: ['queued'], state: 'failed', reason, now },
    });
    await deployingPush(db, repository.id, 'w6', ['latest']);
    assert.deepEqual(await due(db, 4), []);
    // The failed one is counted apart: it takes no place of what can be rolled back to.
    assert.deepEqual(await due(db, 2), ['dpl_w1_latest', 'dpl_w2_latest']);
    assert.deepEqual(await due(db, 2, now), [], 'younger than the time that all are kept');
    assert.deepEqual(await due(db, 2, now + 1, 'prj_2'), []);
    await db.writer.run('MovePointer', {
      ...{ projectId: 'prj_1', ...production, deploymentId: 'dpl_w1_latest', actor: 'ada', now },
    });
    assert.deepEqual(await due(db, 2), ['dpl_w2_latest']);
    const asked = ['dpl_w1_latest', 'dpl_w2_latest', 'dpl_w6_latest', 'dpl_none'];
    assert.deepEqual(await prune(db, asked), ['dpl_w2_latest'], 'not what runs or is on its way');
    assert.equal(await db.deployments.findById('dpl_w2_latest'), undefined);
    assert.equal(await db.deployments.findHost('web-dpl_w2_latest'), undefined);
    assert.ok(await db.deployments.findHost('web-dpl_w1_latest'));
    // Its image is nobody's any more.
    const common = { repositoryId: repository.id, actor: 'ci', now };
    assert.ok(!(await db.retention.pinned(repository.id)).includes(digest('w2')));
    await db.writer.run('DeleteManifest', { ...common, digest: digest('w2') });
  });

  test('of a preview that was ended nothing is kept by its number', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    await deployingPush(db, repository.id, 'p1', ['pr-1']);
    assert.equal(await activate(db, 'dpl_p1_pr-1', snapshot(['web', 'p1']), 0), 'ready');
    assert.deepEqual(await due(db, 1), []);
    const preview = { projectId: 'prj_1', environment: 'preview', name: 'pr-1' } as const;
    await db.writer.run('MovePointer', { ...preview, deploymentId: null, actor: 'ada', now });
    assert.deepEqual(await due(db, 1), ['dpl_p1_pr-1']);
    assert.deepEqual(await due(db, 1, now), []);
    assert.deepEqual(await prune(db, ['dpl_p1_pr-1']), ['dpl_p1_pr-1']);
    assert.deepEqual(await due(db, 1), []);
  });
}
