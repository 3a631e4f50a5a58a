import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expectError, expectHeader, expectStatus } from './check.ts';
import { addQuery } from './client.ts';
import { type Content, content, uniqueBytes } from './content.ts';
import { useServer } from './fixture.ts';
import {
  beginUpload,
  blobStatus,
  closeUpload,
  eachOf,
  expectCreated,
  octets,
  sendChunk,
} from './push.ts';

const fixture = useServer();

/** Sends `bytes` from `start` in pieces of `size`; the session's last URL. */
async function sendAll(
  location: string,
  blob: Content,
  size: number,
  start = 0,
  end = blob.bytes.length,
): Promise<string> {
  let next = location;
  for (let at = start; at < end; at += size) {
    const chunk = blob.bytes.subarray(at, Math.min(at + size, end));
    const answer = expectStatus(await sendChunk(fixture.registry, next, chunk, at), 202);
    expectHeader(answer, 'range', `0-${at + chunk.length - 1}`);
    next = answer.location();
  }
  return next;
}

async function expectOffset(location: string, end: number): Promise<string> {
  const status = expectStatus(await fixture.registry.get(location), 204);
  assert.equal(status.body.length, 0);
  // The specification has no form for "nothing yet": what there is starts at 0 all the same.
  if (end === 0) expectHeader(status, 'range', /^0-(?:0|-1)$/);
  else expectHeader(status, 'range', `0-${end - 1}`);
  return status.location();
}

for (const algorithm of ['sha256', 'sha512'] as const) {
  describe(`Pushing a blob in chunks (${algorithm})`, () => {
    const query = algorithm === 'sha256' ? {} : { 'digest-algorithm': algorithm };
    const begin = (repository: string) => beginUpload(fixture.registry, repository, query);

    for (const [name, length, size] of [
      ['one', 512, 512],
      ['three', 3_067, 1_024],
      ['many of one byte', 24, 1],
      ['large and a tail', 3_145_733, 1_048_576],
    ] as const)
      test(`Pushing a blob in chunks: ${name}, then a PUT without a body`, async () => {
        const blob = content(uniqueBytes(length), undefined, algorithm);
        const location = await sendAll(await begin(fixture.repository()), blob, size);
        const put = await closeUpload(fixture.registry, location, blob.digest);
        await expectCreated(fixture.registry, put, blob);
      });

    test('Pushing a blob in chunks: the last one in the PUT, with its range', async () => {
      const blob = content(uniqueBytes(3_067), undefined, algorithm);
      const location = await sendAll(await begin(fixture.repository()), blob, 1_024, 0, 2_048);
      const put = await closeUpload(
        fixture.registry,
        location,
        blob.digest,
        blob.bytes.subarray(2_048),
        { ...octets, 'content-range': '2048-3066' },
      );
      await expectCreated(fixture.registry, put, blob);
    });

    test('Pushing a blob in chunks: the last one in the PUT, without a range', async () => {
      const blob = content(uniqueBytes(2_000), undefined, algorithm);
      const location = await sendAll(await begin(fixture.repository()), blob, 1_024, 0, 1_024);
      const tail = blob.bytes.subarray(1_024);
      const put = await closeUpload(fixture.registry, location, blob.digest, tail);
      await expectCreated(fixture.registry, put, blob);
    });

    test('Pushing a blob in chunks: out of order is 416, and the session goes on after a GET', async () => {
      const blob = content(uniqueBytes(3_067), undefined, algorithm);
      let location = await begin(fixture.repository());
      for (let at = 0; at < blob.bytes.length; at += 1_024) {
        const wrong = at + 1_024 < blob.bytes.length ? at + 1_024 : 0;
        const early = blob.bytes.subarray(wrong, wrong + 1_024);
        expectStatus(await sendChunk(fixture.registry, location, early, wrong), 416);
        location = await expectOffset(location, at);
        location = await sendAll(
          location,
          blob,
          1_024,
          at,
          Math.min(at + 1_024, blob.bytes.length),
        );
      }
      const put = await closeUpload(fixture.registry, location, blob.digest);
      await expectCreated(fixture.registry, put, blob);
    });

    test('Pushing a blob in chunks: a last one out of order in the PUT is 416', async () => {
      const repository = fixture.repository();
      const blob = content(uniqueBytes(3_067), undefined, algorithm);
      let location = await sendAll(await begin(repository), blob, 1_024, 0, 1_024);
      const tail = blob.bytes.subarray(2_048);
      const range = { ...octets, 'content-range': '2048-3066' };
      expectStatus(await closeUpload(fixture.registry, location, blob.digest, tail, range), 416);
      assert.equal(await blobStatus(fixture.registry, repository, blob.digest), 404);
      location = await expectOffset(location, 1_024);
      location = await sendAll(location, blob, 1_024, 1_024, 2_048);
      const put = await closeUpload(fixture.registry, location, blob.digest, tail, range);
      await expectCreated(fixture.registry, put, blob);
    });
  });
}

