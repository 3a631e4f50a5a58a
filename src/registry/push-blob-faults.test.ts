import assert from 'node:assert/strict';
import { appendFile, open, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { refuse } from '../oci/errors.ts';
import type { CommandName, CommandWriter } from '../ports/commands.ts';
import type { UploadRow } from '../ports/uploads.ts';
import type { BlobPush } from './push-blob.ts';
import {
  chunk,
  instead,
  openWorld,
  refused,
  source,
  subject,
  withWriters,
} from './registry-test-kit.ts';

const world = await openWorld({ after });
const { metadata, repository, store } = world;
const bytes = Buffer.from('0123456789abcdefghij');
const digest = digestOf(bytes);
const begin = (by: BlobPush) => by.start(repository.id, subject, 'sha256');
const find = (row: UploadRow) => world.blobPush().find(row.id, repository.id, subject);
const fileOf = (row: UploadRow) => join(world.folder, 'blobs', row.id.slice(-2), row.id);
const sizeOf = (row: UploadRow) => stat(fileOf(row)).then(({ size }) => size);

/** The writer, with commands of that name failing as often as `times` says. */
function failing(name: CommandName, kind: 'unavailable' | 'storage-full', times = 1) {
  let left = times;
  return instead<CommandWriter>(metadata.writer, {
    run: (asked, args) =>
      asked === name && left-- > 0
        ? Promise.reject(refuse(kind, 'as the test has it'))
        : metadata.writer.run(asked, args),
  });
}

/** Runs `work`, after which no file of a blob is open that was not open before. */
async function leakless(work: () => Promise<void>): Promise<void> {
  const before = await world.openFiles();
  await work();
  assert.equal(await world.openFiles(), before, 'files left open');
}

async function finishAndRead(by: BlobPush, row: UploadRow): Promise<void> {
  const { offset } = await find(row);
  const options = chunk([offset, bytes.length - 1]);
  await by.finish(row, digest, source(bytes.subarray(offset)), options);
  assert.ok((await world.read(digest)).equals(bytes));
  assert.equal(await metadata.uploads.find(row.id), undefined);
}

describe('another process', () => {
  /** An upload with ten bytes, whose process has ended. */
  async function left(algorithm: 'sha256' | 'sha512' = 'sha256') {
    const first = world.blobPush();
    const row = await first.start(repository.id, subject, algorithm);
    await first.append(row, source(bytes.subarray(0, 10)), chunk());
    await first.close();
    return row;
  }

  test('goes on where the row says', async () => {
    const row = await left();
    await leakless(() => finishAndRead(world.blobPush(), row));
  });

  test('goes on in chunks, and drops what no row tells of', async () => {
    const row = await left();
    await appendFile(fileOf(row), 'bytes that were written, but never acknowledged');
    const second = world.blobPush();
    assert.equal(await second.append(row, source(bytes.subarray(10, 15)), chunk([10, 14])), 15);
    assert.equal(await sizeOf(row), 15);
    await second.close();
    await finishAndRead(world.blobPush(), row);
  });

  test('checks another digest than the session began with', async () => {
    const row = await left();
    const sha512 = digestOf(bytes, 'sha512');
    await world.blobPush().finish(row, sha512, source(bytes.subarray(10)), chunk());
    assert.ok((await world.read(sha512)).equals(bytes));
  });

  test('begins anew where nothing was acknowledged', async () => {
    const row = await begin(world.blobPush());
    const file = await open(fileOf(row), 'w');
    await file.writeFile('left by a process that was killed in its first chunk');
    await file.close();
    await finishAndRead(world.blobPush(), row);
  });

  test('does not go on with bytes that are no longer those', async () => {
    const changes: [string, (row: UploadRow) => Promise<void>][] = [
      ['shorter', (row) => truncate(fileOf(row), 9)],
      [
        'changed',
        async (row) => {
          const file = await open(fileOf(row), 'r+');
          await file.write('X', 5);
          await file.close();
        },
      ],
      ['gone', (row) => store.delete(row.id)],
    ];
    for (const [name, change] of changes) {
      const row = await left();
      await change(row);
      await leakless(async () => {
        const end = world.blobPush().finish(row, digest, source(bytes.subarray(10)), chunk());
        await assert.rejects(end, /upload|stored file/, name);
      });
      await world.blobPush().cancel(row);
    }
  });

  test('reads all at the end where the store hides what is not finished', async () => {
    const hidden = instead(store, {
      open: (key, range) =>
        range ? Promise.reject(refuse('blob-unknown', 'hidden')) : store.open(key),
    });
    const second = world.blobPush({ store: hidden });
    const row = await left();
    await second.append(row, source(bytes.subarray(10, 15)), chunk());
    assert.equal((await find(row)).digestSoFar, undefined, 'nobody knows it');
    await finishAndRead(second, row);
    const bad = await left();
    await refused(second.finish(bad, digest, source('other'), chunk()), 'digest-mismatch');
    assert.equal(await metadata.uploads.find(bad.id), undefined);
  });

  test('refuses a digest that is not that of all bytes, and keeps nothing', async () => {
    const row = await left();
    await leakless(async () => {
      const end = world.blobPush().finish(row, digest, source('other bytes'), chunk());
      await refused(end, 'digest-mismatch');
    });
    assert.ok(!(await world.files()).includes(row.id));
  });
});

describe('a database that fails', () => {
  test('at counting a chunk: the chunk is sent again', async () => {
    const push = world.blobPush({ writer: failing('AdvanceUpload', 'unavailable') });
    const row = await begin(push);
    await leakless(async () => {
      await refused(push.append(row, source(bytes.subarray(0, 10)), chunk()), 'unavailable');
    });
    assert.equal((await find(row)).offset, 0);
    await push.append(row, source(bytes.subarray(0, 10)), chunk([0, 9]));
    await finishAndRead(push, row);
  });

  test('at the end: no blob, and the upload goes on', async () => {
    for (const before of [0, 10]) {
      const push = world.blobPush({ writer: failing('FinishUpload', 'unavailable') });
      const row = await begin(push);
      if (before > 0) await push.append(row, source(bytes.subarray(0, before)), chunk());
      const end = push.finish(row, digest, source(bytes.subarray(before)), chunk());
      await refused(end, 'unavailable');
      assert.equal((await find(row)).offset, before);
      await finishAndRead(push, row);
    }
  });

  test('for want of room: what was not acknowledged is taken back', async () => {
    for (const before of [0, 10]) {
      const push = world.blobPush({ writer: failing('FinishUpload', 'storage-full') });
      const row = await begin(push);
      if (before > 0) await push.append(row, source(bytes.subarray(0, before)), chunk());
      const end = push.finish(row, digest, source(bytes.subarray(before)), chunk());
      await refused(end, 'storage-full');
      assert.equal(await sizeOf(row).catch(() => 0), before);
      await finishAndRead(push, row);
    }
  });

  test('at dropping a bad upload: it is dropped later, and never a blob', async () => {
    const push = world.blobPush({ writer: failing('CancelUpload', 'unavailable') });
    const row = await begin(push);
    await leakless(async () => {
      await refused(push.finish(row, digest, source('other'), chunk()), 'unavailable');
    });
    await push.cancel(row);
    assert.equal(await metadata.uploads.find(row.id), undefined);
  });
});

describe('a store that fails', () => {
  const once = (fail: () => Error, at: 'append' | 'state' | 'commit') => {
    let failed = false;
    return withWriters(store, (writer) => ({
      [at]: async (...args: never[]) => {
        if (failed) return (writer[at] as (...all: never[]) => Promise<unknown>)(...args);
        failed = true;
        throw fail();
      },
    }));
  };
  for (const at of ['append', 'state', 'commit'] as const)
    for (const kind of ['unavailable', 'storage-full'] as const)
      test(`at ${at} (${kind}): nothing is left open, and the upload goes on`, async () => {
        const push = world.blobPush({ store: once(() => refuse(kind, 'the disk'), at) });
        const row = await begin(push);
        if (at === 'commit') {
          await leakless(() =>
            refused(push.finish(row, digest, source(bytes), chunk()), kind).then(() => {}),
          );
        } else {
          await refused(push.append(row, source(bytes), chunk()), kind);
        }
        assert.equal((await find(row)).offset, 0);
        await finishAndRead(push, row);
      });

  test('at making the file: the next request makes it', async () => {
    let failed = false;
    const push = world.blobPush({
      store: instead(store, {
        create: async (...args) => {
          if (failed) return store.create(...args);
          failed = true;
          throw refuse('unavailable', 'the disk');
        },
      }),
    });
    const row = await begin(push);
    await refused(push.append(row, source(bytes), chunk()), 'unavailable');
    await finishAndRead(push, row);
  });
});
