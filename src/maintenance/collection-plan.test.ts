import assert from 'node:assert/strict';
import test from 'node:test';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { BlobKeepers, DeletedPart } from '../ports/collection-plan.ts';
import { blobLeaseMs } from '../ports/commands-collection.ts';
import { openWorld } from '../registry/registry-test-kit.ts';
import { CollectionPlans, planRoots } from './collection-plan.ts';
import { Collector } from './collector.ts';

const d = (name: string): Digest => digestOf(Buffer.from(name));
const part = (name: string, more: Partial<DeletedPart> = {}): DeletedPart => ({
  ...{ digest: d(name), mediaType: 'm', artifactType: undefined, platform: undefined, size: 1 },
  ...{ subject: undefined, blobs: [], manifests: [], tags: [], expiresAt: 10 },
  ...more,
});
const blob = (name: string, size: number, kept = false): [Digest, BlobKeepers] => [
  d(name),
  { digest: d(name), size, kept },
];

test('an index, its children and what refers to them are one tree; shared bytes are told apart', () => {
  const deleted = [
    part('index', { manifests: [d('amd64'), d('arm64'), d('alive')], tags: ['v1'] }),
    part('amd64', { blobs: [d('base'), d('app')], platform: 'linux/amd64', expiresAt: 30 }),
    part('arm64', { blobs: [d('arm')], platform: 'linux/arm64' }),
    part('signature', { subject: d('amd64'), blobs: [d('sig')], artifactType: 'sig' }),
    part('of-signature', { subject: d('signature') }),
    part('old', { blobs: [d('base'), d('kept'), d('gone already')], tags: ['v0'] }),
    part('stranger', { subject: d('alive') }),
  ];
  const keepers = new Map([
    ...[blob('base', 100), blob('app', 20), blob('arm', 7), blob('sig', 3)],
    blob('kept', 1000, true),
  ]);
  const { roots, blobs, bytes } = planRoots(deleted, keepers, 10);
  assert.equal(roots.count, 3);
  assert.deepEqual([blobs, bytes], [4, 130 + deleted.length]);
  const [first, ...rest] = roots.shown;
  assert.deepEqual(
    [first!.digest, first!.bytes, first!.shared, first!.goesAt, first!.more],
    [d('index'), 30 + 5, 100, 30, 0],
  );
  assert.deepEqual(
    first!.nodes.map((node) => [node.digest, node.relation, node.depth, node.bytes]),
    [
      [d('index'), 'root', 0, 1],
      [d('amd64'), 'child', 1, 121],
      [d('signature'), 'referrer', 2, 4],
      [d('of-signature'), 'referrer', 3, 1],
      [d('arm64'), 'child', 1, 8],
    ],
  );
  assert.deepEqual(
    rest.map((one) => one.bytes),
    [1, 1],
  );
  const sharedOf = new Map(rest.map((one) => [one.digest, one.shared]));
  assert.deepEqual([sharedOf.get(d('old')), sharedOf.get(d('stranger'))], [100, 0]);
  assert.equal(planRoots(deleted, keepers, 1).roots.shown.length, 1);
});

test('what a plan tells is what collections then free, and the run is written down', async (t) => {
  const world = await openWorld(t);
  const { metadata, clock, repository, pass, addBlob, ensure } = world;
  const plans = new CollectionPlans(metadata.collectionPlan, clock);
  const collector = new Collector(
    {
      ...{ ...metadata, clock, delayMs: 0, discarded: () => {}, newId: () => 'col_1' },
      failed: (cause) => assert.fail(String(cause)),
    },
    undefined,
  );
  t.after(() => collector.stop());
  assert.deepEqual(await plans.plan({ after: undefined, limit: 10, roots: 10 }), {
    ...{ repositories: [], next: undefined },
  });
  const other = await ensure('other');
  const [own, shared] = [await addBlob('of the image'), await addBlob('of two')];
  await addBlob('of two', other);
  await addBlob('loose', other);
  const bytes = Buffer.from('a manifest');
  const digest = digestOf(bytes);
  await metadata.writer.run('PutManifest', {
    ...{ repositoryId: repository.id, digest, mediaType: 'x', content: bytes, tags: ['v1'] },
    ...{ artifactType: undefined, annotations: undefined, subject: undefined },
    ...{ blobs: [own, shared], optionalBlobs: [], manifests: [], layers: [], imageSize: 0 },
    ...{ platform: undefined, overwrite: true, actor: 'kit', now: clock.now() },
    limits: { plan: 'pro' },
  });
  const restorableUntil = clock.now() + 3 * blobLeaseMs;
  await metadata.writer.run('DeleteManifest', {
    ...{ repositoryId: repository.id, digest, actor: 'kit', now: clock.now(), restorableUntil },
  });
  pass(blobLeaseMs + 1);
  const { totals, repositories } = await plans.summary({ repositories: 10, roots: 10 });
  assert.deepEqual(totals, {
    ...{ repositories: 2, roots: 1, blobs: 2, bytes: 12 + bytes.length + 5 },
    loose: { blobs: 1, bytes: 5 },
  });
  assert.deepEqual(
    repositories.map((one) => [one.repository, one.bytes, one.links, one.rootCount]),
    [
      ['acme/shop/web', 12 + bytes.length, 0, 1],
      ['acme/shop/other', 5, 1, 0],
    ],
  );
  const one = await plans.plan({ after: undefined, limit: 1, roots: 10 });
  const two = await plans.plan({ after: one.next, limit: 1, roots: 10 });
  assert.equal(one.repositories.length + two.repositories.length, 2);
  const only = { after: undefined, limit: 1, roots: 0, repositoryId: repository.id };
  assert.equal((await plans.plan(only)).repositories[0]?.rootCount, 1);

  const now = await collector.run();
  assert.deepEqual([now.blobs.collected, now.blobs.bytes], [1, 5]);
  pass(3 * blobLeaseMs);
  await metadata.writer.run('EmptyTrash', { now: clock.now(), limit: 10 });
  assert.deepEqual(
    (await plans.runs()).map((run) => [run.id, run.links, run.blobs, run.bytes]),
    [['col_1', 2, 1, 5]],
  );
});
