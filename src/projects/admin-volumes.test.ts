import assert from 'node:assert/strict';
import test from 'node:test';
import { RuntimeError, type RuntimeVolume } from '../ports/runtime-driver.ts';
import { adminKit } from './admin-test-kit.ts';

test('volumes that nobody knows are shown with their projects, adopted, or removed', async (t) => {
  const held = new Map<string, RuntimeVolume>();
  let away = false;
  const kit = await adminKit(t, {
    volumes: ({ volumes }) => ({
      async unknown() {
        if (away) throw new RuntimeError('unavailable', 'it hangs');
        const known = new Set(await volumes.existing([...held.keys()]));
        return [...held.values()].filter(({ name }) => !known.has(name));
      },
      usage: async () => 4096,
      removed: async (id) => id !== 'vol_used' && held.delete(id),
    }),
  });
  const { admin, metadata, audited } = kit;
  const { id: project } = (await admin
    .handle('team.create', { slug: 'acme' })
    .then(() => admin.handle('project.create', { project: 'acme/web' }))) as { id: string };
  const put = (name: string, projectId: string | undefined, kind: 'disk' | 'bucket' = 'disk') =>
    held.set(name, { name, kind, projectId, createdAt: 7 });
  put('vol_a', project);
  put('vol_lost', 'prj_gone');
  put('vol_used', undefined);
  put('vol_bucket', undefined, 'bucket');
  assert.deepEqual(await admin.handle('volume.list', {}), {
    volumes: [
      { id: 'vol_a', kind: 'disk', project: 'acme/web', createdAt: 7, bytes: 4096 },
      { id: 'vol_lost', kind: 'disk', project: 'prj_gone', createdAt: 7, bytes: 4096 },
      { id: 'vol_used', kind: 'disk', createdAt: 7, bytes: 4096 },
      { id: 'vol_bucket', kind: 'bucket', createdAt: 7 },
    ],
  });
  const adopt = { volume: 'vol_a', name: 'data' };
  assert.deepEqual(await admin.handle('volume.adopt', adopt), {
    ...{ id: 'vol_a', project: 'acme/web', name: 'data' },
  });
  assert.deepEqual(await metadata.volumes.find(project, 'data'), {
    ...{ id: 'vol_a', projectId: project, name: 'data', kind: 'disk', bucket: undefined },
    ...{ maxBytes: undefined, createdAt: 7, createdBy: 'operator' },
  });
  for (const [method, params, kind] of [
    ['volume.adopt', adopt, 'not-found'],
    ['volume.remove', { volume: 'vol_a' }, 'not-found'],
    ['volume.adopt', { volume: 'vol_lost', name: 'other' }, 'conflict'],
    ['volume.adopt', { volume: 'vol_bucket', name: 'other' }, 'invalid'],
    ['volume.adopt', { volume: 'vol_used', name: 'Not a slug' }, 'invalid'],
  ] as const) {
    const { kind: found, hint } = await kit.refusal(method, params);
    assert.equal(found, kind, JSON.stringify([method, params]));
    assert.ok(hint);
  }
  assert.deepEqual(await admin.handle('volume.remove', { volume: 'vol_lost' }), { removed: true });
  assert.deepEqual(await admin.handle('volume.remove', { volume: 'vol_used' }), { removed: false });
  assert.deepEqual(await metadata.volumes.removed(['vol_lost', 'vol_used', 'vol_a']), [
    ...['vol_lost', 'vol_used'],
  ]);
  assert.deepEqual(
    audited.filter(({ method }) => method === 'volume.remove').map(({ target }) => target),
    ['vol_a', 'vol_lost', 'vol_used'],
  );
  away = true;
  assert.equal((await kit.refusal('volume.list', {})).kind, 'unavailable');
});

test('without a container engine, volumes cannot be asked for', async (t) => {
  const { refusal } = await adminKit(t);
  for (const method of ['volume.list', 'volume.adopt', 'volume.remove']) {
    const params = { ...(method !== 'volume.list' && { volume: 'vol_1' }) };
    const named = method === 'volume.adopt' ? { ...params, name: 'data' } : params;
    const { kind, hint } = await refusal(method, named);
    assert.equal(kind, 'unavailable');
    assert.match(hint ?? '', /server that runs functions/);
  }
});
