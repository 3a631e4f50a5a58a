import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { createOutboundGuard } from '../../../auth/outbound-guard.ts';
import { digestOf } from '../../../oci/digest.ts';
import type { Snapshot } from '../../../ports/functions.ts';
import { volumeContext } from '../../../ports/volumes.ts';
import { openApplication } from '../../services-test-kit.ts';

const removed: string[] = [];
const limits: (number | undefined)[] = [];
const outbound = createOutboundGuard({ allow: ['127.0.0.0/8'] });
after(() => outbound.close());
const application = await openApplication({ after }, () => ({
  runtime: {
    volumes: {
      removed: async (id) => removed.push(id) > 0,
      limited: (_id, maxBytes) => void limits.push(maxBytes),
      usage: async () => 4096,
    },
    ...{ sandboxes: {} as never, invocations: {} as never },
    checkEndpoint: (url) => outbound.check(url),
  },
}));
const { world, services } = application;
const { writer } = world.metadata;
const { secret } = await application.token('write');
const base = '/api/v1/teams/acme/projects/shop/volumes';

async function call(method: string, path = '', body?: unknown) {
  const response = await application.fetch(`${base}${path}`, {
    method,
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text), text };
}

const keys = { accessKeyId: 'canary-id', secretAccessKey: 'canary-key' };

test('a disk, and a bucket whose keys are sealed and never shown', async () => {
  const disk = await call('POST', '', { name: 'data', kind: 'disk' });
  assert.equal(disk.status, 201, disk.text);
  assert.equal((await call('POST', '', { name: 'data', kind: 'disk' })).status, 409);
  const bucket = { endpoint: 'http://127.0.0.1:7070', bucket: 'assets', prefix: 'shop/', ...keys };
  const made = await call('POST', '', { name: 'assets', kind: 'bucket', bucket });
  assert.equal(made.status, 201, made.text);
  for (const { text } of [made, await call('GET'), await call('GET', '/assets')]) {
    assert.ok(!text.includes('canary'), text);
  }
  const { id, bucket: kept } = (await world.metadata.volumes.find('prj_1', 'assets'))!;
  assert.ok(!kept!.sealedKeys.includes('canary'));
  assert.deepEqual(JSON.parse(services.sealer.unseal(kept!.sealedKeys, volumeContext(id))), keys);
  const { body } = await call('GET');
  assert.deepEqual(
    body.items.map(({ name, kind }: { name: string; kind: string }) => `${name} ${kind}`),
    ['assets bucket', 'data disk'],
  );
});

test('a disk may have a limit, which can be changed, and says what it holds', async () => {
  const made = await call('POST', '', { name: 'small', kind: 'disk', maxBytes: 2 ** 20 });
  assert.deepEqual([made.status, made.body.maxBytes], [201, 2 ** 20]);
  const { body } = await call('GET', '/small');
  assert.deepEqual([body.maxBytes, body.usedBytes], [2 ** 20, 4096]);
  const changed = await call('PATCH', '/small', { maxBytes: 2 ** 30 });
  assert.equal(changed.body.maxBytes, 2 ** 30);
  assert.equal((await call('PATCH', '/small', { maxBytes: null })).body.maxBytes, null);
  assert.deepEqual(limits, [2 ** 30, undefined]);
  assert.equal((await call('PATCH', '/small', { maxBytes: 5 })).status, 400);
  assert.equal((await call('PATCH', '/assets', { maxBytes: 2 ** 30 })).status, 400);
  assert.equal((await call('PATCH', '/none', { maxBytes: 2 ** 30 })).status, 404);
  const bucket = { endpoint: 'http://127.0.0.1:7070', bucket: 'assets', ...keys };
  const wrong = { name: 'wrong', kind: 'bucket', bucket, maxBytes: 2 ** 30 };
  assert.equal((await call('POST', '', wrong)).status, 400);
  await call('DELETE', '/small');
});

test('A25: a bucket at an address inside is refused', async () => {
  for (const host of ['169.254.169.254', '10.0.0.1', '[::ffff:10.0.0.1]', '2852039166']) {
    const bucket = { endpoint: `http://${host}/`, bucket: 'assets', ...keys };
    const { status, text } = await call('POST', '', { name: 'inside', kind: 'bucket', bucket });
    assert.equal(status, 400, text);
  }
});

