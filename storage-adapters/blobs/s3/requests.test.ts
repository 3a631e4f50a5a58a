import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { type S3Proxy, startS3Proxy } from '../../../conformance/faults/s3-proxy.ts';
import {
  findVersitygw,
  type S3Server,
  startVersitygw,
} from '../../../conformance/tools/versitygw.ts';
import { append, bytesOf, holds, newKey, put } from '../../contract/blob-store/bench.ts';
import { runCase } from '../../contract/blob-store.ts';
import type { S3BlobStoreOptions } from './options.ts';
import { createS3BlobStore } from './store.ts';
import { s3Subject, storeOptions, unit } from './test-place.ts';

const found = findVersitygw();

describe('S3 requests', 'missing' in found ? { skip: found.missing } : {}, () => {
  let server: S3Server;
  let proxy: S3Proxy;

  before(async () => {
    if ('path' in found) server = await startVersitygw({ program: found.path });
  });
  after(() => server?.stop());
  beforeEach(async () => {
    proxy = await startS3Proxy(server.endpoint);
  });
  afterEach(() => proxy.close());

  const subject = (more: Partial<S3BlobStoreOptions> = {}) =>
    s3Subject(server, { endpoint: proxy.endpoint, ...more });
  const operations = () => proxy.seen.map((seen) => seen.operation);

  test('a blob of up to one part is one PUT, with or without a state before', (t) =>
    runCase(
      subject(),
      async ({ store }) => {
        const keys = [];
        for (const withState of [false, true]) {
          for (const size of [1_000, unit]) {
            const key = newKey();
            const writer = await store.create(key);
            await append(writer, bytesOf(size));
            if (withState) await writer.state();
            await writer.commit();
            keys.push(key);
          }
        }
        assert.deepEqual(operations(), Array(4).fill('PutObject'));
        return keys;
      },
      t,
    ));

  test('a larger blob is sent in parts to where it stays: no copy, no tail', (t) =>
    runCase(
      subject(),
      async ({ store }) => {
        const key = newKey();
        await put(store, key, bytesOf(3 * unit + 10));
        assert.deepEqual(operations(), [
          'CreateMultipartUpload',
          ...Array(4).fill('UploadPart'),
          'CompleteMultipartUpload',
        ]);
        assert.ok(proxy.seen.every((seen) => seen.headers['x-amz-copy-source'] === undefined));
        return [key];
      },
      t,
    ));

  test('bodies carry a checksum for the server, and no second SHA-256', (t) =>
    runCase(
      subject(),
      async ({ store }) => {
        const keys = [newKey(), newKey()];
        await put(store, keys[0]!, bytesOf(10));
        await put(store, keys[1]!, bytesOf(unit + 10));
        const bodies = proxy.seen.filter((seen) => /^(PutObject|UploadPart)$/.test(seen.operation));
        assert.equal(bodies.length, 3);
        for (const { headers } of bodies) {
          assert.match(String(headers['x-amz-checksum-crc32']), /^[A-Za-z0-9+/]{6}==$/);
          assert.equal(headers['x-amz-content-sha256'], 'UNSIGNED-PAYLOAD');
        }
        return keys;
      },
      t,
    ));

  test('parts travel at once, for one upload and for all up to their limits', (t) =>
    runCase(
      subject({ concurrency: 3, maxPartsInFlight: 4 }),
      async ({ store }) => {
        const first = newKey();
        await put(store, first, bytesOf(8 * unit));
        assert.ok(proxy.mostAtOnce('UploadPart') >= 2, 'parts of one upload overlap');
        assert.ok(proxy.mostAtOnce('UploadPart') <= 3, 'parts of one upload at once');
        const keys = Array.from({ length: 4 }, newKey);
        await Promise.all(keys.map((key) => put(store, key, bytesOf(4 * unit, key))));
        assert.ok(proxy.mostAtOnce('UploadPart') <= 4, 'parts of all uploads at once');
        return [first, ...keys];
      },
      t,
    ));

  test('the upload id is recorded before the first part goes', (t) =>
    runCase(
      subject(),
      async ({ store }) => {
        const key = newKey();
        const recorded: string[] = [];
        const writer = await store.create(key, async (state) => {
          assert.equal(operations().includes('UploadPart'), false);
          recorded.push(state);
        });
        await append(writer, bytesOf(10));
        assert.deepEqual(recorded, []);
        await append(writer, bytesOf(2 * unit));
        assert.equal(recorded.length, 1);
        // What a process leaves that ends here goes by what was recorded.
        await writer.release();
        await store.abandon(key, recorded[0]!);
        return [];
      },
      t,
    ));

  test('where the id cannot be recorded no part goes', (t) =>
    runCase(
      subject(),
      async ({ store }) => {
        const refusal = new Error('the database is away');
        const writer = await store.create(newKey(), () => Promise.reject(refusal));
        await assert.rejects(append(writer, bytesOf(2 * unit)), { cause: refusal });
        assert.equal(writer.broken, true);
        assert.equal(operations().includes('UploadPart'), false);
        await writer.cancel();
        return [];
      },
      t,
    ));

  test('tails go while the upload runs, and only after its Complete at its end', (t) =>
    runCase(
      subject(),
      async (bench) => {
        const key = newKey();
        const writer = await bench.store.create(key);
        await append(writer, bytesOf(unit));
        for (let chunk = 0; chunk < 6; chunk += 1) {
          await append(writer, bytesOf(1_000));
          await writer.state();
          const tails = (await bench.held()).filter((name) => name.includes('/tails/'));
          assert.ok(tails.length <= 2, `${tails.length} tails after chunk ${chunk}`);
        }
        const before = operations().length;
        await writer.commit();
        assert.deepEqual(operations().slice(before), [
          'UploadPart',
          'CompleteMultipartUpload',
          'DeleteObject',
          'DeleteObject',
        ]);
        return [key];
      },
      t,
    ));

  test('a link is a URL of the public endpoint that gives the blob, whole and by range', (t) =>
    runCase(
      subject({ redirect: true, publicEndpoint: server.endpoint, linkLifetime: 300 }),
      async ({ store }) => {
        const key = newKey();
        await put(store, key, bytesOf(10_000));
        const before = operations().length;
        const url = await store.link?.(key);
        assert.ok(url);
        assert.equal(url.origin, server.endpoint);
        assert.equal(url.searchParams.get('X-Amz-Expires'), '300');
        const whole = await fetch(url);
        assert.equal(whole.status, 200);
        assert.ok(Buffer.from(await whole.arrayBuffer()).equals(bytesOf(10_000)));
        const part = await fetch(url, { headers: { range: 'bytes=10-19' } });
        assert.equal(part.status, 206);
        assert.ok(Buffer.from(await part.arrayBuffer()).equals(bytesOf(10_000).subarray(10, 20)));
        url.searchParams.set('X-Amz-Expires', '3000');
        assert.equal((await fetch(url)).status, 403);
        assert.equal(operations().length, before, 'none of it passed the store');
        return [key];
      },
      t,
    ));

  test('there is no link without both redirect and a public endpoint', async () => {
    for (const more of [{}, { redirect: true }, { publicEndpoint: server.endpoint }]) {
      const store = createS3BlobStore(storeOptions(server, more));
      assert.equal(await store.link?.(newKey()), undefined);
      await store.close();
    }
  });

  test('an upload keeps its part size under a changed setting', (t) =>
    runCase(
      subject(),
      async ({ store, reopen }) => {
        const key = newKey();
        const bytes = bytesOf(5 * unit + 10);
        const writer = await store.create(key);
        await append(writer, bytes.subarray(0, 2 * unit + 10));
        const state = await writer.state();
        await writer.release();
        const other = createS3BlobStore(storeOptions(server, { partSize: 2 * unit + 1 }));
        const next = await other.resume(key, state);
        await append(next, bytes.subarray(2 * unit + 10));
        await next.commit();
        await holds(await reopen(), key, bytes);
        await other.close();
        return [key];
      },
      t,
    ));
});

test('parts are as large as the largest layer needs, and never smaller than S3 takes', () => {
  const partSize = (more: Partial<S3BlobStoreOptions>) =>
    createS3BlobStore({ bucket: 'b', ...more }).minChunk;
  assert.equal(partSize({}), 8 << 20);
  assert.equal(partSize({ maxLayerSize: 80e9 }), 8 << 20);
  const huge = partSize({ maxLayerSize: 1e12 });
  assert.ok(huge * 10_000 >= 1e12 && huge % (1 << 20) === 0);
  assert.throws(() => partSize({ partSize: unit - 1 }), RangeError);
});
