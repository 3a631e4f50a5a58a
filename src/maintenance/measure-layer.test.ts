import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { CompressStream } from 'zstd-napi';
import type { LayerCompression } from '../oci/media-types.ts';
import { measureLayer } from './measure-layer.ts';

const cap = 10_000_000;

/** A tar of one file with random content, made by hand so that nothing else decides what is right. */
function tarOf(content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write('file.bin');
  header.write('0000644\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('        ', 148);
  header.write('0ustar\x0000', 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}

const tar = tarOf(randomBytes(30_001));
const gzip = gzipSync(tar);
const zstd = zstdCompressSync(tar);
const emptyTar = Buffer.alloc(1024);

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

async function measure(compression: LayerCompression, bytes: Buffer, size = 65_536, most = cap) {
  return await measureLayer({ compression, cap: most }, pieces(bytes, size), () => {});
}

describe('layers that are what they say', () => {
  const skippable = Buffer.from('502a4d180400000001020304', 'hex');
  const cases: [string, LayerCompression, Buffer, number][] = [
    ['tar', 'none', tar, tar.length],
    ['gzip', 'gzip', gzip, tar.length],
    ['zstd', 'zstd', zstd, tar.length],
    ['an empty layer', 'none', Buffer.alloc(0), 0],
    ['an empty tar', 'none', emptyTar, 1024],
    ['a gzip of nothing', 'gzip', gzipSync(''), 0],
    ['a zstd of nothing', 'zstd', zstdCompressSync(''), 0],
    ['a gzip of an empty tar', 'gzip', gzipSync(emptyTar), 1024],
    ['members of gzip', 'gzip', Buffer.concat([gzip, gzipSync(''), gzip]), 2 * tar.length],
    ['gzip with zeros behind', 'gzip', Buffer.concat([gzip, Buffer.alloc(1000)]), tar.length],
    ['frames of zstd', 'zstd', Buffer.concat([zstd, zstd, zstd]), 3 * tar.length],
    ['skippable frames', 'zstd', Buffer.concat([skippable, zstd, skippable]), tar.length],
    ['stored gzip', 'gzip', gzipSync(tar, { level: 0 }), tar.length],
  ];
  for (const [name, compression, bytes, uncompressedSize] of cases) {
    for (const size of [65_536, 1_000, 7]) {
      test(`${name}, in pieces of ${size}`, async () => {
        const verdict = await measure(compression, bytes, size);
        assert.deepEqual(verdict, { state: 'measured', uncompressedSize });
      });
    }
  }

  test('zstd in the middle of another frame does not spoil the next layer', async () => {
    assert.equal((await measure('zstd', zstd.subarray(0, 5000))).state, 'mismatch');
    assert.equal((await measure('zstd', zstd)).state, 'measured');
  });

  test('exactly the cap', async () => {
    const verdict = await measure('gzip', gzip, 65_536, tar.length);
    assert.deepEqual(verdict, { state: 'measured', uncompressedSize: tar.length });
  });

  test('checksums over signed bytes, as old writers have them', async () => {
    const old = Buffer.from(tar);
    old.write('\xe9\xe8', 0, 'latin1');
    old.write('        ', 148);
    const sum = old.subarray(0, 512).reduce((total, byte) => total + ((byte << 24) >> 24), 0);
    old.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    assert.equal((await measure('none', old)).state, 'measured');
  });
});

describe('layers that are not what they say', () => {
  const text = Buffer.from('#!/bin/sh\necho hello\n'.repeat(100));
  const broken = Buffer.from(tar);
  broken[0] = broken[0]! ^ 1;
  const flipped = (bytes: Buffer) => {
    const copy = Buffer.from(bytes);
    copy[copy.length >> 1] = copy[copy.length >> 1]! ^ 0xff;
    return copy;
  };
  const cases: [string, LayerCompression, Buffer, RegExp][] = [
    ['text as tar', 'none', text, /does not start like a tar/],
    ['a short text as tar', 'none', Buffer.from('x'), /does not start like a tar/],
    ['a wrong checksum', 'none', broken, /does not start like a tar/],
    ['gzip as tar', 'none', gzip, /does not start like a tar/],
    ['gzip of text', 'gzip', gzipSync(text), /does not start like a tar/],
    ['zstd of text', 'zstd', zstdCompressSync(text), /does not start like a tar/],
    ['gzip of gzip', 'gzip', gzipSync(gzip), /does not start like a tar/],
    ['tar as gzip', 'gzip', tar, /not valid gzip: incorrect header check/],
    ['zstd as gzip', 'gzip', zstd, /not valid gzip/],
    ['gzip as zstd', 'zstd', gzip, /not valid zstd: Unknown frame descriptor/],
    ['tar as zstd', 'zstd', tar, /not valid zstd/],
    ['nothing as gzip', 'gzip', Buffer.alloc(0), /not valid gzip: unexpected end/],
    ['nothing as zstd', 'zstd', Buffer.alloc(0), /not valid zstd: it ends too early/],
    ['truncated gzip', 'gzip', gzip.subarray(0, -9), /not valid gzip: unexpected end/],
    ['gzip without its trailer', 'gzip', gzip.subarray(0, -8), /not valid gzip: unexpected end/],
    ['a gzip header', 'gzip', gzip.subarray(0, 6), /not valid gzip: unexpected end/],
    ['truncated zstd', 'zstd', zstd.subarray(0, -1), /not valid zstd: it ends too early/],
    ['a zstd header', 'zstd', zstd.subarray(0, 3), /not valid zstd/],
    ['corrupt gzip', 'gzip', flipped(gzipSync(tar, { level: 0 })), /not valid gzip/],
    [
      'corrupt zstd',
      'zstd',
      Buffer.concat([zstd.subarray(0, 9), flipped(zstd.subarray(9, 200))]),
      /not valid zstd/,
    ],
    ['gzip and garbage', 'gzip', Buffer.concat([gzip, text]), /not valid gzip/],
    [
      'gzip, zeros and garbage',
      'gzip',
      Buffer.concat([gzip, Buffer.alloc(99), text]),
      /other bytes behind its end/,
    ],
    [
      'a truncated second member',
      'gzip',
      Buffer.concat([gzip, gzip.subarray(0, 99)]),
      /not valid gzip/,
    ],
    ['zstd and garbage', 'zstd', Buffer.concat([zstd, text]), /not valid zstd/],
    ['zstd and zeros', 'zstd', Buffer.concat([zstd, Buffer.alloc(99)]), /not valid zstd/],
    [
      'a truncated second frame',
      'zstd',
      Buffer.concat([zstd, zstd.subarray(0, 99)]),
      /ends too early/,
    ],
  ];
  for (const [name, compression, bytes, reason] of cases) {
    for (const size of [65_536, 7]) {
      test(`${name}, in pieces of ${size}`, async () => {
        const verdict = await measure(compression, bytes, size);
        assert.equal(verdict.state, 'mismatch');
        assert.match('reason' in verdict ? verdict.reason : '', reason);
      });
    }
  }
});

describe('layers that are too large', () => {
  const zeros = Buffer.alloc(64 * 2 ** 20);
  const bombs: [string, LayerCompression, Buffer][] = [
    ['gzip', 'gzip', gzipSync(zeros)],
    ['zstd', 'zstd', zstdCompressSync(zeros)],
    ['tar', 'none', zeros],
  ];
  for (const [name, compression, bytes] of bombs) {
    test(`A36 ${name} is read no further than the cap`, async () => {
      let read = 0;
      async function* counted() {
        for await (const piece of pieces(bytes, 512)) {
          read += piece.length;
          yield piece;
        }
      }
      const verdict = await measureLayer({ compression, cap }, counted(), () => {});
      assert.deepEqual(verdict, {
        state: 'over',
        reason: 'The layer has more than 10,000,000 bytes uncompressed.',
      });
      assert.ok(read < bytes.length / 4, `${read} of ${bytes.length} bytes were read`);
    });
  }

  test('a zstd window past 128 MiB is refused, not allocated', async () => {
    const compressor = new CompressStream({ windowLog: 28 });
    compressor.write(tar);
    compressor.end();
    const verdict = await measure('zstd', Buffer.concat(await compressor.toArray()));
    assert.equal(verdict.state, 'over');
    assert.match('reason' in verdict ? verdict.reason : '', /window of more than 128 MiB/);
  });

  test('a fault of the source is not one of the layer', async () => {
    for (const compression of ['none', 'gzip', 'zstd'] as const) {
      async function* failing() {
        yield { none: tar, gzip, zstd }[compression].subarray(0, 1000);
        throw new Error('connection lost');
      }
      await assert.rejects(
        measureLayer({ compression, cap }, failing(), () => {}),
        /connection lost/,
      );
    }
  });
});
