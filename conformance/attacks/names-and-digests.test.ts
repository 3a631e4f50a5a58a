import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { image } from '../spec/bundles.ts';
import { errorsOf, expectError, expectStatus } from '../spec/check.ts';
import { Answer } from '../spec/client.ts';
import { content, mediaTypes, uniqueBytes, unknownDigest } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { beginUpload, blobStatus, closeUpload, pushBundle } from '../spec/push.ts';
import { requestLines, withWire } from './wire.ts';

const fixture = useServer();

/** Sends a request target byte for byte, signed in. */
async function raw(method: string, target: string): Promise<Answer> {
  const { origin } = fixture.server;
  return withWire(origin, async (wire) => {
    const headers = { Authorization: fixture.registry.authorization!, 'Content-Length': '0' };
    await wire.send(requestLines(origin, method, target, headers));
    const got = await wire.answer(5_000, method);
    assert.ok(got, `${method} ${target}: closed without an answer`);
    return new Answer(method, new URL('/v2/', origin), got.status, [...got.headers], got.body);
  });
}

const methods = ['GET', 'HEAD', 'PUT', 'DELETE'] as const;

describe('A6: names that mean something else to somebody', () => {
  const names = [
    '../x',
    '../../etc/passwd',
    'team/../../etc',
    'a/b/..',
    'a/./b',
    'a/b/.',
    '%2e%2e/x/y',
    '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    'a/%2e%2e/c',
    'a/b/%2e%2e%2f%2e%2e',
    'a/b/c%00',
    'a/b/%00',
    'a%00/b/c',
    'A/b/c',
    'a/B/c',
    'a/b/C',
    'Team/Project/Repo',
    'a/b/c%0d%0aX-Injected:%20yes',
    'a/b/c%0a',
    'a/b/%20c',
    'a/b/c%20',
    'a/b/c%5cd',
    'a/b/c%3fd',
    'a/b/c%23d',
    'a/b/c;d',
    'a/b/c%c0%ae',
    'a/b/%ff',
    'a/b/%e2%80%ae',
    'a/b/%',
    'a/b/%zz',
    'a/b/c%252e%252e',
    'a//c',
    '/a/b',
    'a/b/',
    'a',
    'a/b',
    'a/b/c/d',
    'a/b/c/d/e/f/g',
    'a/b/~root',
    'a/b/$HOME',
    'a/b/c.',
    'a/b/.c',
    'a/b/-c',
    'a/b/__proto__',
    '__proto__/constructor/prototype',
  ];
  for (const name of names)
    test(`A6: ${name}: 400 or 404 on every route, and nothing is made`, async () => {
      const digest = unknownDigest();
      for (const rest of [
        'manifests/latest',
        `blobs/${digest}`,
        'tags/list',
        `referrers/${digest}`,
      ]) {
        for (const method of methods) {
          const answer = await raw(method, `/v2/${name}/${rest}`);
          const allowed = method === 'GET' ? [400, 404] : [400, 404, 405];
          expectStatus(answer, ...allowed);
          if (method !== 'HEAD') errorsOf(answer);
          assert.equal(answer.header('x-injected'), undefined);
        }
      }
      const post = await raw('POST', `/v2/${name}/blobs/uploads/`);
      expectStatus(post, 400, 404);
    });
});

describe('A7: names and tags that are too long', () => {
  const prefix = () => {
    const { teamSlug, projectSlug } = fixture.server.bootstrap;
    return `${teamSlug}/${projectSlug}/`;
  };

  test('A7: a name of 256 characters and more is 400 NAME_INVALID', async () => {
    for (const length of [256, 257, 1_000, 8_000]) {
      const name = prefix() + 'x'.repeat(length - prefix().length);
      assert.equal(name.length, length);
      expectError(await fixture.registry.get(`/v2/${name}/tags/list`), 400, 'NAME_INVALID');
      const post = await fixture.registry.ask('POST', `/v2/${name}/blobs/uploads/`);
      expectError(post, 400, 'NAME_INVALID');
    }
  });

  test('A7: a name of 255 characters or fewer is none of that', async () => {
    const name = prefix() + 'x'.repeat(200 - prefix().length);
    await beginUpload(fixture.registry, name);
  });

  test('A7: a tag of 129 characters is 400, by path and by parameter', async () => {
    const repository = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(fixture.registry, repository, bundle);
    const headers = { 'content-type': mediaTypes.manifest };
    for (const length of [129, 1_000]) {
      const tag = 't'.repeat(length);
      const body = top.bytes;
      const path = `/v2/${repository}/manifests/`;
      expectStatus(await fixture.registry.ask('PUT', path + tag, { headers, body }), 400);
      const query = { tag };
      const byDigest = await fixture.registry.ask('PUT', path + top.digest, {
        headers,
        body,
        query,
      });
      expectStatus(byDigest, 400);
      expectStatus(await fixture.registry.get(path + tag), 400, 404);
    }
    const list = await fixture.registry.get(`/v2/${repository}/tags/list`);
    assert.deepEqual((list.json() as { tags: string[] }).tags, []);
  });
});

