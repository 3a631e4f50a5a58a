import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import test, { after, describe } from 'node:test';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { UploadRow } from '../ports/uploads.ts';
import type { BlobPush } from './push-blob.ts';
import { chunk, feed, openWorld, refused, source, subject } from './registry-test-kit.ts';

const world = await openWorld({ after });
const { metadata, repository } = world;
const push = world.blobPush();

const begin = (by: BlobPush = push, algorithm: 'sha256' | 'sha512' = 'sha256') =>
  by.start(repository.id, subject, algorithm);
const find = (row: UploadRow, by: BlobPush = push) => by.find(row.id, repository.id, subject);
const unique = (() => {
  let made = 0;
  return (size = 20): Buffer => Buffer.alloc(size, `blob ${++made} `);
})();
const gone = async (row: UploadRow) => {
  await refused(find(row), 'upload-unknown');
  assert.equal(await metadata.uploads.find(row.id), undefined);
};
const absent = async (digest: Digest) =>
  assert.equal(await metadata.blobs.find(repository.id, digest), undefined);

describe('a blob', () => {
  test('comes in one go', async () => {
    const bytes = unique(3_000_000);
    const row = await begin();
    assert.deepEqual(await push.finish(row, digestOf(bytes), source(bytes), chunk()), {
      size: bytes.length,
    });
    assert.ok((await world.read(digestOf(bytes))).equals(bytes));
    await gone(row);
  });

  test('comes in chunks, and each is counted', async () => {
    const bytes = unique(90);
    const row = await begin();
    for (const at of [0, 30, 60]) {
      const options = chunk([at, at + 29]);
      const offset = await push.append(row, source(bytes.subarray(at, at + 30)), options);
      assert.equal(offset, at + 30);
      const kept = await find(row);
      assert.equal(kept.offset, offset);
      assert.equal(kept.digestSoFar, digestOf(bytes.subarray(0, offset)));
    }
    assert.deepEqual(await push.finish(row, digestOf(bytes), undefined, chunk()), { size: 90 });
    assert.ok((await world.read(digestOf(bytes))).equals(bytes));
  });

  test('comes in chunks, the last with the end', async () => {
    const bytes = unique(90);
    const row = await begin();
    await push.append(row, source(bytes.subarray(0, 50)), chunk());
    await push.finish(row, digestOf(bytes), source(bytes.subarray(50)), chunk([50, 89]));
    assert.ok((await world.read(digestOf(bytes))).equals(bytes));
  });

  test('may be empty, in any way', async () => {
    const empty = digestOf(Buffer.alloc(0));
    await push.finish(await begin(), empty, undefined, chunk());
    await push.finish(await begin(), empty, source(), chunk());
    const row = await begin();
    assert.equal(await push.append(row, source(), chunk()), 0);
    await push.finish(row, empty, undefined, chunk());
    assert.equal((await world.read(empty)).length, 0);
  });

  test('of sha512, said at the start, at the end alone, or after chunks', async () => {
    const cases: ['sha256' | 'sha512', number][] = [
      ['sha512', 0],
      ['sha512', 10],
      ['sha256', 0],
      ['sha256', 10],
    ];
    for (const [algorithm, before] of cases) {
      const bytes = unique();
      const digest = digestOf(bytes, 'sha512');
      const row = await begin(push, algorithm);
      if (before > 0) await push.append(row, source(bytes.subarray(0, before)), chunk());
      await push.finish(row, digest, source(bytes.subarray(before)), chunk());
      assert.ok((await world.read(digest)).equals(bytes), `${algorithm} ${before}`);
    }
  });

  test('of sha256 in a session of sha512 that an empty chunk began', async () => {
    const bytes = unique();
    const row = await begin(push, 'sha512');
    await push.append(row, source(), chunk());
    await push.finish(row, digestOf(bytes), source(bytes), chunk());
    assert.ok((await world.read(digestOf(bytes))).equals(bytes));
  });

  test('that is stored already is stored once', async () => {
    const bytes = unique();
    let discarded = 0;
    const other = world.blobPush({ discarded: () => discarded++ });
    for (const row of [await begin(other), await begin(other)])
      await other.finish(row, digestOf(bytes), source(bytes), chunk());
    assert.equal(discarded, 1);
    const blob = await metadata.blobs.find(repository.id, digestOf(bytes));
    const late = (await metadata.blobs.discardedKeys(100)).at(-1);
    assert.ok(late && late.key !== blob?.key && late.state === undefined);
  });
});

