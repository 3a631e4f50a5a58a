import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { digestOf } from '../oci/digest.ts';
import type { BlobPush } from './push-blob.ts';
import { chunk, feed, refused, source, subject, type World } from './registry-test-kit.ts';

/** Chunks of one upload go to `a` and `b` by turns; while one takes a chunk, the other is refused. */
export async function expectTurns(world: World, a: BlobPush, b: BlobPush): Promise<void> {
  const row = await a.start(world.repository.id, subject, 'sha256');
  const body = new PassThrough();
  const sending = a.append(row, body, chunk());
  await feed(body, 'first ');
  await refused(b.append(row, source('other'), chunk()), 'upload-conflict');
  await refused(b.cancel(row), 'upload-conflict');
  body.end('half, ');
  assert.equal(await sending, 12);
  assert.equal(await b.append(row, source('second half'), chunk()), 23);
  const text = 'first half, second half';
  const digest = digestOf(Buffer.from(text));
  assert.deepEqual(await a.finish(row, digest, undefined, chunk()), { size: 23 });
  assert.equal((await world.read(digest)).toString(), text);
}
