import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expectHeader, expectStatus } from './check.ts';
import type { Answer } from './client.ts';
import { content, uniqueBytes, unknownDigest } from './content.ts';
import { useServer } from './fixture.ts';
import { blobStatus, closeUpload, expectCreated, pushBlob } from './push.ts';

const fixture = useServer();

function mount(repository: string, query: Record<string, string>): Promise<Answer> {
  return fixture.registry.ask('POST', `/v2/${repository}/blobs/uploads/`, { query });
}

for (const algorithm of ['sha256', 'sha512'] as const) {
  describe(`Mounting a blob from another repository (${algorithm})`, () => {
    test('Mounting a blob from another repository: 201 and a URL that serves it', async () => {
      const [from, to] = [fixture.repository(), fixture.repository()];
      const blob = content(uniqueBytes(), undefined, algorithm);
      expectStatus(await pushBlob(fixture.registry, from, blob), 201);
      assert.equal(await blobStatus(fixture.registry, to, blob.digest), 404);
      const answer = await mount(to, { mount: blob.digest, from });
      await expectCreated(fixture.registry, answer, blob);
      assert.ok(new URL(answer.location()).pathname.includes(`/${to}/`));
      assert.equal(await blobStatus(fixture.registry, to, blob.digest), 200);
    });

    test('Mounting a blob from another repository: without "from" it is found', async () => {
      const [from, to] = [fixture.repository(), fixture.repository()];
      const blob = content(uniqueBytes(), undefined, algorithm);
      expectStatus(await pushBlob(fixture.registry, from, blob), 201);
      await expectCreated(fixture.registry, await mount(to, { mount: blob.digest }), blob);
    });

    test('Mounting a blob from another repository: one that is not there begins an upload', async () => {
      const [from, to] = [fixture.repository(), fixture.repository()];
      expectStatus(await pushBlob(fixture.registry, from, content(uniqueBytes())), 201);
      const blob = content(uniqueBytes(), undefined, algorithm);
      for (const query of [
        { mount: blob.digest, from },
        { mount: blob.digest, from: fixture.repository('absent') },
        { mount: blob.digest, from: 'not a name' },
        { mount: blob.digest, from: '' },
        { mount: blob.digest },
      ]) {
        const answer = expectStatus(await mount(to, query), 202);
        const put = await closeUpload(fixture.registry, answer.location(), blob.digest, blob.bytes);
        await expectCreated(fixture.registry, put, blob);
        expectStatus(await fixture.registry.delete(`/v2/${to}/blobs/${blob.digest}`), 202);
      }
    });
  });
}

describe('Mounting a blob from another repository', () => {
  test('Mounting a blob from another repository: the other may lose it, this one keeps it', async () => {
    const [from, to] = [fixture.repository(), fixture.repository()];
    const blob = content(uniqueBytes());
    expectStatus(await pushBlob(fixture.registry, from, blob), 201);
    expectStatus(await mount(to, { mount: blob.digest, from }), 201);
    expectStatus(await fixture.registry.delete(`/v2/${from}/blobs/${blob.digest}`), 202);
    assert.equal(await blobStatus(fixture.registry, from, blob.digest), 404);
    const got = await fixture.registry.get(`/v2/${to}/blobs/${blob.digest}`);
    assert.ok(expectStatus(got, 200).body.equals(blob.bytes));
    expectStatus(await mount(from, { mount: blob.digest, from: to }), 201);
  });

  test('Mounting a blob from another repository: from itself, and twice', async () => {
    const repository = fixture.repository();
    const blob = content(uniqueBytes());
    expectStatus(await pushBlob(fixture.registry, repository, blob), 201);
    for (let time = 0; time < 2; time++) {
      const answer = await mount(repository, { mount: blob.digest, from: repository });
      await expectCreated(fixture.registry, answer, blob);
    }
  });

  test('Mounting a blob from another repository: "from" without "mount" is a plain POST', async () => {
    const answer = await mount(fixture.repository(), { from: fixture.repository() });
    expectHeader(expectStatus(answer, 202), 'location', /./);
  });

  test('Mounting a blob from another repository: a digest that cannot be', async () => {
    const from = fixture.repository();
    for (const digest of ['sha256:short', 'md5:d41d8cd98f00b204e9800998ecf8427e', 'x'])
      expectStatus(await mount(fixture.repository(), { mount: digest, from }), 202, 400);
  });

  test('Mounting a blob from another repository: a deleted blob is not mounted', async () => {
    const [from, to] = [fixture.repository(), fixture.repository()];
    const blob = content(uniqueBytes());
    expectStatus(await pushBlob(fixture.registry, from, blob), 201);
    expectStatus(await fixture.registry.delete(`/v2/${from}/blobs/${blob.digest}`), 202);
    expectStatus(await mount(to, { mount: blob.digest, from }), 202);
    expectStatus(await mount(to, { mount: unknownDigest(), from }), 202);
  });
});
