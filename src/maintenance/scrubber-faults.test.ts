import assert from 'node:assert/strict';
import { rename, rm, writeFile } from 'node:fs/promises';
import test from 'node:test';
import { type Digest, digestOf } from '../oci/digest.ts';
import { refuse } from '../oci/errors.ts';
import { instead } from '../registry/registry-test-kit.ts';
import { day, openScrub } from './scrubber-test-kit.ts';

test('a store that is down is waited for and marks nothing; one blob that cannot be read is told apart', async (t) => {
  const fault = { down: false, key: '' };
  const unavailable = () => refuse('unavailable', 'The blob store failed (EIO).');
  const { addBlob, pass, read, seen, kinds, metadata, repository, onRead } = await openScrub(t, {
    store: (real) =>
      instead(real, {
        stat: async (key) => {
          if (fault.down) throw unavailable();
          return real.stat(key);
        },
        open: async (key, range) => {
          if (fault.down || key === fault.key) throw unavailable();
          return real.open(key, range);
        },
      }),
  });
  const [one, two] = [await addBlob('one'), await addBlob('two')];
  fault.key = (await metadata.blobs.find(repository.id, one))!.key;
  pass(31 * day);
  fault.down = true;
  const before = seen.slept;
  const reading = read();
  while (seen.slept < before + 60_000) await new Promise((resolve) => setImmediate(resolve));
  assert.match((await metadata.scrub.note('store-failure')) ?? '', /EIO/);
  fault.down = false;
  await reading;
  assert.equal(await metadata.scrub.note('store-failure'), undefined);
  assert.deepEqual(await kinds(), { [one]: 'The blob store failed (EIO).' });
  assert.ok(await metadata.blobs.find(repository.id, one), 'it is pulled, if it can be read');
  const [fault1] = await metadata.scrub.faults(undefined, 1);
  assert.equal(fault1?.kind, 'unreadable');
  // An hour later it is whole.
  fault.key = '';
  let reads = 0;
  onRead(() => (reads += 1));
  await read();
  assert.equal(reads, 0, 'not before');
  pass(3_600_001);
  await read();
  assert.deepEqual([reads, await kinds()], [1, {}]);
  assert.ok(two);
  assert.deepEqual(seen.failures, []);
});

test('a store in which nothing is left at all is a store that is not there', async (t) => {
  const { addBlob, pass, scrubber, seen, kinds, fileOf, metadata } = await openScrub(t);
  const file = await fileOf(await addBlob('alone'));
  await rm(file);
  pass(31 * day);
  scrubber.wake();
  while (seen.slept < 60_000) await new Promise((resolve) => setImmediate(resolve));
  assert.match((await metadata.scrub.note('store-failure')) ?? '', /nothing at all/);
  await writeFile(`${file}.new`, 'alone');
  await rename(`${file}.new`, file);
  await scrubber.idle();
  assert.deepEqual(await kinds(), {});
});

test('bytes that come back end the quarantine, and bytes that are wrong once are read twice', async (t) => {
  let wrong = false;
  const { addBlob, pass, read, desk, scrubber, seen, kinds, fileOf } = await openScrub(t, {
    store: (real) =>
      instead(real, {
        open: async (key, range) => {
          const stream = await real.open(key, range);
          if (!wrong) return stream;
          wrong = false;
          return stream.map((chunk: Buffer) => Buffer.alloc(chunk.length)) as typeof stream;
        },
      }),
  });
  const [kept, lost] = [await addBlob('kept'), await addBlob('lost')];
  const file = await fileOf(lost);
  pass(31 * day);
  wrong = true;
  await read();
  assert.deepEqual(await kinds(), {});
  assert.equal(seen.logged.filter((line) => /second time/.test(line)).length, 1);
  await rm(file);
  pass(31 * day);
  await read();
  assert.deepEqual(await kinds(), { [lost]: 'missing' });
  await writeFile(file, 'lost');
  pass(1);
  const run = await desk.start(undefined, 'ada');
  await scrubber.idle();
  assert.deepEqual(await kinds(), {});
  assert.equal((await desk.run(run.id))?.repaired, 1);
  assert.ok(kept);
});

test('a blob that gets new bytes while its old ones are read is not marked', async (t) => {
  const world = await openScrub(t);
  const { addBlob, pass, read, fileOf, kinds, metadata, repository, onRead } = world;
  const digest = await addBlob('replaced');
  const row = (await metadata.blobs.find(repository.id, digest))!;
  await writeFile(await fileOf(digest), 'rePlaced');
  const quarantined = { digest, key: row.key, size: 8, now: world.clock.now() };
  pass(31 * day);
  let replaced: Promise<unknown> | undefined;
  onRead(() => {
    // Another process finds the same, and the client pushes it again.
    replaced ??= metadata.writer
      .run('QuarantineBlob', { ...quarantined, damage: 'digest', runId: undefined })
      .then(() => addBlob('replaced'));
  });
  await read();
  await replaced;
  await read();
  assert.deepEqual(await kinds(), {});
  assert.ok(await metadata.blobs.find(repository.id, digest));
});

test('manifests are read, too', async (t) => {
  const { addBlob, read, pass, metadata, repository, clock, seen } = await openScrub(t);
  await addBlob('x');
  const put = async (text: string, digest: Digest) =>
    metadata.writer.run('PutManifest', {
      ...{ repositoryId: repository.id, digest, mediaType: 'x', content: Buffer.from(text) },
      ...{ artifactType: undefined, annotations: undefined, subject: undefined },
      ...{ blobs: [], optionalBlobs: [], manifests: [], layers: [], imageSize: 0, tags: [] },
      ...{ platform: undefined, overwrite: true, actor: 'kit', now: clock.now() },
      limits: { plan: 'pro' },
    });
  const [whole, damaged] = [digestOf(Buffer.from('whole')), digestOf(Buffer.from('damaged'))];
  await put('whole', whole);
  // As a broken database page would have it.
  await put('dAmaged', damaged);
  pass(1);
  await read();
  assert.deepEqual(
    (await metadata.scrub.damagedManifests(10)).map((one) => one.digest),
    [damaged],
  );
  await put('damaged', damaged);
  assert.deepEqual(await metadata.manifests.content(damaged), Buffer.from('damaged'));
  assert.deepEqual(await metadata.scrub.damagedManifests(10), []);
  assert.deepEqual(seen.failures, []);
});
