import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { openWorld } from '../registry/registry-test-kit.ts';
import { Sweeper } from './sweeper.ts';

test('what was deleted and can come back no more leaves the trash, however much it is', async (t) => {
  const { pass, clock, metadata, store, repository } = await openWorld(t);
  const repositoryId = repository.id;
  const failures: unknown[] = [];
  const made = new Sweeper(
    {
      ...{ ...metadata, store, clock, cancel: () => Promise.resolve() },
      failed: (cause) => failures.push(cause),
    },
    2 ** 30,
  );
  t.after(() => made.stop());
  const now = clock.now();
  for (let at = 0; at < 201; at++) {
    const content = Buffer.from(`manifest ${at}`);
    const digest = digestOf(content);
    await metadata.writer.run('PutManifest', {
      ...{ repositoryId, digest, content, mediaType: 'application/vnd.oci.image.index.v1+json' },
      ...{
        artifactType: undefined,
        annotations: undefined,
        subject: undefined,
        platform: undefined,
      },
      ...{ blobs: [], optionalBlobs: [], manifests: [], layers: [], imageSize: 0, tags: [] },
      ...{ overwrite: true, actor: 'ci', limits: { plan: 'pro' }, now },
    });
    const restorableUntil = now + (at === 0 ? 2000 : 1000);
    await metadata.writer.run('DeleteManifest', {
      ...{ repositoryId, digest, actor: 'ci', now: now + at, restorableUntil },
    });
  }
  const left = async () => (await metadata.trash.page(repositoryId, 0, undefined, 1000)).length;
  made.wake();
  await made.idle();
  assert.equal(await left(), 201);
  pass(1000);
  made.wake();
  await made.idle();
  assert.equal(await left(), 1);
  assert.deepEqual(failures, []);
});
