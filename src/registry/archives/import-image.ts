import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, type Digest, digestOf, formatDigest } from '../../oci/digest.ts';
import { RegistryError, refuse } from '../../oci/errors.ts';
import { type ParsedManifest, parseManifest } from '../../oci/manifest.ts';
import { type LayerCompression, ociManifest } from '../../oci/media-types.ts';
import { checkImage, needsConfig } from '../../policy/image.ts';
import type { Repository } from '../../ports/repositories.ts';
import type { ManifestPut, PutManifestResult } from '../push-manifest.ts';
import { type Archive, blobName, unreadable } from './archive.ts';
import { BlobSink, type BlobSinkDeps, compressed, observed } from './blob-sink.ts';
import {
  checkCompressed,
  compressionOf,
  type DockerLayer,
  layerType,
  manifestOf,
  ofOurMaking,
  otherLayer,
  readDockerArchive,
  usualOf,
} from './docker-archive.ts';
import { tagsOf } from './image-names.ts';
import type { Imported, ImportOptions, ImportTarget } from './import-types.ts';
import { type LayoutImage, readLayout } from './oci-layout.ts';

export interface ImportDeps extends BlobSinkDeps {
  readonly putManifests: (puts: readonly ManifestPut[]) => Promise<PutManifestResult[]>;
}

/**
 * Stores the image that an archive holds: its blobs as a push would, then all its manifests and tags in one
 * transaction. Rejects as a push does, and with `invalid` where the archive is not sound; then there is no
 * manifest and no tag of it, and blobs that were stored wait to be collected.
 */
export function createImageImport(deps: ImportDeps) {
  return async (archive: Archive, target: ImportTarget, options: ImportOptions) => {
    const work = new Import(deps, archive, target, options);
    const layout = archive.find('oci-layout') && (await work.layout());
    if (layout && !work.isDockers(layout)) return work.putLayout(layout);
    if (!archive.find('manifest.json')) {
      throw refuse(
        'invalid',
        'The archive is neither of docker save nor an OCI layout: it has no manifest.json, and no oci-layout.',
        'Send what docker save IMAGE wrote. A file system made by docker export is no image.',
      );
    }
    return work.putDocker(layout);
  };
}

class Import {
  readonly #deps: ImportDeps;
  readonly #archive: Archive;
  readonly #target: ImportTarget;
  readonly #options: ImportOptions;

  constructor(deps: ImportDeps, archive: Archive, target: ImportTarget, options: ImportOptions) {
    this.#deps = deps;
    this.#archive = archive;
    this.#target = target;
    this.#options = options;
  }

