import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

/** Archives for tests, made without docker: small, and the same each time. */

export const sha256 = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

export type File = Partial<Header> & {
  readonly name: string;
  readonly bytes?: Uint8Array | string;
};

/** A tar of these entries, in their order, as many as there are of one name. */
export async function tarOf(files: readonly File[]): Promise<Buffer> {
  const archive = pack();
  for (const { bytes, ...header } of files) {
    archive.entry({ mtime: new Date(0), ...header }, Buffer.from((bytes ?? '') as string));
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export interface Sample {
  readonly config: Buffer;
  /** Uncompressed. */
  readonly layers: readonly Buffer[];
}

/** An image whose layers hold `seed`. */
export async function sampleImage(seed: string, layers = 2): Promise<Sample> {
  const made: Buffer[] = [];
  for (let at = 0; at < layers; at++) {
    made.push(await tarOf([{ name: `file-${at}`, bytes: `${seed} ${at} `.repeat(2_000) }]));
  }
  const config = {
    ...{ architecture: 'amd64', os: 'linux', config: { Cmd: ['/file-0'] }, seed },
    rootfs: { type: 'layers', diff_ids: made.map((layer) => `sha256:${sha256(layer)}`) },
  };
  return { config: Buffer.from(JSON.stringify(config)), layers: made };
}

/** As docker before 25 saves it. */
export function dockerFiles({ config, layers }: Sample, names = ['shop/web:v1']): File[] {
  const folders = layers.map((layer) => sha256(Buffer.concat([Buffer.from('layer'), layer])));
  return [
    ...layers.flatMap((bytes, at) => [
      { name: `${folders[at]}/`, type: 'directory' as const },
      { name: `${folders[at]}/VERSION`, bytes: '1.0' },
      { name: `${folders[at]}/layer.tar`, bytes },
    ]),
    { name: `${sha256(config)}.json`, bytes: config },
    {
      name: 'manifest.json',
      bytes: JSON.stringify([
        {
          Config: `${sha256(config)}.json`,
          RepoTags: names,
          Layers: folders.map((folder) => `${folder}/layer.tar`),
        },
      ]),
    },
  ];
}

export interface Described {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: object;
}

export const oci = 'application/vnd.oci.image';

export function describe(mediaType: string, bytes: Uint8Array, more: object = {}): Described {
  return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length, ...more };
}

/** A manifest with gzip layers, and the blobs that it names. */
export function manifestOf({ config, layers }: Sample, more: object = {}) {
  const packed = layers.map((layer) => gzipSync(layer));
  const manifest = Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType: `${oci}.manifest.v1+json` },
      config: describe(`${oci}.config.v1+json`, config),
      layers: packed.map((layer) => describe(`${oci}.layer.v1.tar+gzip`, layer)),
      ...more,
    }),
  );
  return { manifest, blobs: [config, ...packed] };
}

/** An OCI layout of these blobs, whose index names `top`. */
export function layoutFiles(blobs: readonly Uint8Array[], top: readonly Described[]): File[] {
  return [
    { name: 'oci-layout', bytes: '{"imageLayoutVersion":"1.0.0"}' },
    ...blobs.map((bytes) => ({ name: `blobs/sha256/${sha256(bytes)}`, bytes })),
    { name: 'index.json', bytes: JSON.stringify({ schemaVersion: 2, manifests: top }) },
  ];
}

/** A layout of one image. */
export function imageLayout(sample: Sample, name = 'v1'): File[] {
  const { manifest, blobs } = manifestOf(sample);
  const annotations = { 'org.opencontainers.image.ref.name': name };
  const top = describe(`${oci}.manifest.v1+json`, manifest, { annotations });
  return layoutFiles([...blobs, manifest], [top]);
}

/** The form that curl would send, with the file first. */
export function formOf(
  archive: Uint8Array,
  fields: readonly (readonly [name: string, value: string])[] = [],
): FormData {
  const form = new FormData();
  form.append('image', new Blob([new Uint8Array(archive)]), 'image.tar');
  for (const [name, value] of fields) form.append(name, value);
  return form;
}
