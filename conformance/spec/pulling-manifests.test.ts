import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { addImage, addMultiPlatform, emptyBundle, image } from './bundles.ts';
import { expectError, expectHeader, expectStatus } from './check.ts';
import { type Content, mediaTypes, unknownDigest } from './content.ts';
import { useServer } from './fixture.ts';
import { pushBundle, putManifest } from './push.ts';

const fixture = useServer();

describe('Pulling manifests', () => {
  let repository: string;
  let single: Content;
  let multi: Content;

  before(async () => {
    repository = fixture.repository();
    const bundle = emptyBundle();
    single = addImage(bundle);
    multi = addMultiPlatform(bundle);
    await pushBundle(fixture.registry, repository, bundle, 'multi');
    expectStatus(await putManifest(fixture.registry, repository, 'single', single), 201);
  });

  test('Pulling manifests: a tag and a digest give the same manifest, type and digest', async () => {
    for (const [tag, item] of [
      ['single', single],
      ['multi', multi],
    ] as const)
      for (const reference of [tag, item.digest]) {
        const answer = await fixture.registry.get(`/v2/${repository}/manifests/${reference}`);
        expectStatus(answer, 200);
        expectHeader(answer, 'content-type', item.descriptor.mediaType);
        expectHeader(answer, 'docker-content-digest', item.digest);
        assert.ok(answer.body.equals(item.bytes));
      }
  });

  test('Pulling manifests: each way to write Accept gives the manifest as it was pushed', async () => {
    const all = Object.values(mediaTypes).filter((type) => /manifest|index/.test(type));
    const accepts: (string | string[] | undefined)[] = [
      undefined,
      '*/*',
      'application/json',
      all.join(', '),
      all,
      `${mediaTypes.index};q=0.9, ${mediaTypes.manifest};q=1`,
      `${mediaTypes.index} , ${mediaTypes.dockerList},*/*;q=0.1`,
    ];
    for (const accept of accepts) {
      const headers = accept === undefined ? {} : { accept };
      const answer = await fixture.registry.get(`/v2/${repository}/manifests/multi`, { headers });
      expectStatus(answer, 200);
      expectHeader(answer, 'content-type', multi.descriptor.mediaType);
      assert.ok(answer.body.equals(multi.bytes), `Accept: ${accept}`);
    }
  });

  test('Pulling manifests: Content-Type carries no parameters', async () => {
    const plain = image();
    for (const blob of plain.blobs)
      await fixture.registry.ask('POST', `/v2/${repository}/blobs/uploads/`, {
        query: { digest: blob.digest },
        body: blob.bytes,
      });
    const put = await fixture.registry.ask('PUT', `/v2/${repository}/manifests/parameters`, {
      headers: { 'content-type': `${mediaTypes.manifest}; charset=utf-8` },
      body: plain.top.bytes,
    });
    expectStatus(put, 201);
    for (const method of ['GET', 'HEAD']) {
      const path = `/v2/${repository}/manifests/parameters`;
      const answer = expectStatus(await fixture.registry.ask(method, path), 200);
      expectHeader(answer, 'content-type', mediaTypes.manifest);
    }
  });

  test('Pulling manifests: one that is not there is 404 MANIFEST_UNKNOWN', async () => {
    for (const reference of ['absent', unknownDigest(), unknownDigest('sha512')])
      for (const method of ['GET', 'HEAD']) {
        const path = `/v2/${repository}/manifests/${reference}`;
        expectError(await fixture.registry.ask(method, path), 404, 'MANIFEST_UNKNOWN');
      }
  });

  test('Pulling manifests: a digest of a blob is no manifest', async () => {
    const { digest } = (JSON.parse(single.bytes.toString()) as { config: { digest: string } })
      .config;
    const answer = await fixture.registry.get(`/v2/${repository}/manifests/${digest}`);
    expectError(answer, 404, 'MANIFEST_UNKNOWN');
  });

  test('Pulling manifests: a reference that is neither tag nor digest is refused', async () => {
    const wrong = ['sha256:short', 'md5:d41d8cd98f00b204e9800998ecf8427e', '.hidden', '-dash'];
    for (const reference of [...wrong, 'a%20b', 't'.repeat(129), 'a:b', 'a@b']) {
      const answer = await fixture.registry.get(`/v2/${repository}/manifests/${reference}`);
      assert.ok([400, 404].includes(answer.status), `${reference}: ${answer.status}`);
    }
  });

  test('Pushing Manifests: a repository that is not there is 404', async () => {
    const absent = fixture.repository('absent');
    for (const path of ['manifests/latest', `manifests/${unknownDigest()}`, 'tags/list']) {
      const answer = await fixture.registry.get(`/v2/${absent}/${path}`);
      expectError(answer, 404, 'NAME_UNKNOWN', 'MANIFEST_UNKNOWN');
    }
  });

  test('Checking if content exists: HEAD gives type, size and digest without the manifest', async () => {
    for (const reference of ['multi', multi.digest]) {
      const answer = await fixture.registry.head(`/v2/${repository}/manifests/${reference}`);
      expectStatus(answer, 200);
      expectHeader(answer, 'docker-content-digest', multi.digest);
      expectHeader(answer, 'content-length', String(multi.bytes.length));
      expectHeader(answer, 'content-type', multi.descriptor.mediaType);
    }
  });

  test('API: the ETag answers If-None-Match (RFC 9110, 13.1.2)', async () => {
    const path = `/v2/${repository}/manifests/single`;
    const etag = (await fixture.registry.get(path)).header('etag');
    assert.ok(etag, 'the answer has an ETag');
    const same = await fixture.registry.get(path, { headers: { 'if-none-match': etag } });
    expectStatus(same, 304);
    assert.equal(same.body.length, 0);
    const other = await fixture.registry.get(path, { headers: { 'if-none-match': '"other"' } });
    expectStatus(other, 200);
  });
});

