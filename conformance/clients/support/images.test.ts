import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { digestOf } from '../../../src/oci/digest.ts';
import { contentsOf, diffIds, makeImage, makeIndex, uncompressed } from './images.ts';
import { tar, untar } from './tar.ts';

test('a tar archive is one to the system, too, and reads back', () => {
  const bytes = Buffer.from('x'.repeat(700));
  const archive = tar([
    { name: 'd/' },
    { name: 'd/f', bytes, mode: 0o640 },
    { name: 'empty', bytes: Buffer.alloc(0) },
  ]);
  const listed = spawnSync('tar', ['-tvf', '-'], { input: archive, encoding: 'utf8' });
  assert.equal(listed.status, 0, listed.stderr);
  assert.match(
    listed.stdout,
    /^drwxr-xr-x.* d\/\n-rw-r-----.* 700 .* d\/f\n-rwxr-xr-x.* 0 .* empty\n$/,
  );
  assert.deepEqual(
    [...untar(archive)],
    [
      ['d/f', bytes],
      ['empty', Buffer.alloc(0)],
    ],
  );
});

test('an image has the same bytes each time, and others for another seed', () => {
  const digests = (seed: string) =>
    contentsOf(makeImage({ seed })).blobs.map(({ descriptor }) => descriptor.digest);
  assert.deepEqual(digests('a'), digests('a'));
  assert.equal(new Set([...digests('a'), ...digests('b')]).size, 8);
});

test('descriptors and diff ids are true of the bytes, however layers are compressed', () => {
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    for (const image of makeIndex({ seed: 'a', compression }).images) {
      const { blobs, manifests } = contentsOf(image);
      for (const { descriptor, bytes } of [...blobs, ...manifests]) {
        assert.equal(digestOf(bytes), descriptor.digest);
        assert.equal(bytes.length, descriptor.size);
      }
      assert.deepEqual(
        image.layers.map((layer) => digestOf(uncompressed(layer))),
        diffIds(image),
      );
    }
  }
});
