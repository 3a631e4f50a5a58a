import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { type FileHandle, mkdtemp, open, readdir, realpath, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, type TestContext, test } from 'node:test';
import {
  append,
  bytesOf,
  holds,
  keysOf,
  newKey,
  put,
  readAll,
  rejectsWith,
} from '../../contract/blob-store/bench.ts';
import { pathOf } from './paths.ts';
import { createFilesystemBlobStore } from './store.ts';

const MiB = 1 << 20;
const root = await realpath(await mkdtemp(join(tmpdir(), 'gantry-durability-')));
const handle = await open(root, 'r');
const prototype = Object.getPrototypeOf(handle) as FileHandle;
await handle.close();
after(() => rm(root, { recursive: true, force: true }));
const folder = join(root, 'blobs');
const openStore = () => createFilesystemBlobStore({ folder });

type Call = 'writev' | 'datasync' | 'sync';
type Step = (before: () => Promise<unknown>, self: FileHandle) => Promise<unknown>;

/** Puts `step` in place of a method of every file handle. */
function intercept(t: TestContext, call: Call, step: Step): void {
  const original = prototype[call] as (...given: unknown[]) => Promise<unknown>;
  t.mock.method(prototype, call, function (this: FileHandle, ...given: unknown[]) {
    return step(() => original.apply(this, given), this);
  });
}

function failing(code: string): Step {
  return () => Promise.reject(Object.assign(new Error(code), { code }));
}

