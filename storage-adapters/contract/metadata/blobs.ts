import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { addBlob, digest, ensure, manifest, now, path, populate, refused } from './fixture.ts';

/** Uploads, blobs, their links and what is discarded. */
export function blobsContract(open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>) {
  test('an upload goes forward by compare-and-set, and becomes a blob', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const id = 'upl_1';
    await db.writer.run('StartUpload', {
      id,
      repositoryId: repository.id,
      subject: 'tok_1',
      algorithm: 'sha512',
      now,
      expiresAt: now + 10,
    });
    const step = { id, storeState: 's1', digestSoFar: digest('x'), expiresAt: now + 20 };
    await db.writer.run('AdvanceUpload', { ...step, from: 0, to: 5 });
    await refused(db.writer.run('AdvanceUpload', { ...step, from: 0, to: 9 }), 'upload-conflict');
    assert.deepEqual(await db.uploads.find(id), {
      id,
      repositoryId: repository.id,
      subject: 'tok_1',
      algorithm: 'sha512',
      offset: 5,
      digestSoFar: digest('x'),
      storeState: 's1',
      expiresAt: now + 20,
    });
    assert.deepEqual(await db.uploads.expired(now + 19, 10), []);
    assert.equal((await db.uploads.expired(now + 20, 10)).length, 1);
    const finish = { id, repositoryId: repository.id, digest: digest('bytes'), size: 5, now };
    assert.deepEqual(await db.writer.run('FinishUpload', finish), { kept: true });
    await refused(db.writer.run('FinishUpload', finish), 'upload-conflict');
    assert.equal(await db.uploads.find(id), undefined);
    assert.deepEqual(await db.blobs.find(repository.id, digest('bytes')), {
      digest: digest('bytes'),
      key: id,
      size: 5,
    });
  });

  test('of two uploads of one digest the second is discarded, and both repositories link the first', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await ensure(db, 'other');
    const first = await addBlob(db, repository.id, 'layer');
    const second = await addBlob(db, other.id, 'layer');
    assert.deepEqual([first.kept, second.kept], [true, false]);
    assert.equal((await db.blobs.find(other.id, first.digest))?.key, first.key);
    assert.deepEqual(await db.blobs.discardedKeys(10), [{ key: second.key, state: undefined }]);
    await db.writer.run('ForgetKeys', { keys: [second.key] });
    assert.deepEqual(await db.blobs.discardedKeys(10), []);
  });

  test('a cancelled upload leaves its key and state to be removed', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const start = { repositoryId: repository.id, subject: 's', algorithm: 'sha256' as const, now };
    for (const id of ['upl_a', 'upl_b']) {
      await db.writer.run('StartUpload', { ...start, id, expiresAt: now });
    }
    const step = { id: 'upl_a', from: 0, to: 1, digestSoFar: undefined, expiresAt: now };
    await db.writer.run('AdvanceUpload', { ...step, storeState: 'recorded' });
    assert.deepEqual(await db.writer.run('CancelUpload', { id: 'upl_a' }), { cancelled: true });
    await db.writer.run('CancelUpload', { id: 'upl_b', storeState: 'newer' });
    assert.deepEqual(await db.writer.run('CancelUpload', { id: 'upl_b' }), { cancelled: false });
    assert.deepEqual(await db.blobs.discardedKeys(10), [
      { key: 'upl_a', state: 'recorded' },
      { key: 'upl_b', state: 'newer' },
    ]);
  });

  test('a blob is readable through a repository that links it, and through no other', async (t) => {
    const db = await open(t);
    const { repository, teamId, projectId } = await populate(db);
    const other = await ensure(db, 'other');
    const blob = await addBlob(db, repository.id, 'layer');
    assert.equal((await db.blobs.resolve(path, blob.digest))?.blob?.key, blob.key);
    const elsewhere = await db.blobs.resolve({ ...path, repository: 'other' }, blob.digest);
    assert.deepEqual([elsewhere?.repository.id, elsewhere?.blob], [other.id, undefined]);
    const readable = (scope: Parameters<typeof db.blobs.findReadable>[1]) =>
      db.blobs.findReadable(blob.digest, scope);
    assert.ok(await readable({ teamId }));
    assert.ok(await readable({ teamId, projectIds: [projectId] }));
    assert.equal(await readable({ teamId, projectIds: ['prj_other'] }), undefined);
    assert.equal(await readable({ teamId: 'team_other' }), undefined);
    assert.equal(await readable(undefined), undefined);
    await db.writer.run('SetVisibility', { repositoryId: repository.id, visibility: 'public' });
    assert.ok(await readable(undefined));
  });

  test('linking and unlinking', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const other = await ensure(db, 'other');
    const blob = await addBlob(db, repository.id, 'layer');
    const link = { repositoryId: other.id, digest: blob.digest };
    assert.equal((await db.writer.run('LinkBlob', { ...link, now }))?.key, blob.key);
    assert.equal(
      await db.writer.run('LinkBlob', { ...link, digest: digest('none'), now }),
      undefined,
    );
    assert.equal((await db.blobs.findMany(other.id, [blob.digest, digest('none')])).length, 1);
    const put = manifest(other.id, 'm', { blobs: [blob.digest] });
    await db.writer.run('PutManifest', put);
    const error = await refused(db.writer.run('UnlinkBlob', link), 'blob-in-use');
    assert.equal(error.info.detail?.manifest, put.digest);
    const remove = { repositoryId: other.id, digest: put.digest, actor: 'ci', now };
    await db.writer.run('DeleteManifest', remove);
    await db.writer.run('UnlinkBlob', link);
    await refused(db.writer.run('UnlinkBlob', link), 'blob-unknown');
    assert.ok(await db.blobs.find(repository.id, blob.digest));
  });

  test('layers wait to be measured, once by digest', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const blob = await addBlob(db, repository.id, 'layer');
    const layer = { digest: blob.digest, compression: 'gzip' as const };
    const falseLabel = { ...layer, compression: 'zstd' as const };
    for (const [text, layers] of [
      ['one', [layer]],
      ['two', [layer]],
      ['three', [falseLabel]],
    ] as const) {
      await db.writer.run(
        'PutManifest',
        manifest(repository.id, text, { blobs: [blob.digest], layers }),
      );
    }
    assert.deepEqual(await db.blobs.pendingMeasures(10), [
      { ...layer, key: blob.key },
      { ...falseLabel, key: blob.key },
    ]);
    const measure = {
      ...layer,
      state: 'measured' as const,
      uncompressedSize: 5_000_000_000_000,
      reason: undefined,
    };
    await db.writer.run('RecordMeasure', measure);
    assert.deepEqual(await db.blobs.pendingMeasures(10), [{ ...falseLabel, key: blob.key }]);
    assert.deepEqual(await db.blobs.measures([blob.digest, digest('none')]), [
      measure,
      { ...falseLabel, state: 'pending', uncompressedSize: undefined, reason: undefined },
    ]);
  });
}