describe('A9: bytes that are not what the digest says', () => {
  const claimed = digestOf(Buffer.from('something else'));
  const cases: [string, Digest, number][] = [
    ['in one go', claimed, 0],
    ['after a chunk', claimed, 10],
    ['sha512 in one go', digestOf(Buffer.from('x'), 'sha512'), 0],
    [
      'sha512 after a chunk, known once all is read again',
      digestOf(claimed as never, 'sha512'),
      10,
    ],
  ];
  for (const [name, digest, before] of cases)
    test(`${name}: refused, and nothing is stored`, async () => {
      const bytes = unique();
      const row = await begin();
      if (before > 0) await push.append(row, source(bytes.subarray(0, before)), chunk());
      const finished = push.finish(row, digest, source(bytes.subarray(before)), chunk());
      const error = await refused(finished, 'digest-mismatch');
      const algorithm = digest.slice(0, 6);
      const received = `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
      assert.deepEqual(error.info.detail, { expected: digest, received });
      await gone(row);
      await absent(digest);
      await absent(received as Digest);
      await refused(push.append(row, source('x'), chunk()), 'upload-unknown');
      const discarded = await metadata.blobs.discardedKeys(100);
      const state = discarded.find(({ key }) => key === row.id)?.state;
      assert.equal(typeof state, 'string', 'the sweep takes what is left of it');
      await world.store.abandon(row.id, state!);
      assert.ok(!(await world.files()).includes(row.id));
    });
});

describe('ranges', () => {
  test('A37: a chunk that does not start where the upload stands takes nothing', async () => {
    const bytes = unique();
    const row = await begin();
    for (const from of [1, 20]) {
      const early = push.append(row, source(bytes), chunk([from, from + 9]));
      const error = await refused(early, 'range-not-satisfiable');
      assert.deepEqual(error.info.detail, { offset: 0 });
    }
    await push.append(row, source(bytes.subarray(0, 10)), chunk([0, 9]));
    for (const from of [0, 9, 11]) {
      const options = chunk([from, from + 9]);
      await refused(push.append(row, source(bytes), options), 'range-not-satisfiable');
      const end = push.finish(row, digestOf(bytes), source(bytes), options);
      await refused(end, 'range-not-satisfiable');
    }
    await push.finish(row, digestOf(bytes), source(bytes.subarray(10)), chunk([10, 19]));
    assert.ok((await world.read(digestOf(bytes))).equals(bytes));
  });

  test('a chunk of another length than it promised is refused, and what came is counted', async () => {
    for (const [promised, came] of [
      [20, 10],
      [10, 20],
    ] as const) {
      const row = await begin();
      const short = push.append(row, source(unique(came)), chunk([0, promised - 1]));
      await refused(short, 'size-invalid');
      assert.equal((await find(row)).offset, came);
    }
  });
});

describe('a blob that is too large', () => {
  test('ends its session as soon as that is known', async () => {
    for (const finish of [false, true]) {
      const row = await begin();
      await push.append(row, source(unique(50)), chunk(undefined, 100));
      const endless = new PassThrough();
      const options = chunk(undefined, 100);
      const digest = digestOf(Buffer.from('x'));
      const work = finish
        ? push.finish(row, digest, endless, options)
        : push.append(row, endless, options);
      endless.write(unique(50));
      endless.write('x');
      await refused(work, 'layer-too-large');
      await gone(row);
      assert.ok(!(await world.files()).includes(row.id));
      endless.destroy();
    }
  });

  test('of just the limit is none', async () => {
    const bytes = unique(100);
    const row = await begin();
    await push.append(row, source(bytes.subarray(0, 50)), chunk(undefined, 100));
    await push.finish(row, digestOf(bytes), source(bytes.subarray(50)), chunk(undefined, 100));
    assert.ok((await world.read(digestOf(bytes))).equals(bytes));
  });
});

describe('a source that is cut', () => {
  const cuts: [string, (endless: PassThrough) => void, RegExp][] = [
    ['by its sender', (endless) => endless.destroy(), /closed the connection/],
    ['by an error', (endless) => endless.destroy(new Error('reset')), /reset/],
  ];
  for (const [name, cut, expected] of cuts)
    test(`${name}: what came is kept, and the upload goes on from there`, async () => {
      const bytes = unique(60);
      const row = await begin();
      await push.append(row, source(bytes.subarray(0, 20)), chunk());
      const endless = new PassThrough();
      const appended = push.append(row, endless, chunk());
      // The bytes are out of the stream before it is cut: what it still holds dies with it.
      await feed(endless, bytes.subarray(20, 40));
      cut(endless);
      await assert.rejects(appended, expected);
      const { offset, digestSoFar } = await find(row);
      assert.equal(offset, 40);
      assert.equal(digestSoFar, digestOf(bytes.subarray(0, 40)));
      await push.finish(row, digestOf(bytes), source(bytes.subarray(40)), chunk());
      assert.ok((await world.read(digestOf(bytes))).equals(bytes));
    });

  test('before it was read: nothing came, and the upload goes on', async () => {
    const bytes = unique();
    const row = await begin();
    const closed = new PassThrough();
    closed.destroy();
    await assert.rejects(push.append(row, closed, chunk()), /closed the connection/);
    assert.equal((await find(row)).offset, 0);
    await push.finish(row, digestOf(bytes), source(bytes), chunk());
  });

  test('while finishing: the session is not over', async () => {
    const bytes = unique();
    const row = await begin();
    const endless = new PassThrough();
    const finished = push.finish(row, digestOf(bytes), endless, chunk());
    await feed(endless, bytes.subarray(0, 5));
    endless.destroy();
    await assert.rejects(finished);
    await absent(digestOf(bytes));
    const { offset } = await find(row);
    await push.finish(row, digestOf(bytes), source(bytes.subarray(offset)), chunk());
    assert.ok((await world.read(digestOf(bytes))).equals(bytes));
  });
});
