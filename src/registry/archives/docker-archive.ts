import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { decompress } from '../../compression/decompress.ts';
import type { Plan } from '../../config/plans.ts';
import { isJsonObject, parseBoundedJson } from '../../oci/bounded-json.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, digestOf, formatDigest, parseDigest } from '../../oci/digest.ts';
import { type LayerCompression, ociConfig, ociManifest } from '../../oci/media-types.ts';
import { gzipHint } from '../../policy/layer-media-types.ts';
import type { ProjectSettings } from '../../ports/projects.ts';
import { type Archive, type ArchiveFile, unreadable } from './archive.ts';
import { choose } from './image-names.ts';
import { missing } from './oci-layout.ts';
import { archiveTooLarge, sniff } from './receive-archive.ts';

/** An image as `docker save` writes it: a config, and layers that the config names by what they are uncompressed. */
export interface DockerImage {
  /** Whose digest is the image's id; its bytes stay as they are. */
  readonly config: Buffer;
  readonly layers: readonly DockerLayer[];
  /** Names that the archive gives the image. */
  readonly names: readonly string[];
}

export interface DockerLayer {
  readonly name: string;
  readonly file: ArchiveFile;
  readonly diffId: Digest;
}

const listLimit = 4 * 2 ** 20;

/**
 * Reads `manifest.json` of Docker's image format (moby, image/spec/v1.2.md, "Combined Image JSON + Filesystem
 * Changeset Format"). Rejects with `invalid`, or `manifest-blob-unknown` where it names what it does not have.
 * `configDigest`: the image that is meant, where that is known; else by `name`.
 */
export async function readDockerArchive(
  archive: Archive,
  plan: Plan,
  { name, configDigest }: { name: string | undefined; configDigest?: Digest | undefined },
): Promise<DockerImage> {
  const list = await archive.readJson('manifest.json', listLimit);
  if (!Array.isArray(list)) throw unreadable('manifest.json', 'is not a list of images');
  const images = list.map(parseItem);
  const config = configDigest?.split(':')[1];
  const named = images.map(({ key, names }) => ({ key: key.config, names }));
  const wanted = config === undefined ? choose(named, name).key : undefined;
  // An image with two names may stand there twice.
  const fitting = images.filter(({ key }) =>
    config === undefined ? key.config === wanted : key.config.includes(config),
  );
  const item = fitting[0];
  if (!item) throw unreadable('manifest.json', 'does not name the image of index.json');
  return {
    ...(await readImage(archive, plan, item.key)),
    names: fitting.flatMap(({ names }) => names),
  };
}

interface Item {
  readonly config: string;
  readonly layers: readonly string[];
}

function parseItem(item: unknown): { key: Item; names: readonly string[] } {
  const { Config: config, Layers: layers, RepoTags: tags } = isJsonObject(item) ? item : {};
  const texts = (value: unknown): value is string[] =>
    Array.isArray(value) && value.every((one) => typeof one === 'string');
  if (typeof config !== 'string' || !texts(layers) || !(tags == null || texts(tags))) {
    throw unreadable('manifest.json', 'does not name a Config and Layers for each image');
  }
  return { key: { config, layers }, names: tags ?? [] };
}

async function readImage(archive: Archive, plan: Plan, item: Item) {
  const file = archive.find(item.config);
  const files = item.layers.map((name) => archive.find(name));
  const absent = item.layers.filter((_, at) => !files[at]);
  if (!file) absent.unshift(item.config);
  if (!file || absent.length > 0) throw missing(absent);
  const config = await archive.read(item.config, file, plan.config);
  const diffIds = diffIdsOf(config, item.config);
  if (diffIds.length !== files.length) {
    throw unreadable(
      item.config,
      `names ${diffIds.length} layers, and manifest.json names ${files.length}`,
    );
  }
  const layers = files.map((found, at) => ({
    name: item.layers[at]!,
    file: found!,
    diffId: diffIds[at]!,
  }));
  return { config, layers };
}

function diffIdsOf(config: Buffer, name: string): Digest[] {
  const json = parseBoundedJson(config, 64);
  const rootfs = json.ok && isJsonObject(json.value) ? json.value.rootfs : undefined;
  const ids: unknown = isJsonObject(rootfs) ? (rootfs.diff_ids ?? []) : undefined;
  if (!Array.isArray(ids)) throw unreadable(name, 'is no image config: it has no rootfs.diff_ids');
  return ids.map((id) => {
    const digest = typeof id === 'string' ? parseDigest(id) : undefined;
    if (!digest?.startsWith('sha256:')) throw unreadable(name, 'has a diff id that is no digest');
    return digest;
  });
}

/** How the archive keeps the layer. */
export async function compressionOf(
  archive: Archive,
  layer: DockerLayer,
): Promise<LayerCompression> {
  const { size } = layer.file;
  if (size === 0) return 'none';
  const head = await archive.open({ ...layer.file, size: Math.min(size, 16) }).toArray();
  return (await sniff(Readable.from(head))).compression;
}

/** The digest of a compressed layer's own bytes, once what is in it is known to be the layer that the config names. */
export async function checkCompressed(
  archive: Archive,
  { name, file, diffId }: DockerLayer,
  compression: LayerCompression,
  plan: Plan,
): Promise<Digest> {
  const stored = createHash('sha256');
  const inner = createHash('sha256');
  async function* bytes(): AsyncGenerator<Buffer> {
    for await (const chunk of archive.open(file) as AsyncIterable<Buffer>) {
      stored.update(chunk);
      yield chunk;
    }
  }
  let size = 0;
  for await (const chunk of decompress(compression, bytes())) {
    size += chunk.length;
    if (size > plan.image) throw archiveTooLarge(plan);
    inner.update(chunk);
  }
  const found = formatDigest('sha256', inner);
  if (found !== diffId) throw otherLayer(name, found, diffId);
  return formatDigest('sha256', stored);
}

export function otherLayer(name: string, found: Digest, diffId: Digest) {
  return unreadable(name, `hashes to ${found}, and the image's config has ${diffId} there`);
}

export function layerType(compression: LayerCompression): string {
  const tar = 'application/vnd.oci.image.layer.v1.tar';
  return compression === 'none' ? tar : `${tar}+${compression}`;
}

/** The manifest that a registry keeps of such an image. */
export function manifestOf(config: Buffer, layers: readonly Descriptor[]): Buffer {
  const descriptor = { mediaType: ociConfig, digest: digestOf(config), size: config.length };
  const manifest = { schemaVersion: 2, mediaType: ociManifest, config: descriptor, layers };
  return Buffer.from(JSON.stringify(manifest));
}

const gzipOfOurs =
  'The layers were compressed with gzip, which every client reads; with the field compression=zstd they are unpacked faster.';

/** A warning of a push, where the layers were compressed here. */
export function ofOurMaking(warning: string): string {
  return warning === gzipHint ? gzipOfOurs : warning;
}

/** What docker push makes, and every client reads: engines before 23 and tools of their time know no zstd. */
export function usualOf({ layerCompressions }: ProjectSettings): LayerCompression {
  const order: readonly LayerCompression[] = ['gzip', 'zstd', 'none'];
  return order.find((one) => layerCompressions?.includes(one) ?? true) ?? 'gzip';
}
