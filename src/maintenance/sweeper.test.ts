import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { refuse } from '../oci/errors.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { BlobPush } from '../registry/push-blob.ts';
import {
  chunk,
  expiryMs,
  feed,
  instead,
  newKey,
  openWorld,
  refused,
  source,
  subject,
} from '../registry/registry-test-kit.ts';
import { Sweeper, type SweeperDeps } from './sweeper.ts';

const never = 2 ** 30;

async function open(t: TestContext) {
  const world = await openWorld(t);
  const { metadata, store, clock, repository } = world;
  const push = world.blobPush();
  const failures: unknown[] = [];
  const sweeper = (more: Partial<SweeperDeps> = {}): Sweeper => {
    const made = new Sweeper(
      {
        store,
        blobs: metadata.blobs,
        uploads: metadata.uploads,
        trash: metadata.trash,
        writer: metadata.writer,
        clock,
        cancel: (row) => push.cancel(row),
        failed: (cause) => failures.push(cause),
        ...more,
      },
      never,
    );
    t.after(() => made.stop());
    return made;
  };
  const sweep = async (more?: Partial<SweeperDeps>): Promise<void> => {
    const made = sweeper(more);
    made.wake();
    await made.idle();
  };
  const begin = async (text: string, by: BlobPush = push) => {
    const row = await by.start(repository.id, subject, 'sha256');
    if (text) await by.append(row, source(text), chunk());
    return row;
  };
  /** A file whose key is discarded, as after a cancel. */
  const discard = async (): Promise<string> => {
    const row = await begin('discarded');
    await push.cancel(row);
    return row.id;
  };
  const waiting = async () =>
    (await metadata.blobs.discardedKeys(1000)).map(({ key }) => key).sort();
  return { ...world, push, failures, sweeper, sweep, begin, discard, waiting };
}

test('uploads that rested too long end, and their bytes go', async (t) => {
  const { push, begin, sweep, pass, files, waiting, metadata, repository, failures } =
    await open(t);
  const old = [await begin('old'), await begin('')];
  pass(1);
  const young = await begin('young');
  pass(expiryMs - 1);
  await sweep();
  for (const { id } of old) assert.equal(await metadata.uploads.find(id), undefined);
  assert.deepEqual(await files(), [young.id]);
  assert.deepEqual(await waiting(), []);
  const row = await push.find(young.id, repository.id, subject);
  await push.finish(row, digestOf(Buffer.from('young')), undefined, chunk());
  assert.deepEqual(failures, []);
});

test('uploads of a process that ended are swept, too', async (t) => {
  const { blobPush, begin, sweep, pass, files } = await open(t);
  const former = blobPush();
  await begin('former', former);
  await former.close();
  pass(expiryMs);
  await sweep();
  assert.deepEqual(await files(), []);
});

test('an upload in use is left alone, and swept once it rests', async (t) => {
  const { push, begin, sweep, pass, metadata, files, failures } = await open(t);
  const row = await begin('');
  const endless = new PassThrough();
  const appended = push.append(row, endless, chunk());
  await feed(endless, 'slow');
  pass(expiryMs);
  await sweep();
  assert.ok(await metadata.uploads.find(row.id));
  endless.end();
  assert.equal(await appended, 4);
  await sweep();
  assert.ok(await metadata.uploads.find(row.id), 'what came has renewed it');
  pass(expiryMs);
  await sweep();
  assert.equal(await metadata.uploads.find(row.id), undefined);
  assert.deepEqual(await files(), []);
  assert.deepEqual(failures, []);
});

test('an upload that was renewed since it was listed is not ended', async (t) => {
  const { begin, sweep, metadata } = await open(t);
  const row = await begin('renewed');
  const uploads = instead(metadata.uploads, { expired: () => [{ ...row, expiresAt: 0 }] });
  await sweep({ uploads });
  assert.ok(await metadata.uploads.find(row.id));
});

test('a page of uploads that are all in use does not keep the process busy for ever', async (t) => {
  const { push, begin, sweeper, pass } = await open(t);
  const held = [];
  for (let at = 0; at < 100; at++) {
    const endless = new PassThrough();
    held.push({ endless, appended: push.append(await begin(''), endless, chunk()) });
    await feed(endless, 'slow');
  }
  pass(expiryMs);
  let asked = 0;
  const made = sweeper({
    cancel: (row) => {
      // Without an end nothing else would get a turn, not even the time limit of this test.
      if (++asked > 1000) process.exit(1);
      return push.cancel(row);
    },
  });
  made.wake();
  await made.idle();
  assert.equal(asked, 100);
  for (const { endless, appended } of held) {
    endless.end();
    await appended;
  }
});

test('bytes that lost to an equal blob go, and the blob stays', async (t) => {
  const { push, begin, sweep, files, read } = await open(t);
  const digest = digestOf(Buffer.from('twice'));
  for (let time = 0; time < 2; time++)
    await push.finish(await begin('twice'), digest, undefined, chunk());
  assert.equal((await files()).length, 2);
  await sweep();
  assert.equal((await files()).length, 1);
  assert.equal(String(await read(digest)), 'twice');
});

