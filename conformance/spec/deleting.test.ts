import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addMultiPlatform, emptyBundle, image } from './bundles.ts';
import { expectError, expectStatus } from './check.ts';
import { content, uniqueBytes, unknownDigest } from './content.ts';
import { useServer } from './fixture.ts';
import { blobStatus, manifestStatus, pushBlob, pushBundle, putManifest } from './push.ts';

const fixture = useServer();

async function tagsOf(repository: string): Promise<string[]> {
  const answer = await fixture.registry.get(`/v2/${repository}/tags/list`);
  return (expectStatus(answer, 200).json() as { tags: string[] }).tags;
}

function remove(repository: string, path: string) {
  return fixture.registry.delete(`/v2/${repository}/${path}`);
}

describe('Deleting tags', () => {
  test('Deleting tags: 202, the tag is 404, its siblings and the manifest stay', async () => {
    const { registry } = fixture;
    const repository = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(registry, repository, bundle, 'one');
    expectStatus(await putManifest(registry, repository, 'two', top), 201);
    expectStatus(await remove(repository, 'manifests/one'), 202);
    expectError(await registry.get(`/v2/${repository}/manifests/one`), 404, 'MANIFEST_UNKNOWN');
    assert.deepEqual(await tagsOf(repository), ['two']);
    assert.equal(await manifestStatus(registry, repository, 'two'), 200);
    assert.equal(await manifestStatus(registry, repository, top.digest), 200);
    expectStatus(await remove(repository, 'manifests/two'), 202);
    assert.equal(await manifestStatus(registry, repository, top.digest), 200);
  });

  test('Deleting tags: one that is not there is 404', async () => {
    const repository = fixture.repository();
    await pushBundle(fixture.registry, repository, image(), 'there');
    for (const tag of ['absent', 'THERE'])
      expectError(await remove(repository, `manifests/${tag}`), 404, 'MANIFEST_UNKNOWN');
    expectStatus(await remove(repository, 'manifests/there'), 202);
    expectError(await remove(repository, 'manifests/there'), 404, 'MANIFEST_UNKNOWN');
  });

  test('Deleting tags: the tag can be made again', async () => {
    const repository = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(fixture.registry, repository, bundle, 'again');
    expectStatus(await remove(repository, 'manifests/again'), 202);
    expectStatus(await putManifest(fixture.registry, repository, 'again', top), 201);
    assert.equal(await manifestStatus(fixture.registry, repository, 'again'), 200);
  });
});

describe('Deleting Manifests', () => {
  test('Deleting Manifests: 202, and every tag that pointed at it is 404', async () => {
    const { registry } = fixture;
    const repository = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(registry, repository, bundle, 'one');
    expectStatus(await putManifest(registry, repository, 'two', top), 201);
    const other = image();
    await pushBundle(registry, repository, other, 'other');
    expectStatus(await remove(repository, `manifests/${top.digest}`), 202);
    for (const reference of ['one', 'two', top.digest])
      expectError(
        await registry.get(`/v2/${repository}/manifests/${reference}`),
        404,
        'MANIFEST_UNKNOWN',
      );
    assert.deepEqual(await tagsOf(repository), ['other']);
  });

  test('Deleting Manifests: one that is not there is 404', async () => {
    const repository = fixture.repository();
    await pushBundle(fixture.registry, repository, image());
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const answer = await remove(repository, `manifests/${unknownDigest(algorithm)}`);
      expectError(answer, 404, 'MANIFEST_UNKNOWN');
    }
  });

  test('Deleting Manifests: in a repository that is not there is 404', async () => {
    const absent = fixture.repository('absent');
    for (const path of [
      `manifests/${unknownDigest()}`,
      'manifests/latest',
      `blobs/${unknownDigest()}`,
    ])
      expectStatus(await remove(absent, path), 404);
    expectStatus(await fixture.registry.get(`/v2/${absent}/tags/list`), 404);
  });

  test('Deleting Manifests: a digest that cannot be is 400', async () => {
    const repository = fixture.repository();
    await pushBundle(fixture.registry, repository, image());
    for (const digest of ['sha256:short', 'md5:d41d8cd98f00b204e9800998ecf8427e']) {
      expectError(await remove(repository, `manifests/${digest}`), 400, 'DIGEST_INVALID');
      expectError(await remove(repository, `blobs/${digest}`), 400, 'DIGEST_INVALID');
    }
  });

  test('Deleting Manifests: its index goes first; the children stay until they are deleted', async () => {
    const { registry } = fixture;
    const repository = fixture.repository();
    const bundle = emptyBundle();
    const index = addMultiPlatform(bundle);
    await pushBundle(registry, repository, bundle, 'multi');
    const children = bundle.manifests.filter((item) => item !== index);
    expectStatus(await remove(repository, `manifests/${index.digest}`), 202);
    for (const child of children) {
      assert.equal(await manifestStatus(registry, repository, child.digest), 200);
      expectStatus(await remove(repository, `manifests/${child.digest}`), 202);
    }
  });

  test('Deleting Manifests: a child that an index names is deleted, or the reason is told', async () => {
    const { registry } = fixture;
    const repository = fixture.repository();
    const bundle = emptyBundle();
    const index = addMultiPlatform(bundle);
    await pushBundle(registry, repository, bundle, 'multi');
    const answer = await remove(repository, `manifests/${bundle.manifests[0]!.digest}`);
    if (answer.status !== 202) expectError(answer, 405, 'UNSUPPORTED');
    assert.equal(await manifestStatus(registry, repository, index.digest), 200);
  });

  test('Deleting Manifests: the same manifest of another repository stays', async () => {
    const { registry } = fixture;
    const [one, other] = [fixture.repository(), fixture.repository()];
    const { top, ...bundle } = image();
    for (const repository of [one, other]) await pushBundle(registry, repository, bundle, 'latest');
    expectStatus(await remove(one, `manifests/${top.digest}`), 202);
    assert.equal(await manifestStatus(registry, other, 'latest'), 200);
  });

  test('Deleting Manifests: it can be pushed again', async () => {
    const { registry } = fixture;
    const repository = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(registry, repository, bundle, 'latest');
    expectStatus(await remove(repository, `manifests/${top.digest}`), 202);
    expectStatus(await putManifest(registry, repository, 'latest', top), 201);
    const got = await registry.get(`/v2/${repository}/manifests/latest`);
    assert.ok(expectStatus(got, 200).body.equals(top.bytes));
  });
});