/** A gate that a call waits at: `reached` when it is there, `open` to let it go on. */
function gate() {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const step: Step = async (before) => {
    reached.resolve();
    await opened.promise;
    return before();
  };
  return { step, reached: reached.promise, open: opened.resolve };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('a blob on the filesystem is durable', () => {
  afterEach(() => rm(folder, { recursive: true, force: true }));

  for (const method of ['commit', 'state'] as const) {
    for (const call of ['datasync', 'sync'] as const) {
      const what = call === 'sync' ? 'its name is' : 'its bytes are';
      test(`${method} waits until ${what} on the disk`, async (t) => {
        const store = await openStore();
        const writer = await store.create(newKey());
        const held = gate();
        intercept(t, call, held.step);
        await append(writer, bytesOf(3 * MiB));
        let done = false;
        const running = writer[method]().then(() => {
          done = true;
        });
        await held.reached;
        await turns();
        assert.equal(done, false);
        held.open();
        await running;
        await writer.release();
      });
    }
  }

  test('the last sync begins when all bytes are written', async (t) => {
    const store = await openStore();
    const writer = await store.create(newKey());
    let written = 0;
    let writing = 0;
    const syncs: { written: number; writing: number }[] = [];
    intercept(t, 'writev', async (before) => {
      writing += 1;
      const result = (await before()) as { bytesWritten: number };
      written += result.bytesWritten;
      writing -= 1;
      return result;
    });
    intercept(t, 'datasync', (before) => {
      syncs.push({ written, writing });
      return before();
    });
    await append(writer, bytesOf(5 * MiB + 1));
    await writer.commit();
    assert.deepEqual(syncs.at(-1), { written: 5 * MiB + 1, writing: 0 });
  });

  test('a commit after a state does not sync again, unless bytes came', async (t) => {
    const store = await openStore();
    let syncs = 0;
    intercept(t, 'datasync', (before) => {
      syncs += 1;
      return before();
    });
    const writer = await store.create(newKey());
    await append(writer, bytesOf(10));
    await writer.state();
    await writer.commit();
    assert.equal(syncs, 1);
    const other = await store.create(newKey());
    await append(other, bytesOf(10));
    await other.state();
    await append(other, bytesOf(10));
    await other.commit();
    assert.equal(syncs, 3);
  });

  test('write-back begins while bytes still come, one sync at a time', async (t) => {
    const store = await openStore();
    let syncing = 0;
    let most = 0;
    let early = 0;
    let appending = true;
    intercept(t, 'datasync', async (before) => {
      if (appending) early += 1;
      syncing += 1;
      most = Math.max(most, syncing);
      await before();
      syncing -= 1;
    });
    const key = newKey();
    const writer = await store.create(key);
    const bytes = bytesOf(100 * MiB);
    await append(writer, bytes);
    appending = false;
    await writer.commit();
    assert.ok(early >= 1, 'syncs before the end');
    assert.equal(most, 1, 'syncs at once');
    await holds(store, key, bytes);
  });

  test('the folders of a new store are durable before it is used', {
    skip: process.platform === 'linux' ? false : 'reads the paths of descriptors from /proc',
  }, async (t) => {
    const synced: string[] = [];
    intercept(t, 'sync', (before, self) => {
      synced.push(readlinkSync(`/proc/self/fd/${self.fd}`));
      return before();
    });
    await createFilesystemBlobStore({ folder: join(folder, 'deep', 'er') });
    assert.deepEqual(synced, [join(folder, 'deep', 'er'), join(folder, 'deep'), folder, root]);
    assert.equal((await readdir(join(folder, 'deep', 'er'))).length, 256);
  });
});

describe('a filesystem that fails', () => {
  afterEach(() => rm(folder, { recursive: true, force: true }));

  for (const [call, code, kind] of [
    ['writev', 'ENOSPC', 'storage-full'],
    ['writev', 'EDQUOT', 'storage-full'],
    ['writev', 'EIO', 'unavailable'],
    ['datasync', 'EIO', 'unavailable'],
    ['datasync', 'ENOSPC', 'storage-full'],
    ['sync', 'EIO', 'unavailable'],
  ] as const) {
    test(`${code} of ${call} is ${kind}, and no later sync makes up for it`, async (t) => {
      const store = await openStore();
      const key = newKey();
      const writer = await store.create(key);
      intercept(t, call, failing(code));
      await rejectsWith(
        (async () => {
          await append(writer, bytesOf(40 * MiB));
          await writer.commit();
        })(),
        kind,
      );
      assert.equal(writer.broken, true);
      t.mock.restoreAll();
      await rejectsWith(writer.commit(), 'unavailable');
      await rejectsWith(writer.state(), 'unavailable');
      await writer.cancel();
      assert.equal(await store.stat(key), undefined);
    });
  }

  test('an append does not resolve before its bytes are with the file', async (t) => {
    const store = await openStore();
    const writer = await store.create(newKey());
    intercept(t, 'writev', failing('ENOSPC'));
    await rejectsWith(append(writer, bytesOf(10)), 'storage-full');
    await writer.cancel();
  });

  test('a write that takes a part of its bytes goes on with the rest', async (t) => {
    const store = await openStore();
    const key = newKey();
    const writer = await store.create(key);
    const original = prototype.writev;
    let calls = 0;
    t.mock.method(prototype, 'writev', function (this: FileHandle, buffers: Buffer[], at: number) {
      calls += 1;
      const taken = Buffer.concat(buffers).subarray(0, 70_001);
      return original.call(this, [taken], at);
    });
    await append(writer, bytesOf(3 * MiB + 5), { chunk: 1_000 });
    await writer.commit();
    assert.ok(calls > 40);
    await holds(store, key, bytesOf(3 * MiB + 5));
  });

  test('a body of single bytes is not gathered by the million', async (t) => {
    const store = await openStore();
    const writer = await store.create(newKey());
    let most = 0;
    const original = prototype.writev;
    t.mock.method(prototype, 'writev', function (this: FileHandle, buffers: Buffer[], at: number) {
      most = Math.max(most, buffers.length);
      return original.call(this, buffers, at);
    });
    await append(writer, bytesOf(5_000), { chunk: 1 });
    await writer.cancel();
    assert.ok(most <= 1024, `${most} buffers in one call`);
  });

  test('a new upload never opens a file that is there', async () => {
    const store = await openStore();
    const key = newKey();
    await put(store, key, bytesOf(10));
    const writer = await store.create(key);
    await rejectsWith(append(writer, bytesOf(5)), 'unavailable');
    await writer.release();
    await holds(store, key, bytesOf(10));
  });

  test('a file that lost its end is no shorter blob, and no upload to go on with', async () => {
    const store = await openStore();
    const key = newKey();
    const writer = await store.create(key);
    await append(writer, bytesOf(2 * MiB));
    const state = await writer.state();
    await writer.release();
    await truncate(pathOf(folder, key).file, MiB);
    await rejectsWith(
      (async () => readAll(await store.open(key, { start: 0, end: 2 * MiB - 1 })))(),
      'unavailable',
    );
    await rejectsWith(store.resume(key, state), 'upload-unknown');
  });

  test('a folder that is gone is unavailable', async () => {
    const store = await openStore();
    await rm(folder, { recursive: true });
    const writer = await store.create(newKey());
    await rejectsWith(append(writer, bytesOf(10)), 'unavailable');
    await rejectsWith(keysOf(store.list()), 'unavailable');
    await rejectsWith(createFilesystemBlobStore({ folder: '/dev/null/blobs' }), 'unavailable');
  });
});
