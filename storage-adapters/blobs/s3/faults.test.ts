import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { type S3Proxy, slowDown, startS3Proxy } from '../../../conformance/faults/s3-proxy.ts';
import {
  findVersitygw,
  type S3Server,
  startVersitygw,
} from '../../../conformance/tools/versitygw.ts';
import type { BlobStore } from '../../../src/ports/blob-store.ts';
import {
  append,
  bytesOf,
  holds,
  keysOf,
  newKey,
  put,
  readAll,
  rejectsWith,
  sourceOf,
} from '../../contract/blob-store/bench.ts';
import { runCase } from '../../contract/blob-store.ts';
import { s3Subject, unit } from './test-place.ts';

/** What a case gets: a store that speaks through the proxy, and what its row would have kept. */
interface Faulty {
  readonly store: BlobStore;
  readonly proxy: S3Proxy;
  readonly reopen: () => Promise<BlobStore>;
}

const size = 3 * unit + 1_000;
const found = findVersitygw();
// The cases wait for time-outs and for pauses between tries, so several run at once, each with a bucket.
const options = 'missing' in found ? { skip: found.missing } : { concurrency: 8 };

describe('S3 that fails', options, () => {
  let server: S3Server;
  let buckets = 0;

  before(async () => {
    if ('path' in found) server = await startVersitygw({ program: found.path });
  });
  after(() => server?.stop());

  /** A case that gives the keys which it committed; nothing else may be left. */
  function fault(name: string, run: (faulty: Faulty, t: TestContext) => Promise<string[]>) {
    test(name, { timeout: 120_000 }, async (t) => {
      buckets += 1;
      const place = await server.withBucket(`faults-${buckets}`);
      const proxy = await startS3Proxy(server.endpoint);
      const more = { endpoint: proxy.endpoint, idleTimeout: 1_000, completeTimeout: 2_000 };
      const subject = s3Subject(place, more);
      try {
        await runCase(
          subject,
          async ({ store, reopen }) => {
            const committed = await run({ store, proxy, reopen }, t);
            proxy.heal();
            return committed;
          },
          t,
        );
      } finally {
        await proxy.close();
      }
    });
  }

  for (const [what, strike] of [
    ['503 SlowDown', slowDown],
    ['silence', { kind: 'hang' }],
    ['a cut in mid-part', { kind: 'cut', after: unit / 2 }],
    ['a lost answer', { kind: 'lose answer' }],
  ] as const) {
    fault(`a part that meets ${what} is sent again`, async ({ store, proxy }) => {
      const key = newKey();
      proxy.break({ on: 'UploadPart', fault: strike, times: 2 });
      await put(store, key, bytesOf(size));
      assert.equal(proxy.seen.filter((seen) => seen.fault === strike.kind).length, 2);
      await holds(store, key, bytesOf(size));
      return [key];
    });

    fault(
      `parts that meet nothing but ${what} are unavailable, and the last state goes on`,
      async ({ store, proxy, reopen }) => {
        const key = newKey();
        const bytes = bytesOf(size);
        let recorded = '';
        const record = async (state: string) => {
          recorded = state;
        };
        const writer = await store.create(key, record);
        await append(writer, bytes.subarray(0, unit + 10));
        recorded = await writer.state();
        proxy.break({ on: 'UploadPart', fault: strike });
        await rejectsWith(
          (async () => {
            await append(writer, bytes.subarray(unit + 10));
            await writer.commit();
          })(),
          'unavailable',
        );
        assert.equal(writer.broken, true);
        await rejectsWith(writer.commit(), 'unavailable');
        assert.equal(await store.stat(key), undefined, 'nothing is committed');
        await writer.release();
        proxy.heal();
        const next = await (await reopen()).resume(key, recorded, record);
        await append(next, bytes.subarray(next.offset));
        await next.commit();
        await holds(store, key, bytes);
        return [key];
      },
    );
  }

  fault(
    'a part that is changed on its way is refused by its checksum',
    async ({ store, proxy }) => {
      proxy.break({ on: 'UploadPart', fault: { kind: 'corrupt' } });
      const writer = await store.create(newKey());
      await rejectsWith(
        (async () => {
          await append(writer, bytesOf(size));
          await writer.commit();
        })(),
        'unavailable',
      );
      await writer.cancel();
      return [];
    },
  );

  fault('a small blob that is changed on its way is refused by its checksum', async (faulty) => {
    faulty.proxy.break({ on: 'PutObject', fault: { kind: 'corrupt' } });
    const writer = await faulty.store.create(newKey());
    await append(writer, bytesOf(1_000));
    await rejectsWith(writer.commit(), 'unavailable');
    await writer.cancel();
    return [];
  });

  for (const times of [1, Number.POSITIVE_INFINITY]) {
    fault(
      `a blob whose Complete worked and lost its answer ${times} times is whole`,
      async ({ store, proxy }) => {
        const key = newKey();
        proxy.break({ on: 'CompleteMultipartUpload', fault: { kind: 'lose answer' }, times });
        await put(store, key, bytesOf(size));
        await holds(store, key, bytesOf(size));
        return [key];
      },
    );
  }

  fault(
    'a lost Complete that cannot be looked into is no success, and a resume finds it done',
    async ({ store, proxy, reopen }) => {
      const key = newKey();
      const writer = await store.create(key);
      await append(writer, bytesOf(size));
      const state = await writer.state();
      proxy.break(
        { on: 'CompleteMultipartUpload', fault: { kind: 'lose answer' } },
        { on: 'HeadObject', fault: slowDown },
      );
      await rejectsWith(writer.commit(), 'unavailable');
      await writer.release();
      proxy.heal();
      const next = await (await reopen()).resume(key, state);
      assert.equal(next.offset, size);
      assert.equal(await next.state(), state);
      await next.commit();
      await holds(store, key, bytesOf(size));
      return [key];
    },
  );

  for (const strike of [slowDown, { kind: 'hang' }] as const) {
    fault(
      `a Complete that meets ${strike.kind} only is unavailable, and can be tried later`,
      async ({ store, proxy, reopen }) => {
        const key = newKey();
        const writer = await store.create(key);
        await append(writer, bytesOf(size));
        const state = await writer.state();
        proxy.break({ on: 'CompleteMultipartUpload', fault: strike });
        await rejectsWith(writer.commit(), 'unavailable');
        assert.equal(await store.stat(key), undefined);
        await writer.release();
        proxy.heal();
        const next = await (await reopen()).resume(key, state);
        await next.commit();
        await holds(store, key, bytesOf(size));
        return [key];
      },
    );
  }

  fault('an upload whose beginning lost its answer leaves no second one', async (faulty) => {
    const key = newKey();
    const strike = { kind: 'lose answer' } as const;
    faulty.proxy.break({ on: 'CreateMultipartUpload', fault: strike, times: 1 });
    await put(faulty.store, key, bytesOf(size));
    await holds(faulty.store, key, bytesOf(size));
    return [key];
  });

  for (const [on, strike] of [
    ['PutObject', slowDown],
    ['PutObject', { kind: 'cut', after: 100 }],
    ['PutObject', { kind: 'hang' }],
  ] as const) {
    fault(
      `a small blob that meets ${strike.kind} is sent again, then unavailable`,
      async ({ store, proxy }) => {
        const key = newKey();
        proxy.break({ on, fault: strike, times: 2 });
        await put(store, key, bytesOf(1_000));
        proxy.break({ on, fault: strike });
        const writer = await store.create(newKey());
        await append(writer, bytesOf(1_000));
        await rejectsWith(writer.commit(), 'unavailable');
        proxy.heal();
        await writer.cancel();
        await holds(store, key, bytesOf(1_000));
        return [key];
      },
    );
  }

  fault('a tail that cannot be stored is no state', async ({ store, proxy }) => {
    const writer = await store.create(newKey());
    await append(writer, bytesOf(unit + 10));
    proxy.break({ on: 'PutObject', path: '/tails/', fault: slowDown });
    await rejectsWith(writer.state(), 'unavailable');
    assert.equal(writer.broken, true);
    proxy.heal();
    await writer.cancel();
    return [];
  });

  fault('a full bucket is storage-full', async ({ store, proxy }) => {
    for (const [status, code] of [
      [507, 'InsufficientStorage'],
      [400, 'QuotaExceeded'],
    ] as const) {
      proxy.break({ on: 'PutObject', fault: { kind: 'refuse', status, code } });
      const writer = await store.create(newKey());
      await append(writer, bytesOf(10));
      await rejectsWith(writer.commit(), 'storage-full');
      proxy.heal();
      await writer.cancel();
    }
    return [];
  });

  fault('a body that is cut short fails and never ends early', async ({ store, proxy }) => {
    const key = newKey();
    await put(store, key, bytesOf(unit));
    for (const kind of ['truncate answer', 'stall answer'] as const) {
      proxy.break({ on: 'GetObject', fault: { kind, after: 100_000 }, times: 1 });
      await rejectsWith(readAll(await store.open(key)), 'unavailable');
    }
    return [key];
  });

  fault('a reader that takes its time is no silence', async ({ store }) => {
    const key = newKey();
    await put(store, key, bytesOf(4 * unit));
    const stream = await store.open(key);
    const parts: Buffer[] = [];
    for await (const chunk of stream) {
      // Longer than the store waits for a server, while the rest of the body waits in the sockets.
      if (parts.length === 1) await new Promise((resolve) => setTimeout(resolve, 2_000));
      parts.push(chunk as Buffer);
    }
    assert.ok(Buffer.concat(parts).equals(bytesOf(4 * unit)));
    return [key];
  });

  fault('an answer of 503 to every question is unavailable', async ({ store, proxy }) => {
    const key = newKey();
    for (const on of ['HeadObject', 'GetObject', 'DeleteObject', 'ListObjects'] as const) {
      proxy.break({ on, fault: slowDown });
    }
    await Promise.all([
      rejectsWith(store.stat(key), 'unavailable'),
      rejectsWith(store.open(key), 'unavailable'),
      rejectsWith(store.delete(key), 'unavailable'),
      rejectsWith(keysOf(store.list()), 'unavailable'),
    ]);
    return [];
  });

  fault('cancel does not wait for a server that is silent', async ({ store, proxy }) => {
    const writer = await store.create(newKey());
    proxy.break({ on: 'UploadPart', fault: { kind: 'hang' } });
    const struck = proxy.struck('hang');
    const source = sourceOf(bytesOf(size), { ends: 'stays open' });
    const outcome = rejectsWith(
      writer.append(source, () => {}),
      'upload-unknown',
    );
    await struck;
    await writer.cancel();
    await outcome;
    source.destroy();
    return [];
  });
});
