import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { digest, events, manifest, path, populate, refused } from './fixture.ts';

/** One writer: order, groups, refusals and restarts. */
export function writerContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
  reopen: (db: Metadata) => Promise<Metadata>,
) {
  test('commands sent together keep their order, and a refused one takes nothing with it', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const results = await Promise.allSettled(
      Array.from({ length: 300 }, (_, index) =>
        db.writer.run(
          'PutManifest',
          manifest(repository.id, `m${index}`, {
            tags: ['latest'],
            blobs: index % 10 === 3 ? [digest('absent')] : [],
          }),
        ),
      ),
    );
    const rejected = results.flatMap((result, index) =>
      result.status === 'rejected' ? [index] : [],
    );
    assert.deepEqual(
      rejected,
      Array.from({ length: 30 }, (_, index) => index * 10 + 3),
    );
    const found = await db.manifests.resolve(path, 'latest');
    assert.equal(found?.manifest?.digest, digest('m299'));
    // One event of the repository, and two of each push: the sequence has no gap for the refused.
    assert.equal((await events(db, repository.id)).length, 1 + 270 * 2);
  });

  test('what was answered is there after a restart', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    await db.writer.run('PutManifest', manifest(repository.id, 'kept', { tags: ['v1'] }));
    const again = await reopen(db);
    assert.equal((await again.manifests.content(digest('kept')))?.toString(), 'kept');
    assert.deepEqual(await again.tags.list(repository.id, undefined, 10), ['v1']);
    await again.ping();
  });

  test('a closed writer refuses, as unavailable', async (t) => {
    const db = await open(t);
    const { repository } = await populate(db);
    const again = await reopen(db);
    await refused(
      db.writer.run('SetVisibility', { repositoryId: repository.id, visibility: 'public' }),
      'unavailable',
    );
    assert.equal((await again.repositories.find(path))?.visibility, 'private');
  });
}