describe('Pulling manifests: names and tags', () => {
  const put = async (name: string, tag: string, item: Content) => {
    const answer = await putManifest(fixture.registry, name, tag, item);
    return answer.status;
  };

  const repositoryNamed = (last: string) => {
    const { teamSlug, projectSlug } = fixture.server.bootstrap;
    return `${teamSlug}/${projectSlug}/${last}`;
  };

  test('Pulling manifests: each form of <name> that the expression allows is taken', async () => {
    const { top, ...bundle } = image();
    for (const last of ['a', '0', 'a.b', 'a_b', 'a__b', 'a-b', 'a---b', '1.2.3', 'x.y_z__0-1--2']) {
      await pushBundle(fixture.registry, repositoryNamed(last), bundle);
      assert.equal(await put(repositoryNamed(last), 'latest', top), 201, last);
      const path = `/v2/${repositoryNamed(last)}/manifests/latest`;
      expectStatus(await fixture.registry.get(path), 200);
    }
  });

  test('Pulling manifests: a <name> that the expression does not allow is 400 NAME_INVALID', async () => {
    const { top } = image();
    for (const last of ['A', 'a..b', 'a___b', '-a', 'a-', '.a', 'a.', '_a', 'a_', 'a._b', 'a+b']) {
      const path = `/v2/${repositoryNamed(last)}/manifests/latest`;
      const options = { headers: { 'content-type': mediaTypes.manifest }, body: top.bytes };
      expectError(await fixture.registry.ask('PUT', path, options), 400, 'NAME_INVALID');
      expectError(await fixture.registry.get(path), 400, 'NAME_INVALID');
    }
  });

  test('Pulling manifests: each form of tag that the expression allows is taken', async () => {
    const { top, ...bundle } = image();
    const repository = fixture.repository();
    await pushBundle(fixture.registry, repository, bundle);
    const tags = [
      'a',
      '_',
      '_a',
      'A',
      '0',
      'v1.0.0',
      'a-b_c.d',
      'a..b',
      'a--',
      `T${'x'.repeat(127)}`,
    ];
    for (const tag of tags) {
      assert.equal(await put(repository, tag, top), 201, tag);
      expectStatus(await fixture.registry.get(`/v2/${repository}/manifests/${tag}`), 200);
    }
  });

  test('Pulling manifests: a tag that the expression does not allow cannot be pushed', async () => {
    const { top, ...bundle } = image();
    const repository = fixture.repository();
    await pushBundle(fixture.registry, repository, bundle);
    for (const tag of ['.a', '-a', 'a%20b', 'a+b', 'a@b', 'a~b', '%C3%A9', `T${'x'.repeat(128)}`]) {
      const path = `/v2/${repository}/manifests/${tag}`;
      const options = { headers: { 'content-type': mediaTypes.manifest }, body: top.bytes };
      const answer = await fixture.registry.ask('PUT', path, options);
      assert.ok([400, 404].includes(answer.status), `${tag}: ${answer.status}`);
    }
    const list = await fixture.registry.get(`/v2/${repository}/tags/list`);
    assert.deepEqual((list.json() as { tags: string[] }).tags, []);
  });
});