describe('Deleting Blobs', () => {
  for (const algorithm of ['sha256', 'sha512'] as const)
    test(`Deleting Blobs: 202, then 404 for all (${algorithm})`, async () => {
      const repository = fixture.repository();
      const blob = content(uniqueBytes(), undefined, algorithm);
      expectStatus(await pushBlob(fixture.registry, repository, blob), 201);
      expectStatus(await remove(repository, `blobs/${blob.digest}`), 202);
      expectError(
        await fixture.registry.get(`/v2/${repository}/blobs/${blob.digest}`),
        404,
        'BLOB_UNKNOWN',
      );
      assert.equal(await blobStatus(fixture.registry, repository, blob.digest), 404);
      expectError(await remove(repository, `blobs/${blob.digest}`), 404, 'BLOB_UNKNOWN');
    });

  test('Deleting Blobs: one that is not there is 404 BLOB_UNKNOWN', async () => {
    const repository = fixture.repository();
    expectStatus(await pushBlob(fixture.registry, repository, content(uniqueBytes())), 201);
    expectError(await remove(repository, `blobs/${unknownDigest()}`), 404, 'BLOB_UNKNOWN');
  });

  test('Deleting Blobs: one that a manifest names is 405 with the reason, and stays', async () => {
    const { registry } = fixture;
    const repository = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(registry, repository, bundle, 'latest');
    for (const { digest } of bundle.blobs) {
      const answer = expectError(await remove(repository, `blobs/${digest}`), 405, 'UNSUPPORTED');
      assert.match(answer.text(), /manifest/i);
      assert.equal(await blobStatus(registry, repository, digest), 200);
    }
    expectStatus(await remove(repository, `manifests/${top.digest}`), 202);
    for (const { digest } of bundle.blobs)
      expectStatus(await remove(repository, `blobs/${digest}`), 202);
  });

  test('Deleting Blobs: the same blob of another repository stays, and can be pushed again', async () => {
    const { registry } = fixture;
    const [one, other] = [fixture.repository(), fixture.repository()];
    const blob = content(uniqueBytes());
    for (const repository of [one, other])
      expectStatus(await pushBlob(registry, repository, blob), 201);
    expectStatus(await remove(one, `blobs/${blob.digest}`), 202);
    const got = await registry.get(`/v2/${other}/blobs/${blob.digest}`);
    assert.ok(expectStatus(got, 200).body.equals(blob.bytes));
    expectStatus(await pushBlob(registry, one, blob), 201);
    assert.equal(await blobStatus(registry, one, blob.digest), 200);
  });

  test('Push: a manifest that names a deleted blob is MANIFEST_BLOB_UNKNOWN', async () => {
    const { registry } = fixture;
    const repository = fixture.repository();
    const { top, ...bundle } = image();
    for (const blob of bundle.blobs) expectStatus(await pushBlob(registry, repository, blob), 201);
    expectStatus(await remove(repository, `blobs/${bundle.blobs[0]!.digest}`), 202);
    const answer = await putManifest(registry, repository, 'late', top);
    expectError(answer, [400, 404], 'MANIFEST_BLOB_UNKNOWN');
  });
});
