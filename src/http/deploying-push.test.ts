import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { newId } from '../projects/ids.ts';
import { ConfigBytes } from '../registry/config-bytes.ts';
import { createManifestPush } from '../registry/push-manifest.ts';
import { createDeploymentPlanner } from '../scheduler/reserve.ts';
import { openApplication } from './services-test-kit.ts';

let enabled = true;
const application = await openApplication({ after }, ({ metadata, clock }) => ({
  putManifest: (put) =>
    createManifestPush({
      ...{
        ...metadata,
        configs: new ConfigBytes(application.world.store),
        clock,
        pushed: () => {},
      },
      planner: createDeploymentPlanner({ enabled: () => enabled, newId }),
    })(put),
  deploymentUrl: (host) => `http://${host}.localhost:5050`,
}));
const { world } = application;
const { metadata } = world;

async function image(text: string): Promise<string> {
  const config = '{"os":"linux","architecture":"amd64"}';
  const blob = async (mediaType: string, content: string) => ({
    ...{ mediaType, digest: await world.addBlob(content), size: content.length },
  });
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: await blob('application/vnd.oci.image.config.v1+json', config),
    layers: [await blob('application/vnd.oci.image.layer.v1.tar+gzip', text)],
  });
}
async function push(body: string, tag: string, basic: string) {
  const response = await application.fetch(`/v2/acme/shop/web/manifests/${tag}`, {
    method: 'PUT',
    headers: {
      authorization: basic,
      'content-type': 'application/vnd.oci.image.manifest.v1+json',
    },
    body,
  });
  assert.equal(response.status, 201, await response.text());
  return response.headers.get('gantry-deployment-url');
}

test('the answer to a push says where it will run, and to one that changes nothing, where it runs', async () => {
  const { basic } = await application.token('write');
  const first = await image('one');
  const url = await push(first, 'latest', basic);
  assert.match(url!, /^http:\/\/shop-web-[a-z0-9]{9}\.localhost:5050$/);
  const [deployment] = await metadata.deployments.page({ projectId: 'prj_1' }, undefined, 10);
  assert.equal(url, `http://${deployment?.host}.localhost:5050`);
  assert.deepEqual([deployment?.state, deployment?.environment], ['queued', 'production']);
  assert.equal(await push(first, 'latest', basic), url);
  const preview = await push(first, 'pr-1', basic);
  assert.notEqual(preview, url);
  assert.notEqual(await push(await image('two'), 'latest', basic), url);
  assert.equal((await metadata.services.list('prj_1')).length, 1);
});

test('no deployment and no header: for who may not deploy, and where functions are off', async () => {
  const { basic: creator } = await application.token('create');
  const { basic: writer } = await application.token('write');
  const body = await image('three');
  const before = await metadata.deployments.page({ projectId: 'prj_1' }, undefined, 100);
  assert.equal(await push(body, 'by-creator', creator), null);
  enabled = false;
  assert.equal(await push(body, 'disabled', writer), null);
  enabled = true;
  const settings = world.project.settings;
  const set = (enabled: boolean) =>
    metadata.writer.run('SetProjectSettings', {
      ...{ projectId: 'prj_1', settings: { ...settings, functions: { enabled } } },
    });
  await set(false);
  assert.equal(await push(body, 'disabled', writer), null);
  await set(true);
  const after = await metadata.deployments.page({ projectId: 'prj_1' }, undefined, 100);
  assert.equal(after.length, before.length);
  // Pushed while they were off: pushing again deploys it.
  assert.ok(await push(body, 'disabled', writer));
});
