import { createHash, randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';

export const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  empty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  bytes: 'application/octet-stream',
} as const;

export type Algorithm = 'sha256' | 'sha512';

export function digestOf(bytes: Uint8Array | string, algorithm: Algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** Bytes that no other test has. */
export function uniqueBytes(size = 512): Buffer {
  return randomBytes(size);
}

/** A digest that nothing in the registry has. */
export function unknownDigest(algorithm: Algorithm = 'sha256'): string {
  return digestOf(randomBytes(32), algorithm);
}

let counter = 0;
/** A word that no other test of this process uses: for names and tags. */
export function fresh(prefix: string): string {
  counter += 1;
  return `${prefix}-${counter}`;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [more: string]: unknown;
}

/** Bytes with what names them. */
export interface Content {
  readonly bytes: Buffer;
  readonly digest: string;
  readonly descriptor: Descriptor;
}

export function content(
  bytes: Uint8Array | string,
  mediaType: string = mediaTypes.bytes,
  algorithm: Algorithm = 'sha256',
): Content {
  const buffer = Buffer.from(bytes as Uint8Array);
  const digest = digestOf(buffer, algorithm);
  return { bytes: buffer, digest, descriptor: { mediaType, digest, size: buffer.length } };
}

/** A tar archive of one file (POSIX ustar: one header block, padded content, two empty blocks). */
export function tarOf(name: string, file: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, width: number) => value.toString(8).padStart(width - 1, '0');
  header.write(name, 0, 100);
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(file.length, 12), 124);
  header.write(octal(0, 12), 136);
  header.write(' '.repeat(8), 148);
  header.write('0', 156);
  header.write('ustar\u000000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 7)}\u0000 `, 148, 'latin1');
  const padding = Buffer.alloc((512 - (file.length % 512)) % 512);
  return Buffer.concat([header, file, padding, Buffer.alloc(1024)]);
}

export type Compression = 'none' | 'gzip' | 'zstd';

/** A layer of one file with unique text. `diffId` is the digest before compression. */
export function layer(
  compression: Compression = 'gzip',
  algorithm: Algorithm = 'sha256',
): Content & { readonly diffId: string } {
  const tar = tarOf(
    'hello.txt',
    Buffer.from(`a file like no other: ${randomBytes(16).toString('hex')}\n`),
  );
  const packed = {
    none: () => tar,
    gzip: () => gzipSync(tar),
    zstd: () => zstdCompressSync(tar),
  }[compression]();
  const suffix = compression === 'none' ? '' : `+${compression}`;
  return {
    ...content(packed, mediaTypes.layer + suffix, algorithm),
    diffId: digestOf(tar, algorithm),
  };
}

export function imageConfig(
  diffIds: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
  mediaType: string = mediaTypes.config,
  algorithm: Algorithm = 'sha256',
): Content {
  const body = {
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: { run: randomBytes(8).toString('hex') } },
    rootfs: { type: 'layers', diff_ids: diffIds },
    ...more,
  };
  return content(JSON.stringify(body), mediaType, algorithm);
}

/** A manifest of any kind: `fields` as JSON, with `schemaVersion` and its own media type. */
export function manifest(
  mediaType: string,
  fields: Readonly<Record<string, unknown>>,
  algorithm: Algorithm = 'sha256',
): Content {
  return content(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }), mediaType, algorithm);
}