describe('Pushing a blob in chunks: ranges', () => {
  test('Pushing a blob in chunks: the first must begin with 0', async () => {
    const location = await beginUpload(fixture.registry, fixture.repository());
    expectStatus(await sendChunk(fixture.registry, location, uniqueBytes(10), 1), 416);
    await expectOffset(location, 0);
  });

  test('Pushing a blob in chunks: one that was sent already is 416', async () => {
    const bytes = uniqueBytes(100);
    const location = await beginUpload(fixture.registry, fixture.repository());
    const next = (await sendChunk(fixture.registry, location, bytes, 0)).location();
    expectStatus(await sendChunk(fixture.registry, next, bytes, 0), 416);
    expectStatus(await sendChunk(fixture.registry, next, bytes, 50), 416);
    expectStatus(await sendChunk(fixture.registry, next, bytes, 101), 416);
    await expectOffset(next, 100);
  });

  test('Pushing a blob in chunks: the location of any answer before leads to the session', async () => {
    const blob = content(uniqueBytes(300));
    const first = await beginUpload(fixture.registry, fixture.repository());
    await sendAll(first, blob, 100);
    await expectOffset(first, 300);
  });

  for (const range of ['abc', '0', '0-', '-9', '9-0', 'bytes=0-9', '0-9/10/11', '0x0-0x9', ' '])
    test(`Pushing a blob in chunks: Content-Range "${range}" is refused and takes nothing`, async () => {
      const location = await beginUpload(fixture.registry, fixture.repository());
      const answer = await fixture.registry.ask('PATCH', location, {
        headers: { ...octets, 'content-range': range },
        body: uniqueBytes(10),
      });
      expectStatus(answer, 400, 416);
      await expectOffset(location, 0);
    });

  for (const [range, length] of [
    ['0-9', 11],
    ['0-9', 9],
    ['0-9', 0],
    ['0-999999999999', 10],
  ] as const)
    test(`Pushing a blob in chunks: ${length} bytes for ${range} are refused`, async () => {
      const repository = fixture.repository();
      const location = await beginUpload(fixture.registry, repository);
      const body = uniqueBytes(length);
      const headers = { ...octets, 'content-range': range };
      expectStatus(await fixture.registry.ask('PATCH', location, { headers, body }), 400, 416);
      const status = expectStatus(await fixture.registry.get(location), 204);
      const last = Number(status.header('range')!.slice('0-'.length));
      assert.ok(
        last < Math.min(length, 10) || last <= 0,
        `${last + 1} bytes of ${range} were taken`,
      );
    });

  test('Pushing a blob in chunks: a range that lies about chunked coding is refused', async () => {
    const location = await beginUpload(fixture.registry, fixture.repository());
    const headers = { ...octets, 'content-range': '0-9' };
    for (const bytes of [uniqueBytes(5), uniqueBytes(20)]) {
      const body = eachOf([bytes]);
      expectStatus(await fixture.registry.ask('PATCH', location, { headers, body }), 400, 416);
    }
  });

  test('Pushing a blob in chunks: two that race for one place: one is taken', async () => {
    const blob = content(uniqueBytes(50_000));
    const location = await beginUpload(fixture.registry, fixture.repository());
    const race = [0, 1].map(() => sendChunk(fixture.registry, location, blob.bytes, 0));
    const statuses = (await Promise.all(race)).map(({ status }) => status).sort();
    assert.equal(statuses[0], 202);
    assert.ok([409, 416].includes(statuses[1]!), `${statuses}`);
    const put = await closeUpload(fixture.registry, location, blob.digest);
    await expectCreated(fixture.registry, put, blob);
  });

  test('Pushing a blob in chunks: the way that HTTP writes Content-Range is understood', async () => {
    const blob = content(uniqueBytes(100));
    const location = await beginUpload(fixture.registry, fixture.repository());
    const headers = { ...octets, 'content-range': 'bytes 0-99/*' };
    const answer = await fixture.registry.ask('PATCH', location, { headers, body: blob.bytes });
    const next = expectStatus(answer, 202).location();
    await expectCreated(
      fixture.registry,
      await closeUpload(fixture.registry, next, blob.digest),
      blob,
    );
  });

  test('Pushing a blob in chunks: several streams without ranges follow one another', async () => {
    const blob = content(uniqueBytes(3_000));
    let location = await beginUpload(fixture.registry, fixture.repository());
    for (const at of [0, 1_000, 2_000]) {
      const body = eachOf([blob.bytes.subarray(at, at + 1_000)]);
      const answer = await fixture.registry.ask('PATCH', location, { headers: octets, body });
      expectHeader(expectStatus(answer, 202), 'range', `0-${at + 999}`);
      location = answer.location();
    }
    const put = await closeUpload(fixture.registry, location, blob.digest);
    await expectCreated(fixture.registry, put, blob);
  });

  test('Pushing a blob in chunks: OCI-Chunk-Min-Length, where it is sent, is a number', async (t) => {
    const path = `/v2/${fixture.repository()}/blobs/uploads/`;
    const answer = expectStatus(await fixture.registry.ask('POST', path), 202);
    if (answer.header('oci-chunk-min-length') === undefined)
      return t.skip('the registry has no minimum');
    expectHeader(answer, 'oci-chunk-min-length', /^[1-9][0-9]*$/);
  });

  test('Pushing a blob in chunks: a PUT of too few bytes is 400 and stores nothing', async () => {
    const repository = fixture.repository();
    const blob = content(uniqueBytes(2_000));
    const location = await sendAll(
      await beginUpload(fixture.registry, repository),
      blob,
      1_000,
      0,
      1_000,
    );
    expectError(await closeUpload(fixture.registry, location, blob.digest), 400, 'DIGEST_INVALID');
    assert.equal(await blobStatus(fixture.registry, repository, blob.digest), 404);
  });

  test('Pushing a blob in chunks: the PUT may have the digest twice only where both are one', async () => {
    const blob = content(uniqueBytes(10));
    const location = await beginUpload(fixture.registry, fixture.repository());
    const url = addQuery(location, { digest: [blob.digest, content('other').digest] });
    const answer = await fixture.registry.ask('PUT', url, { body: blob.bytes });
    expectStatus(answer, 201, 400);
  });
});