  layout(): Promise<LayoutImage> {
    const { repository, plan } = this.#target;
    return readLayout(this.#archive, {
      manifest: plan.manifest,
      name: this.#options.name,
      held: async (digests) =>
        repository ? this.#sink(repository).held(digests) : new Set<Digest>(),
    });
  }

  /**
   * Docker without containerd's store makes up a layout for each save, of layers that it keeps uncompressed.
   * Its image is the config's; the layers are compressed as docker push would.
   */
  isDockers({ top: { parsed } }: LayoutImage): boolean {
    return (
      this.#compression() !== 'none' &&
      parsed.isImage &&
      parsed.layers.length > 0 &&
      parsed.layers.every(({ mediaType }) => mediaType === layerType('none')) &&
      this.#archive.find('manifest.json') !== undefined
    );
  }

  async putLayout(image: LayoutImage): Promise<Imported> {
    for (const { parsed } of image.manifests) {
      if (parsed.config) await this.#check(parsed, (limit) => this.#config(parsed.config!, limit));
    }
    const repository = await this.#target.ensure();
    const sink = this.#sink(repository);
    const held = await sink.held(image.blobs.map(({ digest }) => digest));
    for (const [at, { digest, size }] of image.blobs.entries()) {
      const tell = this.#teller(at, image.blobs.length, size);
      const file = held.has(digest) ? undefined : this.#archive.find(blobName(digest));
      if (file) {
        const source = observed(this.#archive.open(file), ({ length }) => tell(length));
        await sink.put(digest, source).catch(mismatchIn(blobName(digest)));
      } else {
        tell(size);
      }
    }
    const tags = this.#tags(image.names);
    const warnings = await this.#put(
      repository,
      image.manifests.map(({ bytes, parsed, digest }) => ({
        ...{ bytes, digest, contentType: parsed.mediaType },
        tags: digest === image.top.digest ? tags : [],
      })),
    );
    const layers = new Map(
      image.manifests.flatMap(({ parsed }) => parsed.layers).map((layer) => [layer.digest, layer]),
    );
    return {
      digest: image.top.digest,
      mediaType: image.top.parsed.mediaType,
      tags,
      manifests: image.manifests.map(({ digest }) => digest),
      layers: [...layers.values()],
      warnings: [...image.warnings, ...warnings],
    };
  }

  async putDocker(layout: LayoutImage | undefined): Promise<Imported> {
    const image = await readDockerArchive(this.#archive, this.#target.plan, {
      ...{ name: this.#options.name, configDigest: layout?.top.parsed.config?.digest },
    });
    const came = await Promise.all(image.layers.map((one) => compressionOf(this.#archive, one)));
    const { config } = image;
    // Sizes are known later.
    const draft = image.layers.map(({ diffId }, at) => ({
      ...{ mediaType: layerType(this.#stored(came[at]!)), digest: diffId, size: 0 },
    }));
    await this.#check(parseManifest(manifestOf(config, draft), ociManifest), async () => config);
    const repository = await this.#target.ensure();
    const sink = this.#sink(repository);
    const known = new Map<Digest, Descriptor>();
    const layers: Descriptor[] = [];
    for (const [at, layer] of image.layers.entries()) {
      const tell = this.#teller(at, image.layers.length, layer.file.size);
      const stored =
        known.get(layer.diffId) ?? (await this.#storeLayer(sink, layer, came[at]!, tell));
      known.set(layer.diffId, stored);
      layers.push(stored);
    }
    const configDigest = digestOf(config);
    if (!(await sink.held([configDigest])).has(configDigest)) {
      await sink.put(configDigest, Readable.from([config]));
    }
    const bytes = manifestOf(config, layers);
    const digest = digestOf(bytes);
    const tags = this.#tags([...image.names, ...(layout?.names ?? [])]);
    const put = { bytes, digest, contentType: ociManifest, tags };
    const told = await this.#put(repository, [put]);
    const warnings = came.every((one) => one === 'none') ? told.map(ofOurMaking) : told;
    return { digest, mediaType: ociManifest, tags, manifests: [digest], layers, warnings };
  }

  async #storeLayer(
    sink: BlobSink,
    layer: DockerLayer,
    came: LayerCompression,
    tell: (bytes: number) => void,
  ): Promise<Descriptor> {
    const { name, file, diffId } = layer;
    const compression = this.#stored(came);
    const mediaType = layerType(compression);
    const hash = createHash('sha256');
    if (came === 'none' && compression !== 'none') {
      const plain = observed(this.#archive.open(file), (chunk) => {
        tell(chunk.length);
        hash.update(chunk);
      });
      const stored = await sink.putUnnamed(compressed(plain, compression), () => {
        const found = formatDigest('sha256', hash);
        if (found !== diffId) throw otherLayer(name, found, diffId);
      });
      return { mediaType, ...stored };
    }
    const digest =
      came === 'none'
        ? diffId
        : await checkCompressed(this.#archive, layer, came, this.#target.plan);
    if ((await sink.held([digest])).has(digest)) tell(file.size);
    else {
      const source = observed(this.#archive.open(file), ({ length }) => tell(length));
      await sink.put(digest, source).catch(mismatchIn(name));
    }
    return { mediaType, digest, size: file.size };
  }

  #sink(repository: Repository): BlobSink {
    return new BlobSink(this.#deps, repository, this.#target.subject, this.#target.plan);
  }

  /** Undefined: the archive leaves it to the repository, where it was checked before. */
  async #config({ digest }: Descriptor, limit: number): Promise<Buffer | undefined> {
    const name = blobName(digest);
    const file = this.#archive.find(name);
    if (!file) return undefined;
    const bytes = await this.#archive.read(name, file, limit);
    if (digestOf(bytes, algorithmOf(digest)) !== digest) throw notItsDigest(name);
    return bytes;
  }

  /** What may be refused at all, is, before anything is stored. */
  async #check(
    manifest: ParsedManifest,
    read: (limit: number) => Promise<Buffer | undefined>,
  ): Promise<void> {
    const { plan, project } = this.#target;
    const wanted = needsConfig(manifest, plan);
    const config = wanted ? await read(plan.config) : undefined;
    if (wanted && !config) return;
    const decision = checkImage({ manifest, config, plan, settings: project.settings });
    if (!decision.allow) throw new RegistryError(decision.error);
  }

  async #put(
    repository: Repository,
    manifests: readonly Pick<ManifestPut, 'bytes' | 'digest' | 'contentType' | 'tags'>[],
  ): Promise<string[]> {
    this.#options.signal.throwIfAborted();
    const { project, plan, overwrite, mayDeploy, actor } = this.#target;
    const rights = { overwrite, mayDeploy };
    const common = { repository, ensure: async () => repository, project, plan, ...rights, actor };
    const results = await this.#deps.putManifests(manifests.map((one) => ({ ...common, ...one })));
    return [...new Set(results.flatMap(({ warnings }) => warnings))];
  }

  #tags(names: readonly string[]): readonly string[] {
    const { tags } = this.#options;
    return tags.length > 0 ? tags : tagsOf(names);
  }

  /** How a layer that came so is stored. */
  #stored(came: LayerCompression): LayerCompression {
    return came === 'none' ? this.#compression() : came;
  }

  #compression(): LayerCompression {
    return this.#options.compression ?? usualOf(this.#target.project.settings);
  }

  #teller(at: number, count: number, size: number): (bytes: number) => void {
    this.#options.signal.throwIfAborted();
    let bytes = 0;
    return (more) => {
      this.#options.signal.throwIfAborted();
      bytes += more;
      this.#options.progress({ index: at + 1, count, bytes, size });
    };
  }
}

function mismatchIn(name: string): (error: unknown) => never {
  return (error) => {
    const mismatch = error instanceof RegistryError && error.kind === 'digest-mismatch';
    throw mismatch ? notItsDigest(name) : error;
  };
}

function notItsDigest(name: string): RegistryError {
  return unreadable(name, 'does not have the digest that it is named by');
}
