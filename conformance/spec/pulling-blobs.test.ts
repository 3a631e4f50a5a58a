import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { expectError, expectHeader, expectStatus } from './check.ts';
import { type Content, content, uniqueBytes, unknownDigest } from './content.ts';
import { useServer } from './fixture.ts';
import { pushBlob } from './push.ts';

const fixture = useServer();

for (const algorithm of ['sha256', 'sha512'] as const) {
  describe(`Pulling blobs (${algorithm})`, () => {
    let repository: string;
    let blob: Content;
    let path: string;

    before(async () => {
      repository = fixture.repository();
      blob = content(uniqueBytes(2048), undefined, algorithm);
      path = `/v2/${repository}/blobs/${blob.digest}`;
      expectStatus(await pushBlob(fixture.registry, repository, blob), 201);
    });

    test('Pulling blobs: GET gives the bytes, their digest and their length', async () => {
      const answer = expectStatus(await fixture.registry.get(path), 200);
      expectHeader(answer, 'docker-content-digest', blob.digest);
      expectHeader(answer, 'content-length', '2048');
      assert.ok(answer.body.equals(blob.bytes));
    });

    test('Checking if content exists: HEAD gives digest and length without the bytes', async () => {
      const answer = expectStatus(await fixture.registry.head(path), 200);
      expectHeader(answer, 'docker-content-digest', blob.digest);
      expectHeader(answer, 'content-length', '2048');
    });

    test('Pulling blobs: one that is not there is 404 BLOB_UNKNOWN', async () => {
      const absent = `/v2/${repository}/blobs/${unknownDigest(algorithm)}`;
      expectError(await fixture.registry.get(absent), 404, 'BLOB_UNKNOWN');
      expectStatus(await fixture.registry.head(absent), 404);
    });

    const ranges: [string, number, number][] = [
      ['bytes=500-1499', 500, 1499],
      ['bytes=500-', 500, 2047],
      ['bytes=-500', 1548, 2047],
      ['bytes=-5000', 0, 2047],
      ['bytes=2000-5000', 2000, 2047],
      ['bytes=0-0', 0, 0],
      ['bytes=2047-2047', 2047, 2047],
      ['bytes=0-', 0, 2047],
    ];
    for (const [range, first, last] of ranges)
      test(`Pulling blobs: Range ${range} is 206 with those bytes`, async () => {
        const answer = await fixture.registry.get(path, { headers: { range } });
        expectStatus(answer, 206);
        expectHeader(answer, 'content-range', `bytes ${first}-${last}/2048`);
        expectHeader(answer, 'content-length', String(last - first + 1));
        expectHeader(answer, 'docker-content-digest', blob.digest);
        assert.ok(answer.body.equals(blob.bytes.subarray(first, last + 1)));
      });

    for (const range of ['bytes=2048-', 'bytes=5000-10000', 'bytes=-0'])
      test(`Pulling blobs: Range ${range} is 416 with the size`, async () => {
        const answer = await fixture.registry.get(path, { headers: { range } });
        expectStatus(answer, 416);
        expectHeader(answer, 'content-range', 'bytes */2048');
      });

    test('Pulling blobs: a Range whose end precedes its start gives no part', async () => {
      const answer = await fixture.registry.get(path, { headers: { range: 'bytes=500-0' } });
      expectStatus(answer, 416);
    });

    for (const range of ['lines=1-2', 'bytes', 'bytes=a-b', 'bytes=-', 'bytes 0-1', 'bytes=1'])
      test(`Pulling blobs: Range "${range}", which is none, is ignored`, async () => {
        const answer = await fixture.registry.get(path, { headers: { range } });
        assert.ok(expectStatus(answer, 200).body.equals(blob.bytes));
      });

    test('Pulling blobs: several ranges give the whole or parts that are right', async () => {
      const answer = await fixture.registry.get(path, { headers: { range: 'bytes=0-1,5-9' } });
      expectStatus(answer, 200, 206);
      if (answer.status === 200) assert.ok(answer.body.equals(blob.bytes));
      else expectHeader(answer, 'content-type', /^multipart\/byteranges;/);
    });

    test('Pulling blobs: a HEAD with a Range is about the whole (RFC 9110, 14.2)', async () => {
      const answer = await fixture.registry.head(path, { headers: { range: 'bytes=0-9' } });
      expectStatus(answer, 200);
      expectHeader(answer, 'content-length', '2048');
    });

    test('Pulling blobs: a client learns that ranges are supported', async () => {
      expectHeader(await fixture.registry.head(path), 'accept-ranges', 'bytes');
    });

    test('Pulling blobs: If-Range with another ETag gives the whole (RFC 9110, 13.1.5)', async () => {
      const headers = { range: 'bytes=0-9', 'if-range': '"another"' };
      assert.ok(
        expectStatus(await fixture.registry.get(path, { headers }), 200).body.equals(blob.bytes),
      );
    });

    test('Resumable Pull: a blob read in pieces is the blob', async () => {
      const pieces: Buffer[] = [];
      for (let at = 0; at < 2048; at += 700) {
        const headers = { range: `bytes=${at}-${at + 699}` };
        pieces.push((await fixture.registry.get(path, { headers })).body);
      }
      assert.ok(Buffer.concat(pieces).equals(blob.bytes));
    });
  });
}

