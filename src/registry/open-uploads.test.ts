import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { OpenUploads } from './open-uploads.ts';
import {
  chunk,
  instead,
  newKey,
  openWorld,
  source,
  subject,
  type World,
} from './registry-test-kit.ts';

/** A writer of the real store that has its file open, as between two chunks. */
async function openUpload(world: World, key = newKey()) {
  const writer = await world.store.create(key);
  await writer.append(source('abc'), () => {});
  return { writer, hash: undefined, algorithm: 'sha256' as const };
}

async function countable(t: TestContext): Promise<World | undefined> {
  const world = await openWorld(t);
  if ((await world.openFiles()) !== undefined) return world;
  t.skip('open files are counted by /proc, which Linux alone has');
  return undefined;
}

/** Until as many files are open: letting go of one takes a turn or more of the event loop. */
async function settled(world: World, expected: number): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    if ((await world.openFiles()) === expected) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await world.openFiles(), expected);
}

test('what is put is taken once', async (t) => {
  const world = await openWorld(t);
  const uploads = new OpenUploads();
  const upload = await openUpload(world);
  uploads.put('a', upload);
  assert.equal(uploads.take('b'), undefined);
  assert.equal(uploads.take('a'), upload);
  assert.equal(uploads.take('a'), undefined);
  await uploads.close();
  assert.equal(await upload.writer.state(), '{"offset":3}', 'who took it has it still');
  await upload.writer.release();
});

test('one request at a time has an upload', () => {
  const uploads = new OpenUploads();
  assert.ok(uploads.acquire('a'));
  assert.ok(!uploads.acquire('a'));
  assert.ok(uploads.acquire('b'));
  uploads.release('a');
  assert.ok(uploads.acquire('a'));
});

test('the first write is told once, and only of what began here', () => {
  const uploads = new OpenUploads();
  uploads.begun('a');
  assert.deepEqual(
    ['a', 'a', 'b'].map((id) => uploads.firstWrite(id)),
    [true, false, false],
  );
});

test('A31: those that rest hold a bounded number of files', async (t) => {
  const world = await countable(t);
  if (!world) return;
  const uploads = new OpenUploads();
  for (let at = 0; at < 140; at++) uploads.put(`${at}`, await openUpload(world));
  await settled(world, 128);
  assert.equal(uploads.take('0'), undefined, 'the oldest went first');
  const last = uploads.take('139')!;
  await uploads.close();
  await settled(world, 1);
  await last.writer.release();
  assert.equal(await world.openFiles(), 0);
});

test('one that broke, or comes back after the end, is let go', async (t) => {
  const world = await countable(t);
  if (!world) return;
  const uploads = new OpenUploads();
  const broken = await openUpload(world);
  uploads.put('broken', { ...broken, writer: instead(broken.writer, { broken: true }) });
  await settled(world, 0);
  assert.equal(uploads.take('broken'), undefined);
  await uploads.close();
  uploads.put('late', await openUpload(world));
  await settled(world, 0);
  assert.equal(uploads.take('late'), undefined);
});

test('an upload that was let go meanwhile goes on from its row', async (t) => {
  const world = await openWorld(t);
  const push = world.blobPush();
  const rows = [];
  for (let at = 0; at < 130; at++) {
    const row = await push.start(world.repository.id, subject, 'sha256');
    await push.append(row, source(`${at}-`), chunk());
    rows.push(row);
  }
  for (const [at, row] of [
    [0, rows[0]!],
    [129, rows[129]!],
  ] as const) {
    const bytes = Buffer.from(`${at}-end`);
    await push.finish(row, digestOf(bytes), source('end'), chunk());
    assert.ok((await world.read(digestOf(bytes))).equals(bytes));
  }
});
