import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import test, { after, describe } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import type { UploadRow } from '../ports/uploads.ts';
import {
  chunk,
  expiryMs,
  feed,
  openWorld,
  refused,
  source,
  subject,
  withWriters,
} from './registry-test-kit.ts';

const world = await openWorld({ after });
const { metadata, repository, store } = world;
const push = world.blobPush();
const begin = () => push.start(repository.id, subject, 'sha256');
const find = (row: UploadRow) => push.find(row.id, repository.id, subject);

/** An append that has begun and ends when its source does. */
async function hold(row: UploadRow, first: string) {
  const endless = new PassThrough();
  const appended = push.append(row, endless, chunk());
  await feed(endless, first);
  return { endless, appended };
}

describe('A5: a session', () => {
  test('is for its subject and its repository', async () => {
    const row = await begin();
    assert.deepEqual(await find(row), row);
    for (const [id, repositoryId, who] of [
      [row.id, repository.id, 'tok_2'],
      [row.id, 'repo_2', subject],
      ['upl_none', repository.id, subject],
      ['', '', ''],
    ] as const)
      await refused(push.find(id, repositoryId, who), 'upload-unknown');
    await refused(
      push.append({ ...row, subject: 'tok_2' }, source('x'), chunk()),
      'upload-unknown',
    );
  });

  test('ends when it rests too long, and each chunk renews it', async () => {
    const begun = world.clock.now();
    const row = await begin();
    world.pass(expiryMs - 1);
    await push.append(row, source('a'), chunk());
    world.pass(expiryMs - 1);
    assert.equal((await find(row)).expiresAt, begun + 2 * expiryMs - 1);
    world.pass(1);
    await refused(find(row), 'upload-unknown');
    await refused(push.append(row, source('b'), chunk()), 'upload-unknown');
    const end = push.finish(row, digestOf(Buffer.from('a')), undefined, chunk());
    await refused(end, 'upload-unknown');
  });
});

describe('several requests at once', () => {
  test('one writes, the others are told to wait, and take nothing', async () => {
    const row = await begin();
    const { endless, appended } = await hold(row, 'first ');
    const other = source('other');
    const digest = digestOf(Buffer.from('other'));
    await refused(push.append(row, other, chunk()), 'upload-conflict');
    await refused(push.finish(row, digest, undefined, chunk()), 'upload-conflict');
    await refused(push.cancel(row), 'upload-conflict');
    assert.equal(other.readableFlowing, null, 'its source was not touched');
    endless.end('second');
    assert.equal(await appended, 12);
    await push.finish(row, digestOf(Buffer.from('first second')), undefined, chunk());
    assert.equal(String(await world.read(digestOf(Buffer.from('first second')))), 'first second');
  });

  test('of many that finish, one does', async () => {
    const bytes = Buffer.from('finished once');
    const row = await begin();
    await push.append(row, source(bytes), chunk());
    const all = Array.from({ length: 10 }, () =>
      push.finish(row, digestOf(bytes), undefined, chunk()).then(
        () => 'finished',
        (error: { kind: string }) => error.kind,
      ),
    );
    const outcomes = await Promise.all(all);
    assert.equal(outcomes.filter((outcome) => outcome === 'finished').length, 1);
    assert.deepEqual([...new Set(outcomes)].sort(), ['finished', 'upload-conflict']);
    await refused(push.finish(row, digestOf(bytes), undefined, chunk()), 'upload-unknown');
    assert.ok((await world.read(digestOf(bytes))).equals(bytes));
  });

  test('a row that was read before another request wrote is read again', async () => {
    const row = await begin();
    await push.append(row, source('abc'), chunk());
    assert.equal(row.offset, 0);
    assert.equal(await push.append(row, source('def'), chunk([3, 5])), 6);
    await push.finish(row, digestOf(Buffer.from('abcdef')), undefined, chunk());
  });

  test('many sessions side by side keep to themselves', async () => {
    const texts = Array.from({ length: 20 }, (_, at) => `session ${at} `.repeat(1000));
    await Promise.all(
      texts.map(async (text) => {
        const row = await begin();
        for (let at = 0; at < text.length; at += 4000)
          await push.append(row, source(text.slice(at, at + 4000)), chunk());
        await push.finish(row, digestOf(Buffer.from(text)), undefined, chunk());
      }),
    );
    for (const text of texts)
      assert.equal(String(await world.read(digestOf(Buffer.from(text)))), text);
  });
});

describe('cancel', () => {
  test('ends a session, whether something came or not', async () => {
    for (const text of ['', 'something']) {
      let discarded = 0;
      const by = world.blobPush({ discarded: () => discarded++ });
      const row = await by.start(repository.id, subject, 'sha256');
      if (text) await by.append(row, source(text), chunk());
      await by.cancel(row);
      assert.equal(discarded, 1);
      await refused(find(row), 'upload-unknown');
      await refused(by.append(row, source('x'), chunk()), 'upload-unknown');
      const found = (await metadata.blobs.discardedKeys(100)).find(({ key }) => key === row.id);
      assert.equal(typeof found?.state, 'string');
      await by.cancel(row);
    }
  });

  test('lets go of the file, even where the store fails at it', async (t) => {
    const held = await world.openFiles();
    if (held === undefined) return t.skip('open files are counted by /proc, which Linux alone has');
    let released = 0;
    const by = world.blobPush({
      store: withWriters(store, (writer) => ({
        state: () => (released < 0 ? writer.state() : Promise.reject(new Error('no disk'))),
        release: () => {
          released += 1;
          return writer.release();
        },
      })),
    });
    const row = await by.start(repository.id, subject, 'sha256');
    // What came is not counted where its state cannot be had.
    await assert.rejects(by.append(row, source('abc'), chunk()), /no disk/);
    assert.equal(released, 1);
    assert.equal(await world.openFiles(), held);
    released = -1000;
    await by.append(row, source('abc'), chunk());
    assert.equal(await world.openFiles(), held + 1, 'kept open for the next chunk');
    released = 0;
    await by.cancel(row);
    assert.equal(released, 1);
    assert.equal(await world.openFiles(), held);
    await refused(find(row), 'upload-unknown');
  });
});
