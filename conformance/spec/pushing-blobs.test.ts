import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expectError, expectStatus } from './check.ts';
import { addQuery } from './client.ts';
import { content, digestOf, uniqueBytes, unknownDigest } from './content.ts';
import { useServer } from './fixture.ts';
import {
  beginUpload,
  blobStatus,
  closeUpload,
  eachOf,
  expectCreated,
  octets,
  type PushMethod,
  pushBlob,
} from './push.ts';

const fixture = useServer();
const algorithms = ['sha256', 'sha512'] as const;
const methods: PushMethod[] = ['post', 'post-put', 'chunks', 'stream'];

for (const algorithm of algorithms) {
  describe(`Pushing blobs (${algorithm})`, () => {
    test('POST then PUT: the session has an id, the blob a URL that serves it', async () => {
      const { registry } = fixture;
      const repository = fixture.repository();
      const blob = content(uniqueBytes(), undefined, algorithm);
      assert.equal(await blobStatus(registry, repository, blob.digest), 404);
      const location = await beginUpload(registry, repository);
      assert.match(
        new URL(location).pathname,
        /[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/i,
        'the location holds a UUID',
      );
      const put = await closeUpload(registry, location, blob.digest, blob.bytes);
      await expectCreated(registry, put, blob);
      assert.equal(await blobStatus(registry, repository, blob.digest), 200);
    });

    test('Single POST: 201 and a URL that serves the blob', async () => {
      const blob = content(uniqueBytes(), undefined, algorithm);
      const answer = await pushBlob(fixture.registry, fixture.repository(), blob, 'post');
      await expectCreated(fixture.registry, answer, blob);
    });

    test('Pushing blobs: the algorithm need not be told at the POST', async () => {
      const blob = content(uniqueBytes(9_000), undefined, algorithm);
      const repository = fixture.repository();
      const location = await beginUpload(fixture.registry, repository);
      const sent = await fixture.registry.ask('PATCH', location, {
        headers: octets,
        body: blob.bytes,
      });
      const put = await closeUpload(
        fixture.registry,
        expectStatus(sent, 202).location(),
        blob.digest,
      );
      await expectCreated(fixture.registry, put, blob);
    });

    for (const method of methods) {
      test(`Pushing blobs: bytes of another digest are 400 and not stored, by ${method}`, async () => {
        const repository = fixture.repository();
        const promised = content(uniqueBytes(), undefined, algorithm);
        const bytes = Buffer.concat([promised.bytes, Buffer.from('more')]);
        const answer = await pushBlob(fixture.registry, repository, { ...promised, bytes }, method);
        expectError(answer, 400, 'DIGEST_INVALID');
        assert.equal(await blobStatus(fixture.registry, repository, promised.digest), 404);
        const real = digestOf(bytes, algorithm);
        assert.equal(await blobStatus(fixture.registry, repository, real), 404);
      });

      test(`Layer Upload De-duplication: a blob pushed twice is 201 twice, by ${method}`, async () => {
        const repository = fixture.repository();
        const blob = content(uniqueBytes(), undefined, algorithm);
        for (let time = 0; time < 2; time++) {
          const answer = await pushBlob(fixture.registry, repository, blob, method);
          await expectCreated(fixture.registry, answer, blob);
        }
      });

      test(`Layer Upload De-duplication: pushed at the same time, both are 201, by ${method}`, async () => {
        const repository = fixture.repository();
        const blob = content(uniqueBytes(30_000), undefined, algorithm);
        const twins = [0, 1, 2, 3].map(() => pushBlob(fixture.registry, repository, blob, method));
        for (const answer of await Promise.all(twins))
          await expectCreated(fixture.registry, answer, blob);
      });
    }
  });
}

describe('Pushing blobs: digests that cannot be', () => {
  const wrong = [
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    'sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709',
    `sha384:${'0'.repeat(96)}`,
    `blake3:${'0'.repeat(64)}`,
    'sha256:baddigest',
    `sha256:${'F'.repeat(64)}`,
    `sha256:${'0'.repeat(63)}`,
    `sha512:${'0'.repeat(64)}`,
    'sha256',
    ':',
    'latest',
    '',
  ];
  for (const digest of wrong)
    test(`Pushing blobs: digest "${digest}" is 400 at POST and at PUT`, async () => {
      const repository = fixture.repository();
      const body = uniqueBytes();
      const post = await fixture.registry.ask('POST', `/v2/${repository}/blobs/uploads/`, {
        query: { digest },
        headers: octets,
        body,
      });
      expectError(post, 400, 'DIGEST_INVALID');
      const location = await beginUpload(fixture.registry, repository);
      expectError(
        await closeUpload(fixture.registry, location, digest, body),
        400,
        'DIGEST_INVALID',
      );
    });

  test('Pushing blobs: a PUT without a digest is 400', async () => {
    const location = await beginUpload(fixture.registry, fixture.repository());
    const answer = await fixture.registry.ask('PUT', location, { body: uniqueBytes() });
    expectError(answer, 400, 'DIGEST_INVALID', 'BLOB_UPLOAD_INVALID');
  });

  test('Pushing a blob in chunks: digest-algorithm of an unknown algorithm is 400', async () => {
    const answer = await fixture.registry.ask(
      'POST',
      `/v2/${fixture.repository()}/blobs/uploads/`,
      {
        query: { 'digest-algorithm': 'md5' },
      },
    );
    expectError(answer, 400, 'DIGEST_INVALID', 'UNSUPPORTED');
  });

  test('Pushing a blob in chunks: digest-algorithm that is not the digest of the PUT', async () => {
    const repository = fixture.repository();
    const blob = content(uniqueBytes());
    const query = { 'digest-algorithm': 'sha512' };
    const location = await beginUpload(fixture.registry, repository, query);
    const answer = await closeUpload(fixture.registry, location, blob.digest, blob.bytes);
    if (answer.status === 201) await expectCreated(fixture.registry, answer, blob);
    else expectError(answer, 400, 'DIGEST_INVALID');
  });
});

describe('POST then PUT: sessions', () => {
  test('POST then PUT: a session that never was is 404 BLOB_UPLOAD_UNKNOWN', async () => {
    const repository = fixture.repository();
    const location = await beginUpload(fixture.registry, repository);
    const path = new URL(location).pathname.replace(/[0-9a-f]{12}(?=[^0-9a-f]*$)/i, '0'.repeat(12));
    const blob = content(uniqueBytes());
    const url = addQuery(fixture.server.origin + path, { digest: blob.digest });
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
      const body = method === 'PATCH' || method === 'PUT' ? { body: blob.bytes } : {};
      expectError(await fixture.registry.ask(method, url, body), 404, 'BLOB_UPLOAD_UNKNOWN');
    }
  });

  test('POST then PUT: a finished session is over, and what it made stays', async () => {
    const { registry } = fixture;
    const repository = fixture.repository();
    const blob = content(uniqueBytes());
    const location = await beginUpload(registry, repository);
    expectStatus(await closeUpload(registry, location, blob.digest, blob.bytes), 201);
    expectError(await registry.get(location), 404, 'BLOB_UPLOAD_UNKNOWN');
    expectError(await registry.ask('PATCH', location, { body: 'x' }), 404, 'BLOB_UPLOAD_UNKNOWN');
    expectError(await registry.delete(location), 404, 'BLOB_UPLOAD_UNKNOWN');
    assert.equal(await blobStatus(registry, repository, blob.digest), 200);
  });

  test('POST then PUT: a finishing request that is repeated changes nothing', async () => {
    const { registry } = fixture;
    const repository = fixture.repository();
    const blob = content(uniqueBytes());
    const location = await beginUpload(registry, repository);
    expectStatus(await closeUpload(registry, location, blob.digest, blob.bytes), 201);
    const again = await closeUpload(registry, location, blob.digest, blob.bytes);
    expectStatus(again, 201, 404);
    const got = await registry.get(`/v2/${repository}/blobs/${blob.digest}`);
    assert.ok(expectStatus(got, 200).body.equals(blob.bytes));
  });

  test('POST then PUT: clients that sort or re-encode the query are understood', async () => {
    const blob = content(uniqueBytes());
    const url = new URL(await beginUpload(fixture.registry, fixture.repository()));
    url.searchParams.append('digest', blob.digest);
    url.searchParams.sort();
    const answer = await fixture.registry.ask('PUT', url.href, { body: blob.bytes });
    await expectCreated(fixture.registry, answer, blob);
  });

  test('POST then PUT: a session is of its repository alone', async () => {
    const [own, other] = [fixture.repository(), fixture.repository()];
    const blob = content(uniqueBytes());
    const location = await beginUpload(fixture.registry, own);
    await beginUpload(fixture.registry, other);
    const moved = location.replace(`/${own}/`, `/${other}/`);
    assert.notEqual(moved, location);
    const answer = await closeUpload(fixture.registry, moved, blob.digest, blob.bytes);
    expectError(answer, 404, 'BLOB_UPLOAD_UNKNOWN');
    expectStatus(await closeUpload(fixture.registry, location, blob.digest, blob.bytes), 201);
  });

  test('POST then PUT: after a refused digest the right one is taken or the session is over', async () => {
    const { registry } = fixture;
    const repository = fixture.repository();
    const blob = content(uniqueBytes());
    const location = await beginUpload(registry, repository);
    expectError(
      await closeUpload(registry, location, unknownDigest(), blob.bytes),
      400,
      'DIGEST_INVALID',
    );
    expectStatus(
      await closeUpload(registry, location, blob.digest, blob.bytes),
      201,
      400,
      404,
      416,
    );
    expectStatus(await pushBlob(registry, repository, blob), 201);
  });

  test('POST then PUT: a PUT in chunked transfer coding needs no length', async () => {
    const blob = content(uniqueBytes(100_000));
    const location = await beginUpload(fixture.registry, fixture.repository());
    const answer = await fixture.registry.ask('PUT', addQuery(location, { digest: blob.digest }), {
      headers: octets,
      body: eachOf([blob.bytes.subarray(0, 10), blob.bytes.subarray(10)]),
    });
    await expectCreated(fixture.registry, answer, blob);
  });

  test('Single POST: in chunked transfer coding, and without a content type', async () => {
    const blob = content(uniqueBytes(100_000));
    const answer = await fixture.registry.ask(
      'POST',
      `/v2/${fixture.repository()}/blobs/uploads/`,
      { query: { digest: blob.digest }, body: eachOf([blob.bytes]) },
    );
    await expectCreated(fixture.registry, answer, blob);
  });

  test('POST then PUT: the POST may leave out the slash at its end', async () => {
    const answer = await fixture.registry.ask('POST', `/v2/${fixture.repository()}/blobs/uploads`);
    expectStatus(answer, 202);
  });

  test('POST then PUT: a Location is on the host that the client used or the public one, or relative', async () => {
    const repository = fixture.repository();
    const headers = { host: 'registry.example.test' };
    const path = `/v2/${repository}/blobs/uploads/`;
    const answer = await fixture.registry.ask('POST', path, { headers });
    const location = expectStatus(answer, 202).header('location') ?? '';
    const host = fixture.server.publicUrl ?? 'http://registry.example.test';
    assert.ok(location.startsWith('/') || location.startsWith(`${host}/`), location);
  });
});
