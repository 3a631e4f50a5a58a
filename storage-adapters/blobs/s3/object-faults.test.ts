import assert from 'node:assert/strict';
import { slowDown } from '../../../conformance/faults/s3-proxy.ts';
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
import { faultSuite } from './fault-test-suite.ts';
import { unit } from './test-place.ts';

const size = 3 * unit + 1_000;

faultSuite('S3 that fails for single objects', (fault) => {
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
      if (parts.length === 1) await new Promise((resolve) => setTimeout(resolve, 4_500));
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