describe('Pulling blobs: contents of note', () => {
  for (const [name, bytes] of [
    ['no bytes', ''],
    ['the empty JSON object', '{}'],
    ['one byte', 'x'],
  ] as const)
    for (const algorithm of ['sha256', 'sha512'] as const)
      for (const method of ['post', 'post-put', 'chunks', 'stream'] as const)
        test(`Pulling blobs, Pushing blobs: ${name}, ${algorithm}, by ${method}`, async () => {
          const repository = fixture.repository();
          const blob = content(bytes, undefined, algorithm);
          expectStatus(await pushBlob(fixture.registry, repository, blob, method), 201);
          const path = `/v2/${repository}/blobs/${blob.digest}`;
          const got = expectStatus(await fixture.registry.get(path), 200);
          expectHeader(got, 'content-length', String(blob.bytes.length));
          assert.ok(got.body.equals(blob.bytes));
          const head = expectStatus(await fixture.registry.head(path), 200);
          expectHeader(head, 'content-length', String(blob.bytes.length));
          expectStatus(await fixture.registry.delete(path), 202);
          expectStatus(await fixture.registry.head(path), 404);
        });

  test('Pulling blobs: a Range of no bytes is 416', async () => {
    const repository = fixture.repository();
    const nothing = content('');
    expectStatus(await pushBlob(fixture.registry, repository, nothing), 201);
    const path = `/v2/${repository}/blobs/${nothing.digest}`;
    expectStatus(await fixture.registry.get(path, { headers: { range: 'bytes=0-' } }), 416);
  });

  test('Pulling blobs: a malformed digest is 400 DIGEST_INVALID', async () => {
    const repository = fixture.repository();
    expectStatus(await pushBlob(fixture.registry, repository, content(uniqueBytes())), 201);
    for (const digest of [
      'sha256:',
      'sha256:abc',
      `sha256:${'A'.repeat(64)}`,
      `sha256:${'g'.repeat(64)}`,
      `sha256:${'0'.repeat(65)}`,
      'md5:d41d8cd98f00b204e9800998ecf8427e',
      'latest',
    ]) {
      const answer = await fixture.registry.get(`/v2/${repository}/blobs/${digest}`);
      expectError(answer, 400, 'DIGEST_INVALID');
    }
  });

  test('Pulling blobs: one of 6 MB arrives whole, while others are read', async () => {
    const repository = fixture.repository();
    const large = content(uniqueBytes(6_000_000));
    expectStatus(await pushBlob(fixture.registry, repository, large, 'stream'), 201);
    const path = `/v2/${repository}/blobs/${large.digest}`;
    const answers = await Promise.all(Array.from({ length: 6 }, () => fixture.registry.get(path)));
    for (const answer of answers) assert.ok(expectStatus(answer, 200).body.equals(large.bytes));
  });
});
