import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { ClaimTable, claimsOf, TableClaims } from './claim-table.ts';
import { expectTurns } from './claims-test-kit.ts';
import { chunk, feed, newKey, openWorld, source, subject } from './registry-test-kit.ts';

test('one process at a time has an upload, and learns whether another wrote since', () => {
  const table = new ClaimTable();
  table.begun('u');
  assert.deepEqual(table.take('u', 'a'), { untouched: true, moved: true });
  assert.throws(() => table.take('u', 'b'), { kind: 'upload-conflict' });
  assert.throws(() => table.take('u', 'a'), { kind: 'upload-conflict' });
  table.release('u', 'b');
  assert.throws(() => table.take('u', 'b'), { kind: 'upload-conflict' }, 'not the one that has it');
  table.release('u', 'a');
  assert.deepEqual(table.take('u', 'a'), { untouched: false, moved: false });
  table.release('u', 'a');
  assert.deepEqual(table.take('u', 'b'), { untouched: false, moved: true });
  table.release('u', 'b');
  // A word of the beginning that comes late changes nothing.
  table.begun('u');
  assert.deepEqual(table.take('u', 'a'), { untouched: false, moved: true });
  table.forget('a');
  assert.deepEqual(table.take('u', 'b'), { untouched: false, moved: true });
  assert.deepEqual(table.take('of before the start', 'a'), { untouched: false, moved: true });
});

test('chunks of one upload go to several processes, one after the other', async (t) => {
  const world = await openWorld(t);
  const table = new ClaimTable();
  const a = world.blobPush({ claims: claimsOf(table, 'a'), newUploadId: () => newKey() });
  const b = world.blobPush({ claims: claimsOf(table, 'b') });
  await expectTurns(world, a, b);
});

test('after one that died in the middle of a chunk another goes on where the row says, and so does the first', async (t) => {
  const world = await openWorld(t);
  const table = new ClaimTable();
  const a = world.blobPush({ claims: claimsOf(table, 'a'), newUploadId: () => newKey() });
  const row = await a.start(world.repository.id, subject, 'sha256');
  assert.equal(await a.append(row, source('kept, '), chunk()), 6);
  // One that dies leaves bytes behind that no row tells of.
  const dying = world.blobPush({ claims: claimsOf(table, 'dying') });
  const body = new PassThrough();
  const lost = dying.append(row, body, chunk()).catch(() => {});
  await feed(body, 'more bytes than what follows');
  table.forget('dying');
  const digest = digestOf(Buffer.from('kept, end'));
  assert.deepEqual(await a.finish(row, digest, source('end'), chunk()), { size: 9 });
  assert.equal((await world.read(digest)).toString(), 'kept, end');
  body.destroy(new Error('dead'));
  await lost;
});

test('a request is answered once its claim is released: the next may come to another process at once', async (t) => {
  const world = await openWorld(t);
  const released = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const claims = new TableClaims({
    begun() {},
    take: async () => ({ untouched: true, moved: false }),
    release() {
      asked.resolve();
      return released.promise;
    },
  });
  const push = world.blobPush({ claims });
  const row = await push.start(world.repository.id, subject, 'sha256');
  let answered = false;
  const sending = push.append(row, source('bytes'), chunk()).then(() => {
    answered = true;
  });
  await asked.promise;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answered, false);
  released.resolve();
  await sending;
});
