import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { append, bytesOf, holds, newKey, readAll, rejectsWith, sourceOf } from './bench.ts';
import type { Cases } from './cases.ts';

export const interrupting: Cases = {
  'a source that fails rejects with its error, keeps what came, and the upload goes on': async (
    bench,
  ) => {
    const { store, unit } = bench;
    const keys = [];
    for (const came of [0, 1_000, unit, 2 * unit + 7]) {
      const key = newKey();
      const bytes = bytesOf(came + unit);
      const writer = await store.create(key);
      const failure = new Error('the client went away');
      const source = sourceOf(bytes.subarray(0, came), { ends: failure });
      await assert.rejects(
        writer.append(source, () => {}),
        failure,
      );
      assert.equal(writer.offset, came);
      assert.equal(writer.broken, false);
      const state = await writer.state();
      await writer.release();
      const next = await (await bench.reopen()).resume(key, state);
      await append(next, bytes.subarray(came));
      await next.commit();
      await holds(store, key, bytes);
      keys.push(key);
    }
    return keys;
  },

  'a source that closes before its end is a failure, and the same writer goes on': async ({
    store,
  }) => {
    const key = newKey();
    const bytes = bytesOf(10_000);
    const writer = await store.create(key);
    const source = sourceOf(bytes.subarray(0, 4_000), { ends: 'closes' });
    await assert.rejects(
      writer.append(source, () => {}),
      { name: 'SourceClosed' },
    );
    await assert.rejects(
      writer.append(source, () => {}),
      { name: 'SourceClosed' },
      'a source that was closed before the call',
    );
    await append(writer, bytes.subarray(writer.offset));
    await writer.commit();
    await holds(store, key, bytes);
    return [key];
  },

  'an HTTP request that is cut is a failure that keeps a prefix': async (bench) => {
    const { store, unit } = bench;
    const key = newKey();
    const bytes = bytesOf(2 * unit);
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = request({ port, method: 'PUT', headers: { 'content-length': 3 * unit } });
    client.on('error', () => {});
    client.write(bytes);
    const [message] = (await once(server, 'request')) as [IncomingMessage];
    const writer = await store.create(key);
    const appending = writer.append(message, () => {
      if (writer.offset > unit) client.destroy();
    });
    await assert.rejects(appending, { code: 'ECONNRESET' });
    server.close();
    assert.ok(writer.offset > unit && writer.offset <= bytes.length);
    const rest = bytes.subarray(writer.offset);
    await append(writer, rest);
    await writer.commit();
    await holds(store, key, bytes);
    return [key];
  },

  'a source that was read to its end before gives nothing': async ({ store }) => {
    const key = newKey();
    const source = sourceOf(bytesOf(10));
    await readAll(source);
    const writer = await store.create(key);
    await writer.append(source, () => assert.fail('no chunk is left'));
    await writer.commit();
    await holds(store, key, Buffer.alloc(0));
    return [key];
  },

  'cancel removes the bytes at any stage, and twice is once': async (bench) => {
    const { store, unit } = bench;
    for (const size of [0, 10, unit, 2 * unit + 10]) {
      for (const withState of [false, true]) {
        const writer = await store.create(newKey());
        await append(writer, bytesOf(size));
        if (withState) await writer.state();
        await Promise.all([writer.cancel(), writer.cancel()]);
        await writer.release();
        assert.deepEqual(await bench.held(), [], `size ${size}`);
      }
    }
    return [];
  },

  'cancel ends an append that runs, with upload-unknown': async ({ store, unit }) => {
    const writer = await store.create(newKey());
    const source = sourceOf(bytesOf(2 * unit + 10), { ends: 'stays open' });
    const { promise: stalled, resolve } = Promise.withResolvers<void>();
    const appending = writer.append(source, () => {
      if (writer.offset >= 2 * unit - (64 << 10)) resolve();
    });
    const outcome = rejectsWith(appending, 'upload-unknown');
    await stalled;
    await writer.cancel();
    await outcome;
    await rejectsWith(append(writer, bytesOf(1)), 'internal');
    source.destroy();
    return [];
  },

  'release ends an append that runs, with unavailable, and the last state stands': async (
    bench,
  ) => {
    const { store, unit } = bench;
    const key = newKey();
    const bytes = bytesOf(3 * unit);
    const writer = await store.create(key);
    await append(writer, bytes.subarray(0, unit + 5));
    const state = await writer.state();
    const source = sourceOf(bytesOf(10, 'lost'), { ends: 'stays open' });
    const { promise: stalled, resolve } = Promise.withResolvers<void>();
    const outcome = rejectsWith(
      writer.append(source, () => resolve()),
      'unavailable',
    );
    await stalled;
    await writer.release();
    await outcome;
    source.destroy();
    const next = await (await bench.reopen()).resume(key, state);
    await append(next, bytes.subarray(unit + 5));
    await next.commit();
    await holds(store, key, bytes);
    return [key];
  },

  'an upload that never got a byte leaves nothing': async (bench) => {
    const writer = await bench.store.create(newKey());
    assert.deepEqual(await bench.held(), []);
    await writer.release();
    return [];
  },
};
