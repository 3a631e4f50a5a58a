import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { imageLayout, sampleImage, tarOf } from '../../src/registry/archives/archive-test-kit.ts';
import { type Bundle, image } from '../spec/bundles.ts';
import { expectError, expectStatus } from '../spec/check.ts';
import type { Answer } from '../spec/client.ts';
import { useServer } from '../spec/fixture.ts';
import { pushBlob, pushBundle, putManifest } from '../spec/push.ts';
import { end, image as file, multipart, part } from './form-kit.ts';

const fixture = useServer();

/** A repository with `v1`, under rules, as an admin of its team sees it. */
async function settle(rules: object, at: 'repository' | 'project' = 'repository') {
  const { registry, server } = fixture;
  const name = fixture.repository('ruled');
  const first = image();
  await pushBundle(registry, name, first, 'v1');
  const project = `/api/v1/teams/${server.bootstrap.teamSlug}/projects/${server.bootstrap.projectSlug}`;
  const base = `${project}/repositories/${name.split('/')[2]}`;
  const json = (method: string, path: string, body?: object) =>
    registry.ask(method, path, {
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  expectStatus(await json('PUT', `${at === 'project' ? project : base}/rules`, rules), 200);
  const leads = async () => {
    const answer = await registry.head(`/v2/${name}/manifests/v1`);
    return answer.rawHeaders.find(([key]) => key.toLowerCase() === 'docker-content-digest')?.[1];
  };
  return {
    ...{ registry, name, first, base, leads },
    api: (method: string, path: string, body?: object) => json(method, `${base}${path}`, body),
    rules: (changed: object) => json('PUT', `${at === 'project' ? project : base}/rules`, changed),
  };
}

async function pushBlobs(name: string, { blobs }: Bundle): Promise<void> {
  for (const blob of blobs) expectStatus(await pushBlob(fixture.registry, name, blob), 201);
}

function expectApi(answer: Answer, status: number, code: string): void {
  assert.equal((expectStatus(answer, status).json() as { code: string }).code, code);
}

for (const at of ['repository', 'project'] as const) {
  describe(`A48: a tag that rules of the ${at} make immutable`, () => {
    test('A48: is not changed by tag, by digest, by the API, or by a form: 409', async () => {
      const { registry, name, first, base, leads, api, rules } = await settle(
        { immutableTags: ['v*'] },
        at,
      );
      const next = image();
      await pushBlobs(name, next);
      const { top } = next;
      expectError(await putManifest(registry, name, 'v1', top), 409, 'DENIED');
      for (const tag of [['v1'], ['new', 'v1']])
        expectError(await putManifest(registry, name, top.digest, top, { tag }), 409, 'DENIED');
      const absent = await registry.head(`/v2/${name}/manifests/${top.digest}`);
      assert.equal(absent.status, 404, 'nor is the manifest there');
      expectStatus(await putManifest(registry, name, top.digest, top), 201);
      expectApi(await api('PUT', '/tags/v1', { digest: top.digest }), 409, 'TAG_IMMUTABLE');
      const archive = await tarOf(imageLayout(await sampleImage('form')));
      const form = await registry.ask('POST', `${base}/uploads`, {
        headers: { 'content-type': multipart },
        body: Buffer.concat([part('; name="tag"', 'v1'), file(archive), end]),
      });
      expectApi(form, 409, 'TAG_IMMUTABLE');
      assert.equal(await leads(), first.top.digest);
      expectStatus(await putManifest(registry, name, 'v1', first.top), 201);
      expectStatus(await putManifest(registry, name, 'v2', top), 201);
      expectStatus(await rules({}), 200);
    });

    test('A48: does not go, to come back as another: 409', async () => {
      const { registry, name, first, leads, api, rules } = await settle(
        { immutableTags: ['v*'] },
        at,
      );
      const wire = (reference: string) =>
        registry.ask('DELETE', `/v2/${name}/manifests/${reference}`);
      expectError(await wire('v1'), 409, 'DENIED');
      expectError(await wire(first.top.digest), 409, 'DENIED');
      expectApi(await api('DELETE', '/tags/v1'), 409, 'TAG_IMMUTABLE');
      expectApi(await api('DELETE', `/manifests/${first.top.digest}`), 409, 'TAG_IMMUTABLE');
      expectApi(await api('DELETE', ''), 409, 'TAG_IMMUTABLE');
      assert.equal(await leads(), first.top.digest);
      expectStatus(await rules({}), 200);
    });
  });
}

test('A48: is told before a byte is sent', async () => {
  const { registry, name } = await settle({ immutableTags: ['v1'] });
  const answer = await registry.ask('POST', '/api/v1/check', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ repository: name, tags: ['v1', 'v2'] },
      manifest: image().top.bytes.toString(),
    }),
  });
  const { problems } = expectStatus(answer, 200).json() as { problems: { rule: string }[] };
  assert.deepEqual(
    problems.map(({ rule }) => rule),
    ['tag-immutable'],
  );
});

describe('A47: tags while their deletion is off', () => {
  test('A47: are not deleted, nor what has them: 405', async () => {
    const { registry, name, first, leads, api, rules } = await settle({ tagDeletion: false });
    const wire = (reference: string) =>
      registry.ask('DELETE', `/v2/${name}/manifests/${reference}`);
    expectError(await wire('v1'), 405, 'UNSUPPORTED');
    expectError(await wire(first.top.digest), 405, 'UNSUPPORTED');
    expectApi(await api('DELETE', '/tags/v1'), 409, 'DELETION_OFF');
    expectApi(await api('DELETE', `/manifests/${first.top.digest}`), 409, 'DELETION_OFF');
    expectApi(await api('DELETE', ''), 409, 'DELETION_OFF');
    assert.equal(await leads(), first.top.digest);

    const next = image();
    await pushBundle(registry, name, next);
    expectStatus(await wire(next.top.digest), 202);
    await pushBundle(registry, name, image(), 'v1');
    expectStatus(await rules({ tagDeletion: true }), 200);
    expectStatus(await wire('v1'), 202);
  });
});
