import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { blobLeaseMs } from '../ports/commands-collection.ts';
import { chunk, openWorld, source, subject } from '../registry/registry-test-kit.ts';
import { Collector } from './collector.ts';
import { Sweeper } from './sweeper.ts';

async function open(t: TestContext) {
  const world = await openWorld(t);
  const { metadata, store, clock, repository } = world;
  const push = world.blobPush();
  const failures: unknown[] = [];
  const failed = (cause: unknown) => failures.push(cause);
  const freed: number[] = [];
  const sweeper = new Sweeper(
    { ...metadata, store, clock, cancel: (row) => push.cancel(row), failed },
    2 ** 30,
  );
  t.after(() => sweeper.stop());
  const collector = new Collector(
    {
      ...{ ...metadata, clock, delayMs: 0, failed },
      discarded: () => sweeper.wake(),
      freed: (bytes) => freed.push(bytes),
    },
    undefined,
  );
  t.after(() => collector.stop());
  const blob = async (text: string) => {
    const digest = digestOf(Buffer.from(text));
    const row = await push.start(repository.id, subject, 'sha256');
    await push.finish(row, digest, source(text), chunk());
    return digest;
  };
  return { ...world, push, collector, sweeper, failures, freed, blob };
}

test('bytes of what nothing names are gone from the store once their lease is over', async (t) => {
  const { collector, sweeper, pass, files, failures, freed, metadata, repository, blob } =
    await open(t);
  const digest = await blob('loose');
  assert.equal((await collector.run()).blobs.collected, 0, 'it is leased');
  assert.equal((await files()).length, 1);
  pass(blobLeaseMs + 1);
  const wouldBe = await collector.dryRun();
  assert.deepEqual([wouldBe.links.collected, wouldBe.blobs.collected], [1, 1]);
  assert.equal(wouldBe.blobs.bytes, 5);
  assert.ok(await metadata.blobs.find(repository.id, digest), 'a dry run changes nothing');
  const run = await collector.run();
  assert.deepEqual([run.links.collected, run.blobs.collected, run.blobs.bytes], [1, 1, 5]);
  await sweeper.idle();
  assert.deepEqual(await files(), []);
  assert.deepEqual([failures, freed], [[], [5]]);
  assert.deepEqual(await metadata.collection.unreferenced(), {
    blobs: 0,
    bytes: 0,
    keys: 0,
    seen: 0,
  });
});

test('who asks during a run gets that run, and a stop ends it', async (t) => {
  const { collector, blob, pass } = await open(t);
  await blob('one');
  pass(blobLeaseMs + 1);
  const [first, second] = await Promise.all([collector.run(), collector.run()]);
  assert.equal(first, second);
  assert.equal(collector.last, first);
  await collector.stop();
});
