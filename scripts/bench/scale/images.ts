/** Small images that share layers, and the files of their blobs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { tar } from '../../../conformance/clients/support/tar.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { ociConfig, ociManifest } from '../../../src/oci/media-types.ts';
import { pathOf } from '../../../storage-adapters/blobs/filesystem/paths.ts';

const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';

export interface SeedBlob {
  readonly digest: string;
  readonly key: string;
  readonly size: number;
  readonly bytes: Buffer;
}

export interface SeedLayer extends SeedBlob {
  readonly uncompressed: number;
}

export interface SeedImage {
  readonly digest: string;
  readonly bytes: Buffer;
  readonly config: SeedBlob;
  readonly layer: SeedLayer;
  readonly annotations: Readonly<Record<string, string>>;
  readonly subject: string | undefined;
  readonly artifactType: string | undefined;
}

export interface SeedImages {
  readonly layers: readonly SeedLayer[];
  readonly configs: readonly SeedBlob[];
  readonly images: readonly SeedImage[];
  /** Of the first image. */
  readonly referrers: readonly SeedImage[];
}

const layerCount = 10;
export const referrerCount = 50;

/** `images` of them, a tenth as many configs. */
export function makeImages(images: number): SeedImages {
  const layers = Array.from({ length: layerCount }, (_, at): SeedLayer => {
    const plain = tar([{ name: `layer-${at}`, bytes: Buffer.alloc(2_000, at), mode: 0o644 }]);
    const { digest, key, size, bytes } = blob(gzipSync(plain), 'a', at);
    return { digest, key, size, bytes, uncompressed: plain.length };
  });
  const configs = Array.from({ length: Math.max(10, images / 10) }, (_, at) =>
    blob(
      Buffer.from(
        JSON.stringify({
          architecture: 'amd64',
          os: 'linux',
          config: { Cmd: ['/none'], Labels: { number: String(at) } },
          rootfs: { type: 'layers', diff_ids: [digestOf(Buffer.from(String(at)))] },
        }),
      ),
      'b',
      at,
    ),
  );
  const image = (at: number, subject?: { descriptor: object; digest: string }): SeedImage => {
    const config = configs[at % configs.length]!;
    const layer = layers[at % layers.length]!;
    const annotations = { 'org.example.number': String(at) };
    const artifactType = subject && 'application/vnd.example.sbom';
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: ociManifest,
        ...(artifactType && { artifactType }),
        config: { mediaType: ociConfig, digest: config.digest, size: config.size },
        layers: [{ mediaType: layerType, digest: layer.digest, size: layer.size }],
        ...(subject && { subject: subject.descriptor }),
        annotations,
      }),
    );
    const own = { bytes, config, layer, annotations, artifactType };
    return { ...own, digest: digestOf(bytes), subject: subject?.digest };
  };
  const made = Array.from({ length: images }, (_, at) => image(at));
  const first = made[0]!;
  const descriptor = { mediaType: ociManifest, digest: first.digest, size: first.bytes.length };
  const referrers = Array.from({ length: referrerCount }, (_, at) =>
    image(images + at, { descriptor, digest: first.digest }),
  );
  return { layers, configs, images: made, referrers };
}

function blob(bytes: Buffer, kind: string, at: number): SeedBlob {
  const key = `upl_${kind}${at.toString(16).padStart(31, '0')}`;
  return { digest: digestOf(bytes), key, size: bytes.length, bytes };
}

export function writeFiles(folder: string, blobs: readonly SeedBlob[]): void {
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  for (let shard = 0; shard < 256; shard++) {
    mkdirSync(join(folder, shard.toString(16).padStart(2, '0')), { recursive: true });
  }
  for (const { key, bytes } of blobs) writeFileSync(pathOf(folder, key).file, bytes);
}