test('a crash between the bytes and the row: the next sweep goes on', async (t) => {
  const { discard, sweep, files, waiting, metadata, failures } = await open(t);
  const key = await discard();
  const writer = instead(metadata.writer, {
    run: () => Promise.reject(refuse('unavailable', 'crashed')),
  });
  await sweep({ writer });
  assert.deepEqual(await files(), []);
  assert.deepEqual(await waiting(), [key]);
  assert.equal(failures.length, 1);
  await sweep();
  assert.deepEqual(await waiting(), []);
  assert.equal(failures.length, 1);
});

test('one that cannot be removed does not keep the others', async (t) => {
  const { discard, sweep, waiting, store, failures, begin, pass, push, metadata } = await open(t);
  const keys = [await discard(), await discard(), await discard()].sort();
  const bad = keys[1]!;
  const [stuck, old] = [await begin('stuck'), await begin('old')];
  pass(expiryMs);
  await sweep({
    store: instead(store, {
      abandon: (key, state) =>
        key === bad ? Promise.reject(refuse('unavailable', 'bad key')) : store.abandon(key, state),
    }),
    cancel: (row) =>
      row.id === stuck.id ? Promise.reject(new Error('bad row')) : push.cancel(row),
  });
  assert.deepEqual(await waiting(), [bad]);
  assert.equal(await metadata.uploads.find(old.id), undefined);
  assert.deepEqual(failures.map(String), ['Error: bad row', 'RegistryError: bad key']);
  await sweep();
  assert.deepEqual(await waiting(), []);
});

test('a page that fails as a whole is tried again later, not at once', async (t) => {
  const { sweep, store, metadata, failures } = await open(t);
  const blobs = instead(metadata.blobs, {
    discardedKeys: (limit) => Array.from({ length: limit }, () => ({ key: newKey(), state: '' })),
  });
  let asked = 0;
  await sweep({
    blobs,
    store: instead(store, {
      abandon: () => {
        asked += 1;
        return Promise.reject(refuse('unavailable', 'down'));
      },
    }),
  });
  assert.equal(asked, 100);
  assert.equal(failures.length, 1, 'one line in the log');
});

test('one wake takes all pages', async (t) => {
  const { discard, sweep, files, waiting, begin, pass } = await open(t);
  for (let at = 0; at < 120; at++) await discard();
  for (let at = 0; at < 120; at++) await begin('');
  pass(expiryMs);
  await sweep();
  assert.deepEqual(await waiting(), []);
  assert.deepEqual(await files(), []);
});

test('bytes are removed eight at once, and forgotten by one write', async (t) => {
  const { discard, sweep, waiting, store } = await open(t);
  for (let at = 0; at < 8 + 4; at++) await discard();
  const all = Promise.withResolvers<void>();
  const left: number[] = [];
  const abandon: BlobStore['abandon'] = async (key, state) => {
    if (left.push((await waiting()).length) === 8) all.resolve();
    await all.promise;
    await store.abandon(key, state);
  };
  await sweep({ store: instead(store, { abandon }) });
  assert.deepEqual(left, [...Array(8).fill(12), ...Array(4).fill(4)]);
  assert.deepEqual(await waiting(), []);
});

test('many wakes make one sweep, and one more for what came meanwhile', async (t) => {
  const { sweeper, metadata } = await open(t);
  let asked = 0;
  const uploads = instead(metadata.uploads, {
    expired: () => {
      asked += 1;
      return [];
    },
  });
  const made = sweeper({ uploads });
  for (let time = 0; time < 10; time++) made.wake();
  await made.idle();
  assert.equal(asked, 2);
});

test('where the database fails, it is told, and the next wake tries again', async (t) => {
  const { sweeper, metadata, failures } = await open(t);
  let asked = 0;
  const uploads = instead(metadata.uploads, {
    expired: () => {
      if (++asked === 1) throw refuse('unavailable', 'down');
      return [];
    },
  });
  const made = sweeper({ uploads });
  made.wake();
  await made.idle();
  made.wake();
  await made.idle();
  assert.equal(asked, 2);
  assert.equal(failures.length, 1);
});

test('after stop nothing is begun, and what runs ends at its next step', async (t) => {
  const { discard, sweeper, store, waiting } = await open(t);
  for (let at = 0; at < 8 + 4; at++) await discard();
  const made: Sweeper = sweeper({
    store: instead(store, {
      abandon: async (key, state) => {
        stopped ??= made.stop();
        await store.abandon(key, state);
      },
    }),
  });
  let stopped: Promise<void> | undefined;
  made.wake();
  await made.idle();
  await stopped;
  assert.equal((await waiting()).length, 4);
  made.wake();
  await made.idle();
  assert.equal((await waiting()).length, 4);
});

test('what a sweep leaves of a cancelled upload is not there for its owner', async (t) => {
  const { begin, sweep, pass, push, repository } = await open(t);
  const row = await begin('gone');
  pass(expiryMs);
  await sweep();
  await refused(push.find(row.id, repository.id, subject), 'upload-unknown');
});
