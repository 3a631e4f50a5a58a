import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { expectError, expectHeader, expectStatus } from './check.ts';
import { content, uniqueBytes } from './content.ts';
import { useServer } from './fixture.ts';
import {
  beginUpload,
  blobStatus,
  closeUpload,
  expectCreated,
  pushBlob,
  sendChunk,
} from './push.ts';

const fixture = useServer({ own: true });

describe('Cancel a blob upload', () => {
  for (const sent of [0, 1_000])
    test(`Cancel a blob upload: after ${sent} bytes it is 204, and the session is over`, async () => {
      const { registry } = fixture;
      const repository = fixture.repository();
      const blob = content(uniqueBytes(2_000));
      let location = await beginUpload(registry, repository);
      if (sent > 0) {
        const chunk = blob.bytes.subarray(0, sent);
        location = expectStatus(await sendChunk(registry, location, chunk, 0), 202).location();
      }
      expectStatus(await registry.delete(location), 204);
      const unknown = 'BLOB_UPLOAD_UNKNOWN';
      expectError(await registry.get(location), 404, unknown);
      expectError(await registry.delete(location), 404, unknown);
      const rest = blob.bytes.subarray(sent);
      expectError(await sendChunk(registry, location, rest, sent), 404, unknown);
      expectError(await closeUpload(registry, location, blob.digest, rest), 404, unknown);
      assert.equal(await blobStatus(registry, repository, blob.digest), 404);
    });

  test('Cancel a blob upload: the bytes are given back', async () => {
    const { registry, server } = fixture;
    const repository = fixture.repository();
    expectStatus(await pushBlob(registry, repository, content(uniqueBytes())), 201);
    const files = async () => {
      const all = await readdir(server.dataFolder, { recursive: true });
      return all.filter((name) => !/\.(?:db|sqlite3?)(?:-wal|-shm)?$/.test(name)).sort();
    };
    const before = await files();
    for (let count = 0; count < 5; count++) {
      const location = await beginUpload(registry, repository);
      expectStatus(await sendChunk(registry, location, uniqueBytes(100_000), 0), 202);
      expectStatus(await registry.delete(location), 204);
    }
    // The answer does not wait for the file system.
    const deadline = Date.now() + 5_000;
    while ((await files()).length > before.length && Date.now() < deadline) await delay(20);
    assert.deepEqual(await files(), before);
  });
});

describe('Resumable Push', () => {
  test('Resumable Push: a restart of the registry loses no byte that it acknowledged', async () => {
    const { registry, server } = fixture;
    const repository = fixture.repository();
    const blobs = (['sha256', 'sha512'] as const).map((algorithm) =>
      content(uniqueBytes(300_000), undefined, algorithm),
    );
    const locations: string[] = [];
    for (const { bytes } of blobs) {
      const location = await beginUpload(registry, repository);
      const answer = await sendChunk(registry, location, bytes.subarray(0, 200_000), 0);
      locations.push(expectStatus(answer, 202).location());
    }
    await server.halt();
    await server.resume();
    for (const [at, blob] of blobs.entries()) {
      const status = expectStatus(await registry.get(locations[at]!), 204);
      expectHeader(status, 'range', '0-199999');
      const rest = blob.bytes.subarray(200_000);
      const sent = await sendChunk(registry, status.location(), rest, 200_000);
      const location = expectStatus(sent, 202).location();
      await expectCreated(registry, await closeUpload(registry, location, blob.digest), blob);
    }
  });

  test('Resumable Push: so does one that was killed', async () => {
    const { registry, server } = fixture;
    const repository = fixture.repository();
    const blob = content(uniqueBytes(300_000));
    const done = content(uniqueBytes(5_000));
    expectStatus(await pushBlob(registry, repository, done), 201);
    let location = await beginUpload(registry, repository);
    const first = await sendChunk(registry, location, blob.bytes.subarray(0, 100_000), 0);
    location = expectStatus(first, 202).location();
    await server.halt('SIGKILL');
    await server.resume();
    const status = expectStatus(await registry.get(location), 204);
    expectHeader(status, 'range', '0-99999');
    const rest = blob.bytes.subarray(100_000);
    const put = await closeUpload(registry, status.location(), blob.digest, rest);
    await expectCreated(registry, put, blob);
    const got = await registry.get(`/v2/${repository}/blobs/${done.digest}`);
    assert.ok(expectStatus(got, 200).body.equals(done.bytes));
  });
});
