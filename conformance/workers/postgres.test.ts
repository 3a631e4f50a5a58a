/** Workers on Postgres are to each other what replicas are: each writes itself. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { StreamEar } from '../faults/support/event-listeners.ts';
import { expectStatus } from '../spec/check.ts';
import { content, manifest, mediaTypes } from '../spec/content.ts';
import {
  beginUpload,
  closeUpload,
  expectCreated,
  pushBlob,
  putManifest,
  sendChunk,
} from '../spec/push.ts';
import { postgresObstacle, startPostgres } from '../tools/postgres.ts';
import { World } from './support/world.ts';

const skip = postgresObstacle();

test('chunks, pulls and events over two workers on Postgres', skip ? { skip } : {}, async (t) => {
  await using stack = new AsyncDisposableStack();
  const postgres = await startPostgres();
  stack.defer(() => postgres.stop());
  const world = await World.start({
    GANTRY_DATABASE_URL: postgres.url,
    GANTRY_SECRET_KEY: randomBytes(32).toString('hex'),
  });
  stack.defer(() => world.stop());
  const both = (await world.each()).map(({ registry }) => registry);
  const repository = `${world.project}/split`;
  const stream = new StreamEar();
  t.after(() => stream.stop());
  stream.follow(world.origin, world.authorization);

  const blob = content(randomBytes(3 << 20), mediaTypes.bytes);
  const size = 1 << 20;
  let location = await beginUpload(both[0]!, repository);
  for (const [at, start] of [0, size, 2 * size].entries()) {
    const piece = blob.bytes.subarray(start, start + size);
    const sent = await sendChunk(both[(at + 1) % 2]!, location, piece, start);
    location = expectStatus(sent, 202).location();
  }
  await expectCreated(both[1]!, await closeUpload(both[0]!, location, blob.digest), blob);
  const empty = content('{}', mediaTypes.empty);
  expectStatus(await pushBlob(both[0]!, repository, empty), 201);
  const image = manifest(mediaTypes.manifest, { config: empty.descriptor, layers: [] });
  expectStatus(await putManifest(both[1]!, repository, 'latest', image), 201);
  expectStatus(await both[0]!.get(`/v2/${repository}/manifests/latest`), 200);
  const began = performance.now();
  while (stream.positions.length === 0) {
    assert.ok(performance.now() - began < 5_000, 'nobody heard of it');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
