import assert from 'node:assert/strict';
import { rm, truncate, writeFile } from 'node:fs/promises';
import test from 'node:test';
import type { Digest } from '../oci/digest.ts';
import { Pacer } from './pacer.ts';
import { day, openScrub } from './scrubber-test-kit.ts';

test('blobs are read when their time has come; other bytes, fewer, more and none are found', async (t) => {
  const { addBlob, pass, read, seen, fileOf, kinds, metadata, repository } = await openScrub(t);
  const names = ['whole', 'flipped', 'short', 'long', 'gone'];
  const [whole, flipped, short, long, gone] = (await Promise.all(
    names.map((name) => addBlob(name)),
  )) as [Digest, Digest, Digest, Digest, Digest];
  const files = new Map<Digest, string>();
  for (const one of [flipped, short, long, gone]) files.set(one, await fileOf(one));
  await writeFile(files.get(flipped)!, 'flopped');
  await truncate(files.get(short)!, 2);
  await writeFile(files.get(long)!, 'longer');
  await rm(files.get(gone)!);
  await read();
  assert.equal(seen.bytes, 0, 'they were hashed when they came');
  pass(30 * day + 1);
  await read();
  assert.deepEqual(await kinds(), {
    [flipped]: 'digest',
    [short]: 'size',
    [long]: 'size',
    [gone]: 'missing',
  });
  assert.ok(await metadata.blobs.find(repository.id, whole));
  assert.equal(await metadata.blobs.find(repository.id, flipped), undefined);
  assert.equal(seen.logged.filter((line) => line.startsWith('error')).length, 4);
  const bytes = seen.bytes;
  await read();
  assert.equal(seen.bytes, bytes, 'none is due again');
  assert.deepEqual(seen.failures, []);
});

test('a rate holds by the clock, over all blobs together', async (t) => {
  const { addBlob, pass, read, seen, clock } = await openScrub(t, { rate: 1000 });
  for (let n = 0; n < 10; n += 1) await addBlob(Buffer.alloc(500, n));
  pass(31 * day);
  const began = clock.now();
  await read();
  assert.equal(seen.bytes, 5000);
  const took = clock.now() - began;
  assert.ok(took >= 4_950 && took <= 5_100, `5,000 bytes took ${took} ms`);
});

test('what was not read is not saved up, and a clock that is set back costs no time', async () => {
  let [now, slept] = [1_000_000, 0];
  const pacer = new Pacer({
    clock: { now: () => now },
    rate: 1000,
    sleep: async (ms) => {
      slept += ms;
      now += ms;
    },
  });
  const { signal } = new AbortController();
  await pacer.take(1000, signal);
  assert.equal(slept, 1000);
  now += 3_600_000;
  await pacer.take(1000, signal);
  assert.equal(slept, 2000);
  now -= 7_200_000;
  await pacer.take(1000, signal);
  assert.ok(slept <= 3_020, String(slept));
});

test('a run reads all at once, or one repository, and goes on where a process that died was', async (t) => {
  const { addBlob, ensure, desk, scrubber, make, leading, seen, onRead, pass, metadata, fileOf } =
    await openScrub(t, { intervalMs: 365 * day });
  const other = await ensure('other');
  const blobs: Digest[] = [];
  for (let n = 0; n < 50; n += 1) blobs.push(await addBlob(Buffer.alloc(100, n)));
  await addBlob(Buffer.alloc(1000, 77), other);
  await writeFile(await fileOf(blobs[49]!), 'x');
  await writeFile(await fileOf(blobs[3]!), 'x');
  pass(1);
  // It dies after 20 blobs: what it has read but not written down is read again.
  onRead(() => {
    pass(150);
    if (seen.bytes === 2_000) leading.leads = false;
  });
  const repository = { id: 'repo_prj_1_web', name: 'acme/shop/web' };
  const run = await desk.start(repository, 'ada');
  assert.deepEqual(run.total, { blobs: 50, bytes: 5000 });
  await scrubber.idle();
  const half = await metadata.scrub.run('scr_1');
  assert.equal(half?.state, 'running');
  assert.ok(half.blobs > 10 && half.blobs < 25, `${half.blobs} of 50`);
  leading.leads = true;
  const next = make();
  next.wake();
  await next.idle();
  const done = await metadata.scrub.run('scr_1');
  assert.equal(done?.state, 'done');
  assert.deepEqual([done.blobs, done.quarantined, done.unreadable], [50, 2, 0]);
  assert.ok(seen.bytes < 5000 + 2_000, `${seen.bytes} bytes were read`);
  assert.deepEqual(seen.failures, []);
});

test('a run that is cancelled ends; one that begins goes before what is due', async (t) => {
  const { addBlob, desk, scrubber, seen, onRead, pass, metadata } = await openScrub(t);
  for (let n = 0; n < 5; n += 1) await addBlob(Buffer.alloc(100, n));
  pass(1);
  let cancelled: Promise<boolean> | undefined;
  onRead(() => {
    pass(2_500);
    cancelled ??= desk.cancel('scr_1');
  });
  await desk.start(undefined, 'ada');
  await scrubber.idle();
  await cancelled;
  const run = await metadata.scrub.run('scr_1');
  assert.equal(run?.state, 'cancelled');
  assert.ok(run.blobs < 5 && seen.bytes < 500, `${run.blobs} blobs`);
});
