import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import { openSnapshot } from '../../../storage-adapters/metadata/rows/open-rows.ts';
import { day, openScrub } from '../scrubber-test-kit.ts';
import { BackupFolder } from './folder.ts';
import { makeBackup } from './make-backup.ts';

type Scrub = Awaited<ReturnType<typeof openScrub>>;

/** A folder beside its data, and what makes or renews the backup there. */
async function openBackup({ folder: data, store, clock }: Scrub, verify: boolean) {
  const folder = new BackupFolder(join(data, 'backup'));
  await folder.prepare();
  const backup = () =>
    makeBackup(
      {
        ...{ folder, store, clock, key: Buffer.alloc(32), version: '0' },
        openSnapshot: () => openSnapshot({ folder: data, databaseUrl: undefined }),
        holding: { hold: async () => {}, release: async () => {} },
        from: { database: 'sqlite', storage: 'filesystem' },
      },
      { blobs: true, withKey: false, verify },
    );
  return { folder, backup };
}

test('what an earlier backup has of a blob that is quarantined since stays, and repairs it', async (t) => {
  const scrub = await openScrub(t);
  const { pass, addBlob, read, fileOf, kinds } = scrub;
  const { folder, backup } = await openBackup(scrub, true);
  const digest = await addBlob('precious');
  const file = await fileOf(digest);
  await backup();
  await writeFile(file, 'previous');
  pass(31 * day);
  await read();
  assert.deepEqual(await kinds(), { [digest]: 'digest' });
  const second = await backup();
  assert.deepEqual([second.blobs.count, second.blobs.removed], [0, 0]);
  const kept = await readFile(folder.blob(basename(file)), 'latin1');
  assert.equal(kept, 'precious');
  await writeFile(file, kept);
  pass(31 * day);
  await read();
  assert.deepEqual(await kinds(), {});
});

test('what lies among the blobs of a backup and is none is passed over, and named', async (t) => {
  const scrub = await openScrub(t);
  const { addBlob, fileOf } = scrub;
  const { folder, backup } = await openBackup(scrub, false);
  const digest = await addBlob('a blob');
  const key = basename(await fileOf(digest));
  assert.deepEqual((await backup()).blobs.strays, []);
  const at = (...names: string[]) => join(folder.path, 'blobs', ...names);
  await writeFile(at('notes.txt'), 'by hand');
  await mkdir(at(key.slice(-2), 'folder'));
  await writeFile(at(key.slice(-2), 'old-blob'), 'of an image that is gone');
  const { blobs } = await backup();
  assert.deepEqual(blobs.strays, [`blobs/${key.slice(-2)}/folder`, 'blobs/notes.txt'].sort());
  assert.equal(blobs.removed, 1);
  assert.equal(await readFile(at('notes.txt'), 'latin1'), 'by hand', 'it stays');
  assert.equal(await readFile(folder.blob(key), 'latin1'), 'a blob');
  // A file in the place of a folder of blobs: those are missing, and nothing else is wrong.
  const missing = { digest, key: `${key.slice(0, -2)}zz`, size: 1 };
  await writeFile(at('zz'), '');
  await assert.rejects(folder.open(missing), { kind: 'blob-unknown' });
});

test('a blob that the disk cannot read is told, and the others are copied', async (t) => {
  const { folder: data, store, clock, addBlob, fileOf } = await openScrub(t);
  const folder = new BackupFolder(join(data, 'backup'));
  await folder.prepare();
  const bad = await addBlob('unreadable');
  await addBlob('readable');
  const badKey = basename(await fileOf(bad));
  let reads = 0;
  const failing = (code: string) => ({
    ...{ stat: store.stat.bind(store), list: store.list.bind(store) },
    open: async (key: string) => {
      if (key !== badKey) return store.open(key);
      reads += 1;
      return new Readable({
        read() {
          this.push('unr');
          this.destroy(Object.assign(new Error(`${code}: i/o error, read`), { code }));
        },
      });
    },
  });
  const backup = (code: string) =>
    makeBackup(
      {
        ...{ folder, store: failing(code) as never, clock, key: Buffer.alloc(32), version: '0' },
        openSnapshot: () => openSnapshot({ folder: data, databaseUrl: undefined }),
        holding: { hold: async () => {}, release: async () => {} },
        from: { database: 'sqlite', storage: 'filesystem' },
      },
      { blobs: true, withKey: false, verify: false },
    );
  const { blobs } = await backup('EIO');
  assert.deepEqual([blobs.copied.count, blobs.lost.map(({ digest }) => digest)], [1, [bad]]);
  assert.match(blobs.lost[0]!.why, /cannot read/);
  assert.equal(reads, 2, 'it was tried once more');
  // A store that is away is no blob's fault.
  await assert.rejects(backup('ECONNRESET'), /ECONNRESET/);
});
