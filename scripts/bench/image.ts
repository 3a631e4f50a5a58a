/** An image of a size that people really push, as OCI layouts on the disk (image-spec, image-layout.md). */
import { createCipheriv, createHash, type Hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { appendFile, copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { tar } from '../../conformance/clients/support/tar.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { ociConfig, ociIndex, ociManifest } from '../../src/oci/media-types.ts';

/** Shares of the image's bytes by layer: a large base, then smaller ones. */
const shares = [0.46, 0.25, 0.15, 0.1, 0.04];
/** Of each block of a layer, what does not compress: program files come to about this. */
const blockBytes = 64 << 10;
const noiseBytes = 26 << 10;

/** A layer but for its last file and the archive's end, which each image has of its own. */
interface Base {
  readonly file: string;
  readonly compressed: Hash;
  readonly plain: Hash;
  readonly size: number;
}

export interface BigImage {
  readonly bytes: number;
  readonly layers: number;
  /** Writes an image with no blob in common with those before as `latest` of a new layout in `folder`. */
  write(folder: string): Promise<void>;
}

/** Makes gzip layers of about `bytes` in all under `folder`. */
export async function makeBigImage(folder: string, bytes: number): Promise<BigImage> {
  mkdirSync(folder, { recursive: true });
  const bases = await Promise.all(
    shares.map((share, at) => makeBase(join(folder, `base-${at}`), Math.round(share * bytes), at)),
  );
  return {
    bytes: bases.reduce((sum, base) => sum + base.size, 0),
    layers: bases.length,
    write: (layout) => writeLayout(layout, bases),
  };
}

async function makeBase(file: string, wanted: number, seed: number): Promise<Base> {
  const plain = createHash('sha256');
  const compressed = createHash('sha256');
  const zip = createGzip({ level: 1 });
  let size = 0;
  zip.on('data', (chunk: Buffer) => {
    compressed.update(chunk);
    size += chunk.length;
  });
  const written = pipeline(zip, createWriteStream(file));
  for (let number = 0; size < wanted; number += 1) {
    const content = fileContent(seed * 100_000 + number);
    const entry = tar([{ name: `files/${number}`, bytes: content, mode: 0o644 }]);
    // Without the two blocks that end an archive: more files follow.
    const chunk = entry.subarray(0, -1024);
    plain.update(chunk);
    if (!zip.write(chunk)) await once(zip, 'drain');
  }
  zip.end();
  await written;
  return { file, compressed, plain, size };
}

/** A megabyte that compresses as program files do, another for each seed. */
function fileContent(seed: number): Buffer {
  const content = Buffer.alloc(1 << 20, `line ${seed} of a text that repeats\n`);
  const key = createHash('sha256').update(String(seed)).digest().subarray(0, 16);
  const noise = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(noiseBytes);
  for (let at = 0; at < content.length; at += blockBytes) noise.update(zeros).copy(content, at);
  return content;
}

async function writeLayout(folder: string, bases: readonly Base[]): Promise<void> {
  const blobs = join(folder, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (mediaType: string, bytes: Buffer) => {
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, digest.slice('sha256:'.length)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const layers: { mediaType: string; digest: string; size: number }[] = [];
  const diffs: string[] = [];
  for (const base of bases) {
    const end = tar([{ name: 'unique', bytes: randomBytes(512), mode: 0o644 }]);
    // A gzip file of two members is their contents in a row (RFC 1952, section 2.2).
    const member = gzipSync(end);
    const name = base.compressed.copy().update(member).digest('hex');
    await copyFile(base.file, join(blobs, name));
    await appendFile(join(blobs, name), member);
    layers.push({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: `sha256:${name}`,
      size: base.size + member.length,
    });
    diffs.push(`sha256:${base.plain.copy().update(end).digest('hex')}`);
  }
  const config = put(
    ociConfig,
    Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: { Cmd: ['/none'] },
        rootfs: { type: 'layers', diff_ids: diffs },
      }),
    ),
  );
  const manifest = put(
    ociManifest,
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociManifest, config, layers })),
  );
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  const index = {
    schemaVersion: 2,
    mediaType: ociIndex,
    manifests: [{ ...manifest, annotations }],
  };
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
}

export async function removeLayout(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}