test('what is asked for is checked', async () => {
  for (const body of [
    { name: 'x' },
    { name: '../x', kind: 'disk' },
    { name: 'x', kind: 'tape' },
    { name: 'x', kind: 'bucket' },
    { name: 'x', kind: 'disk', bucket: { bucket: 'assets', ...keys } },
    { name: 'x', kind: 'bucket', bucket: { bucket: 'assets', prefix: '/etc', ...keys } },
    { name: 'x', kind: 'bucket', bucket: { bucket: 'assets', endpoint: 'file:///x', ...keys } },
    { name: 'x', kind: 'bucket', bucket: { bucket: 'assets' } },
  ]) {
    assert.equal((await call('POST', '', body)).status, 400, JSON.stringify(body));
  }
});

test('where it is mounted; not deleted while a service or a live deployment mounts it', async () => {
  removed.length = 0;
  const { body: made } = await call('POST', '', { name: 'kept', kind: 'disk' });
  const settings = { volumes: [{ name: 'kept', path: '/data', readOnly: true }] };
  const repository = await world.ensure('app');
  const now = world.clock.now();
  await writer.run('CreateService', {
    ...{ id: 'svc_1', projectId: 'prj_1', name: 'web', repositoryId: repository.id, settings },
    ...{ actor: 'ada', now },
  });
  const attachment = { service: 'web', path: '/data', readOnly: true };
  // Mounted elsewhere, and where it was again.
  const moved = await call('PUT', '/kept/services/web', { path: '/other' });
  assert.equal(moved.status, 200, moved.text);
  assert.deepEqual(moved.body.settings.volumes, [{ name: 'kept', path: '/other' }]);
  const detached = await call('DELETE', '/kept/services/web');
  assert.deepEqual(detached.body.settings.volumes, []);
  await call('PUT', '/kept/services/web', { path: '/data', readOnly: true });
  assert.equal((await call('PUT', '/none/services/web', { path: '/data' })).status, 404);
  assert.equal((await call('PUT', '/kept/services/none', { path: '/data' })).status, 404);
  const attached = await call('GET', '/kept');
  assert.deepEqual(attached.body.attachments, [{ ...attachment, deployments: [] }]);
  const refused = await call('DELETE', '/kept');
  assert.equal(refused.status, 409);
  assert.match(refused.body.message, /attached by the service "web"/);

  const digest = digestOf(Buffer.from('image'));
  const snapshot: Snapshot = {
    services: [
      {
        ...{ serviceId: 'svc_1', name: 'web', repositoryId: repository.id, digest, settings },
        repository: 'acme/shop/app',
      },
    ],
    rewrites: [],
  };
  await writer.run('CreateDeployment', {
    ...{ id: 'dpl_1', projectId: 'prj_1', environment: 'production', name: 'production' },
    ...{ snapshot, origin: { type: 'api' }, hosts: ['h1'], pointerHosts: ['h2'], now },
    ...{ service: undefined, serviceHosts: [], actor: 'ada' },
  });
  await writer.run('UpdateService', { id: 'svc_1', settings: {}, actor: 'ada', now });
  const coming = await call('DELETE', '/kept');
  assert.equal(coming.status, 409, 'it is on its way');
  assert.match(coming.body.message, /deployment dpl_1/);
  const activated = await writer.run('ActivateDeployment', {
    ...{ id: 'dpl_1', snapshot, pointerVersion: 0, now },
  });
  assert.equal(activated.outcome, 'ready');
  assert.deepEqual((await call('GET', '/kept')).body.attachments, [
    { ...attachment, deployments: ['dpl_1'] },
  ]);
  assert.equal((await call('DELETE', '/kept')).status, 409, 'it runs');
  await writer.run('MovePointer', {
    ...{ projectId: 'prj_1', environment: 'production', name: 'production', deploymentId: null },
    ...{ actor: 'ada', now },
  });
  assert.equal((await call('DELETE', '/kept')).status, 204);
  assert.deepEqual(removed, [made.id]);
  assert.equal((await call('GET', '/kept')).status, 404);
});
