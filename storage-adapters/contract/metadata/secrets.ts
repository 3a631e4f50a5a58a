import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import type { Environment } from '../../../src/ports/secrets.ts';
import { now, populate, refused } from './fixture.ts';

/** What a project keeps, and how it goes with it. */
export function secretsContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
): void {
  const putSecret = (db: Metadata, name: string, sealed: string, projectId = 'prj_1') =>
    db.writer.run('PutSecret', {
      ...{ id: `sec_${projectId}_${name}`, projectId, name, sealed, actor: 'ada', now },
    });
  const putVariable = (
    db: Metadata,
    environment: Environment,
    name: string,
    sealed: string,
    projectId = 'prj_1',
  ) => db.writer.run('PutVariable', { projectId, environment, name, sealed, actor: 'ada', now });

  test('secrets: a version more with each value, in pages by name', async (t) => {
    const db = await open(t);
    await populate(db);
    assert.deepEqual(await putSecret(db, 'B', 's1'), { created: true, version: 1 });
    assert.deepEqual(await putSecret(db, 'B', 's2'), { created: false, version: 2 });
    await putSecret(db, 'A', 's3');
    const secret = { name: 'B', version: 2, createdAt: now, updatedAt: now, updatedBy: 'ada' };
    assert.deepEqual(await db.secrets.find('prj_1', 'B'), { ...secret, sealed: 's2' });
    assert.deepEqual(await db.secrets.page('prj_1', 'A', 5), [secret]);
    const named = await db.secrets.findMany('prj_1', ['B', 'A', 'none']);
    assert.deepEqual(named.map(({ name, sealed }) => `${name}=${sealed}`).sort(), ['A=s3', 'B=s2']);
    assert.deepEqual(await db.secrets.findMany('prj_2', ['B']), []);
    assert.equal((await db.secrets.page('prj_1', undefined, 1))[0]?.name, 'A');
    await db.writer.run('DeleteSecret', { projectId: 'prj_1', name: 'B' });
    await refused(db.writer.run('DeleteSecret', { projectId: 'prj_1', name: 'B' }), 'not-found');
    await refused(putSecret(db, 'A', 's', 'prj_none'), 'not-found');
  });

  test('variables: by environment, in pages by name', async (t) => {
    const db = await open(t);
    await populate(db);
    assert.deepEqual(await putVariable(db, 'preview', 'A', 'v1'), { created: true });
    assert.deepEqual(await putVariable(db, 'preview', 'A', 'v2'), { created: false });
    await putVariable(db, 'production', 'A', 'v3');
    const place = { projectId: 'prj_1', environment: 'preview' } as const;
    const made = { createdAt: now, updatedAt: now, updatedBy: 'ada' };
    const variable = { name: 'A', sealed: 'v2', version: 2, ...made };
    assert.deepEqual(await db.variables.page(place, undefined, 5), [variable]);
    assert.deepEqual(await db.variables.page(place, 'A', 5), []);
    assert.equal((await db.variables.find('prj_1', 'production', 'A'))?.sealed, 'v3');
    await db.writer.run('DeleteVariable', { ...place, name: 'A' });
    await refused(db.writer.run('DeleteVariable', { ...place, name: 'A' }), 'not-found');
    assert.equal((await db.variables.find('prj_1', 'production', 'A'))?.sealed, 'v3');
    await refused(putVariable(db, 'preview', 'A', 'v', 'prj_none'), 'not-found');
  });

  test('a project takes a thousand of each, and no more', async (t) => {
    const db = await open(t);
    await populate(db);
    const many = Array.from({ length: 1000 }, (_, index) => `N${index}`);
    await Promise.all(many.map((name) => putSecret(db, name, 's')));
    await Promise.all(many.map((name) => putVariable(db, 'preview', name, 's')));
    await refused(putSecret(db, 'ONE', 's'), 'quota');
    await refused(putVariable(db, 'preview', 'ONE', 's'), 'quota');
    await putSecret(db, 'N7', 'again');
    await putVariable(db, 'production', 'ONE', 's');
  });

  test('a project goes with all that it keeps, once it holds no repositories', async (t) => {
    const db = await open(t);
    const { teamId } = await populate(db);
    await refused(db.writer.run('DeleteProject', { projectId: 'prj_1' }), 'conflict');
    assert.ok(await db.projects.findBySlugs('acme', 'shop'));
    const project = { id: 'prj_2', teamId, slug: 'empty', settings: {}, createdAt: now };
    await db.writer.run('CreateProject', project);
    await putSecret(db, 'A', 's', 'prj_2');
    await putVariable(db, 'preview', 'A', 's', 'prj_2');
    const epoch = await db.tokens.epoch();
    await db.writer.run('DeleteProject', { projectId: 'prj_2' });
    assert.equal(await db.tokens.epoch(), epoch + 1);
    assert.equal(await db.projects.findBySlugs('acme', 'empty'), undefined);
    assert.deepEqual(await db.secrets.page('prj_2', undefined, 5), []);
    await refused(db.writer.run('DeleteProject', { projectId: 'prj_2' }), 'not-found');
    await db.writer.run('CreateProject', { ...project, id: 'prj_3' });
  });
}
