/** A repository that is deleted while clients push to it and pull from it: whole or gone, never half. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { image } from '../spec/bundles.ts';
import { expectStatus } from '../spec/check.ts';
import { useServer } from '../spec/fixture.ts';
import {
  beginUpload,
  closeUpload,
  octets,
  pushBlob,
  pushBundle,
  putManifest,
} from '../spec/push.ts';

const fixture = useServer();

const apiPath = (name: string) => {
  const [team, project, repository] = name.split('/');
  return `/api/v1/teams/${team}/projects/${project}/repositories/${repository}`;
};
const asBearer = () => fixture.registry.as(`Bearer ${fixture.server.bootstrap.token}`);

async function remove(name: string): Promise<void> {
  expectStatus(await asBearer().ask('DELETE', apiPath(name)), 204);
}

describe('A deleted repository', () => {
  test('an upload that is under way ends with it', async () => {
    const { registry } = fixture;
    const name = fixture.repository();
    const bundle = image();
    await pushBundle(registry, name, bundle, 'v1');
    const bytes = Buffer.alloc(100_000, 1);
    const location = await beginUpload(registry, name);
    const sent = await registry.ask('PATCH', location, { headers: octets, body: bytes });
    await remove(name);
    const later = expectStatus(sent, 202).location();
    expectStatus(await registry.get(later), 404);
    expectStatus(await closeUpload(registry, later, bundle.top.digest), 404);
    const last = bundle.blobs.at(-1)!;
    for (const path of ['manifests/v1', `manifests/${bundle.top.digest}`, `blobs/${last.digest}`]) {
      expectStatus(await registry.get(`/v2/${name}/${path}`), 404);
    }
  });

  test('pushes that race with deletions: each ends well or is refused, and what is left is whole', async () => {
    const { registry } = fixture;
    const name = fixture.repository();
    const outcomes = new Set<number>();
    const push = async (tag: string) => {
      const { blobs, top } = image();
      for (const blob of blobs) {
        const { status } = await pushBlob(registry, name, blob);
        outcomes.add(status);
        if (status !== 201) return;
      }
      outcomes.add((await putManifest(registry, name, tag, top)).status);
    };
    const deleting = async () => {
      for (let round = 0; round < 15; round++) {
        const { status } = await asBearer().ask('DELETE', apiPath(name));
        assert.ok(status === 204 || status === 404, `DELETE: ${status}`);
        await registry.get(`/v2/${name}/manifests/t0`);
      }
    };
    const pushing = async (lane: number) => {
      for (let round = 0; round < 15; round++) await push(`t${lane}`);
    };
    await Promise.all([pushing(0), pushing(1), pushing(2), deleting()]);
    for (const status of outcomes) assert.ok([201, 404, 409].includes(status), `${status}`);
    assert.ok(outcomes.has(201));

    const listed = await registry.get(`/v2/${name}/tags/list`);
    const tags = listed.status === 200 ? (listed.json() as { tags: string[] }).tags : [];
    for (const tag of tags) {
      const manifest = expectStatus(await registry.get(`/v2/${name}/manifests/${tag}`), 200);
      const { config, layers } = manifest.json() as {
        config: { digest: string };
        layers: { digest: string }[];
      };
      for (const { digest } of [config, ...layers]) {
        expectStatus(await registry.get(`/v2/${name}/blobs/${digest}`), 200);
      }
    }
    if (listed.status === 200) await remove(name);
    const { items } = (await asBearer().get(apiPath(name).replace(/\/[^/]+$/, ''))).json() as {
      items: { fullName: string }[];
    };
    assert.ok(!items.some(({ fullName }) => fullName === name));
    // The name is free: a push makes it anew, with nothing of what was there.
    await pushBundle(registry, name, image(), 'again');
    const again = await registry.get(`/v2/${name}/tags/list`);
    assert.deepEqual((again.json() as { tags: string[] }).tags, ['again']);
  });
});
