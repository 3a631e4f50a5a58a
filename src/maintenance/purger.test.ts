import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { type Digest, digestOf } from '../oci/digest.ts';
import { openWorld } from '../registry/registry-test-kit.ts';
import { type Leading, leadsAlone } from './leader.ts';
import { Purger, type PurgerDeps } from './purger.ts';

const never = 2 ** 30;
const actor = 'kit';

/** A deleted repository of 1,500 tags, and what is left of it. */
async function open(t: TestContext) {
  const world = await openWorld(t);
  const { metadata, repository, clock, addBlob } = world;
  const { writer } = metadata;
  const layer: Digest = await addBlob('layer');
  const content = Buffer.from('an image');
  const tags = Array.from({ length: 1_500 }, (_, at) => `t${at}`);
  await writer.run('PutManifest', {
    ...{ repositoryId: repository.id, digest: digestOf(content), content, tags, actor },
    ...{ mediaType: 'application/vnd.oci.image.manifest.v1+json', imageSize: 0 },
    ...{ artifactType: undefined, annotations: undefined, subject: undefined },
    ...{ platform: undefined, blobs: [layer], optionalBlobs: [], manifests: [], layers: [] },
    ...{ overwrite: true, limits: { plan: 'self-hosted' }, now: clock.now() },
  });
  const gone = { repositoryId: repository.id, actor, now: clock.now() };
  assert.equal((await writer.run('DeleteRepository', gone)).left, true);
  const failures: unknown[] = [];
  const purger = (more: Partial<PurgerDeps> = {}): Purger => {
    const failed = (cause: unknown) => failures.push(cause);
    const made = new Purger({ leading: leadsAlone(writer), failed, ...more }, never);
    t.after(() => made.stop());
    return made;
  };
  const left = async () => (await metadata.tags.list(repository.id, undefined, 2_000)).length;
  const linked = async () => (await metadata.blobs.find(repository.id, layer)) !== undefined;
  return { ...world, writer, purger, left, linked, failures };
}

test('others write between two steps, and each rest is as long as its step', async (t) => {
  const { purger, left, linked, failures, ensure } = await open(t);
  let time = 0;
  const rests: number[] = [];
  const one = purger({
    clock: () => (time += 7),
    pause: async (ms) => {
      rests.push(ms);
      await ensure(`meanwhile${rests.length}`);
    },
  });
  one.wake();
  one.wake();
  await one.idle();
  assert.deepEqual([await left(), await linked(), failures], [0, false, []]);
  // 2,500 rows of tags and their history were left, in steps of 500.
  assert.ok(rests.length >= 5, `${rests.length} steps`);
  assert.deepEqual(new Set(rests), new Set([7]));
});

test('a stop in the middle is no failure, and another process goes on', async (t) => {
  const { purger, left, linked, failures } = await open(t);
  const before = await left();
  const reached = Promise.withResolvers<void>();
  const first = purger({
    pause: (_ms, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
        reached.resolve();
      }),
  });
  first.wake();
  await reached.promise;
  await first.stop();
  first.wake();
  await first.idle();
  const rest = await left();
  assert.ok(rest > 0 && rest < before, `${rest} of ${before} tags are left`);
  const second = purger();
  second.wake();
  await second.idle();
  assert.deepEqual([await left(), await linked(), failures], [0, false, []]);
});

test('only who leads purges; one that fails goes on when it is asked again', async (t) => {
  const { purger, left, writer, failures } = await open(t);
  const before = await left();
  const follower = purger({ leading: { leads: false, writer } });
  follower.wake();
  await follower.idle();
  assert.equal(await left(), before);

  let broken = true;
  const leading: Leading = {
    leads: true,
    writer: {
      run: (name, args) =>
        broken ? Promise.reject(new Error('no database')) : writer.run(name, args),
    },
  };
  const one = purger({ leading });
  one.wake();
  await one.idle();
  assert.deepEqual([String(failures), await left()], ['Error: no database', before]);
  broken = false;
  one.wake();
  await one.idle();
  assert.equal(await left(), 0);
});

test('who wakes it during its last look gets another one', async (t) => {
  const { purger, writer, failures } = await open(t);
  let last: 'ahead' | 'taken' | 'taken again' = 'ahead';
  const one: Purger = purger({
    leading: {
      leads: true,
      writer: {
        async run(name, args) {
          const result = await writer.run(name, args);
          if (!(result as { left: boolean }).left) {
            last = last === 'ahead' ? 'taken' : 'taken again';
            // Of a deletion after this look, before the run has heard that nothing is left.
            if (last === 'taken') one.wake();
          }
          return result;
        },
      },
    },
  });
  one.wake();
  await one.idle();
  assert.deepEqual([last, failures], ['taken again', []]);
});
