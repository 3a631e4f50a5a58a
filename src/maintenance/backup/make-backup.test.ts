import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import test from 'node:test';
import { openSnapshot } from '../../../storage-adapters/metadata/rows/open-rows.ts';
import { day, openScrub } from '../scrubber-test-kit.ts';
import { BackupFolder } from './folder.ts';
import { makeBackup } from './make-backup.ts';

test('what an earlier backup has of a blob that is quarantined since stays, and repairs it', async (t) => {
  const scrub = await openScrub(t);
  const { folder: data, store, clock, pass, addBlob, read, fileOf, kinds } = scrub;
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
      { blobs: true, withKey: false, verify: true },
    );
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
