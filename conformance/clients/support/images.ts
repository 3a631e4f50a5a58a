/** Images for tests: the same seed gives the same bytes, and no two seeds share a layer unless asked. */
import { createCipheriv, createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Descriptor, Platform } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import {
  dockerConfig,
  dockerManifest,
  ociConfig,
  ociIndex,
  ociManifest,
} from '../../../src/oci/media-types.ts';
import { tar } from './tar.ts';

export interface Content {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

export interface Image {
  readonly kind: 'image';
  readonly manifest: Content;
  readonly config: Content;
  readonly layers: readonly Content[];
}

export interface Index {
  readonly kind: 'index';
  readonly manifest: Content;
  readonly images: readonly Image[];
}

export interface ImageOptions {
  readonly seed: string;
  readonly platform?: Platform;
  readonly compression?: 'none' | 'gzip' | 'zstd';
  /** Docker's schema 2 in place of OCI's types; has no zstd. */
  readonly docker?: boolean;
  /** Bytes of the layer that does not compress; a megabyte unless given. */
  readonly size?: number;
}

const layerTypes = {
  none: ['application/vnd.oci.image.layer.v1.tar', 'application/vnd.docker.image.rootfs.diff.tar'],
  gzip: [
    'application/vnd.oci.image.layer.v1.tar+gzip',
    'application/vnd.docker.image.rootfs.diff.tar.gzip',
  ],
  zstd: ['application/vnd.oci.image.layer.v1.tar+zstd', ''],
} as const;

const compress = {
  none: (bytes: Buffer) => bytes,
  gzip: (bytes: Buffer) => gzipSync(bytes),
  zstd: (bytes: Buffer) => zstdCompressSync(bytes),
};

/** Three layers: bytes that do not compress, small files in folders, and a file over one of before. */
export function makeImage({
  seed,
  platform = { os: 'linux', architecture: 'amd64' },
  compression = 'gzip',
  docker = false,
  size = 1 << 20,
}: ImageOptions): Image {
  const tars = [
    tar([{ name: 'data.bin', bytes: noise(`${seed}:data`, size), mode: 0o644 }]),
    tar([
      { name: 'etc/' },
      { name: 'etc/name', bytes: Buffer.from(`${seed}\n`), mode: 0o644 },
      { name: 'etc/platform', bytes: Buffer.from(JSON.stringify(platform)), mode: 0o644 },
    ]),
    tar([{ name: 'etc/name', bytes: Buffer.from(`${seed} again\n`), mode: 0o600 }]),
  ];
  const mediaType = layerTypes[compression][docker ? 1 : 0];
  const layers = tars.map((bytes) => content(mediaType, compress[compression](bytes)));
  const config = json(docker ? dockerConfig : ociConfig, {
    ...platform,
    created: '2020-01-01T00:00:00Z',
    config: { Cmd: ['/none'], Labels: { seed } },
    rootfs: { type: 'layers', diff_ids: tars.map((bytes) => digestOf(bytes)) },
    history: tars.map((_, index) => ({
      created: '2020-01-01T00:00:00Z',
      created_by: `step ${index}`,
    })),
  });
  const manifestType = docker ? dockerManifest : ociManifest;
  const manifest = json(manifestType, {
    schemaVersion: 2,
    mediaType: manifestType,
    config: config.descriptor,
    layers: layers.map((layer) => layer.descriptor),
  });
  return { kind: 'image', manifest, config, layers };
}

/** An index of linux/amd64 and linux/arm64. */
export function makeIndex(options: Omit<ImageOptions, 'platform' | 'docker'>): Index {
  const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
  const images = platforms.map((platform) =>
    makeImage({ ...options, platform, seed: `${options.seed}-${platform.architecture}` }),
  );
  const manifest = json(ociIndex, {
    schemaVersion: 2,
    mediaType: ociIndex,
    manifests: images.map((image, at) => ({
      ...image.manifest.descriptor,
      platform: platforms[at],
    })),
  });
  return { kind: 'index', manifest, images };
}

/** Everything that the registry has to hold for it, children before those that name them. */
export function contentsOf(image: Image | Index): { blobs: Content[]; manifests: Content[] } {
  if (image.kind === 'image') {
    return { blobs: [image.config, ...image.layers], manifests: [image.manifest] };
  }
  const children = image.images.map(contentsOf);
  return {
    blobs: children.flatMap((child) => child.blobs),
    manifests: [...children.flatMap((child) => child.manifests), image.manifest],
  };
}

/** Writes an OCI image layout (image-spec, image-layout.md) whose `tag` is this image. */
export function writeLayout(folder: string, tag: string, image: Image | Index): void {
  const blobs = join(folder, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const { blobs: contents, manifests } = contentsOf(image);
  for (const { descriptor, bytes } of [...contents, ...manifests]) {
    writeFileSync(join(blobs, descriptor.digest.slice('sha256:'.length)), bytes);
  }
  const annotations = { 'org.opencontainers.image.ref.name': tag };
  const index = {
    schemaVersion: 2,
    mediaType: ociIndex,
    manifests: [{ ...image.manifest.descriptor, annotations }],
  };
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
}

export function readLayoutBlob(folder: string, digest: string): Buffer {
  return readFileSync(join(folder, 'blobs', ...digest.split(':')));
}

/** The one image of a layout. */
export function readLayout(folder: string): Image {
  const read = (descriptor: Descriptor): Content => ({
    descriptor,
    bytes: readLayoutBlob(folder, descriptor.digest),
  });
  const { manifests } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
  const manifest = read(manifests[0]);
  const { config, layers } = JSON.parse(manifest.bytes.toString());
  return { kind: 'image', manifest, config: read(config), layers: layers.map(read) };
}

/** A `docker load` archive: what engines without OCI layouts read. */
export function dockerArchive(reference: string, image: Image): Buffer {
  const layers = image.layers.map((layer, at) => ({
    name: `${at}/layer.tar`,
    bytes: uncompressed(layer),
  }));
  const config = `${image.config.descriptor.digest.slice('sha256:'.length)}.json`;
  const manifest = [
    { Config: config, RepoTags: [reference], Layers: layers.map(({ name }) => name) },
  ];
  return tar([
    { name: config, bytes: image.config.bytes },
    ...layers,
    { name: 'manifest.json', bytes: Buffer.from(JSON.stringify(manifest)) },
  ]);
}

export function uncompressed({ descriptor, bytes }: Content): Buffer {
  if (/[+.]gzip$/.test(descriptor.mediaType)) return gunzipSync(bytes);
  if (/[+.]zstd$/.test(descriptor.mediaType)) return zstdDecompressSync(bytes);
  return bytes;
}

export function diffIds(image: Image): string[] {
  return JSON.parse(image.config.bytes.toString()).rootfs.diff_ids;
}

/** Bytes that follow from the seed and do not compress. */
export function noise(seed: string, length: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

function content(mediaType: string, bytes: Buffer): Content {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

function json(mediaType: string, value: unknown): Content {
  return content(mediaType, Buffer.from(JSON.stringify(value)));
}