describe('A8: digests that are paths, short or of a broken algorithm', () => {
  const digests = [
    'sha256:../',
    'sha256:..%2f..%2fetc%2fpasswd',
    'sha256:%2e%2e%2f',
    `sha256:../${'a'.repeat(61)}`,
    'sha256:abc',
    `sha256:${'a'.repeat(63)}`,
    `sha256:${'a'.repeat(65)}`,
    `sha256:${'A'.repeat(64)}`,
    `SHA256:${'a'.repeat(64)}`,
    `sha256:${'a'.repeat(64)}%00`,
    `sha256:${'a'.repeat(64)}%0a`,
    `sha256:%20${'a'.repeat(64)}`,
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    `__proto__:${'a'.repeat(64)}`,
    `sha512:${'a'.repeat(64)}`,
    `sha256:${'a'.repeat(128)}`,
    'sha256:',
    ':',
    'sha256',
  ];
  for (const digest of digests)
    test(`A8: ${digest} is 400 wherever a digest stands`, async () => {
      const repository = fixture.repository();
      await beginUpload(fixture.registry, repository);
      const slashed = decodeURIComponent(digest).includes('/');
      for (const method of methods.slice(0, 2).concat('DELETE')) {
        const answer = await raw(method, `/v2/${repository}/blobs/${digest}`);
        // With a slash in it the path is another one, or none.
        expectStatus(answer, ...(slashed ? [400, 404, 405] : [400]));
      }
      const referrers = await raw('GET', `/v2/${repository}/referrers/${digest}`);
      expectStatus(referrers, ...(slashed ? [400, 404] : [400]));
      const manifest = await raw('PUT', `/v2/${repository}/manifests/${digest}`);
      expectStatus(manifest, ...(slashed ? [400, 404, 405] : [400, 415]));
      const posted = await raw('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`);
      expectError(posted, 400, 'DIGEST_INVALID');
      const location = new URL(await beginUpload(fixture.registry, repository));
      const closing = `${location.pathname}${location.search}${location.search ? '&' : '?'}`;
      const closed = await raw('PUT', `${closing}digest=${digest}`);
      expectError(closed, 400, 'DIGEST_INVALID');
      expectStatus(await raw('POST', `/v2/${repository}/blobs/uploads/?mount=${digest}`), 202, 400);
    });
});

describe('A9: a digest that is not that of the bytes', () => {
  test('A9: 400, and neither digest is there', async () => {
    const repository = fixture.repository();
    const blob = content(uniqueBytes());
    for (const claimed of [unknownDigest(), unknownDigest('sha512'), content('').digest]) {
      const location = await beginUpload(fixture.registry, repository);
      const answer = await closeUpload(fixture.registry, location, claimed, blob.bytes);
      expectError(answer, 400, 'DIGEST_INVALID');
      const post = await fixture.registry.ask('POST', `/v2/${repository}/blobs/uploads/`, {
        query: { digest: claimed },
        body: blob.bytes,
      });
      expectError(post, 400, 'DIGEST_INVALID');
      for (const digest of [claimed, blob.digest])
        assert.equal(await blobStatus(fixture.registry, repository, digest), 404);
    }
  });

  test('A9: a manifest under a digest that is not its own: 400, and neither is there', async () => {
    const repository = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(fixture.registry, repository, { ...bundle, manifests: [] });
    const claimed = unknownDigest();
    const answer = await fixture.registry.ask('PUT', `/v2/${repository}/manifests/${claimed}`, {
      headers: { 'content-type': mediaTypes.manifest },
      body: top.bytes,
      query: { tag: 'sneaked' },
    });
    expectError(answer, 400, 'DIGEST_INVALID', 'MANIFEST_INVALID');
    for (const reference of [claimed, top.digest, 'sneaked'])
      expectStatus(await fixture.registry.head(`/v2/${repository}/manifests/${reference}`), 404);
  });
});
