import type { Descriptor } from '../oci/descriptor.ts';
import { algorithmOf, type Digest } from '../oci/digest.ts';
import type { ImageConfig } from '../oci/image-config.ts';
import { type ParsedManifest, parseManifest } from '../oci/manifest.ts';
import { isImageConfig } from '../oci/media-types.ts';
import { isRunnable } from '../policy/runnable.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { ManifestDetails, Manifests, Referrer } from '../ports/manifests.ts';
import type { Tags } from '../ports/tags.ts';
import { attestedImage, isAttestation, predicateTypesOf } from './attestations.ts';
import { ImageConfigs } from './image-configs.ts';
import { type LayerMeasure, type MeasureOf, readMeasures, sumOf } from './layer-measures.ts';
import type { Listing } from './list.ts';
import type { Pull } from './pull.ts';

export interface Attestation {
  readonly descriptor: Descriptor;
  readonly predicateTypes: readonly string[];
}

/** What an index names. */
export interface InspectedChild {
  readonly descriptor: Descriptor;
  /** Undefined: a later push would have to bring it. */
  readonly held: ManifestDetails | undefined;
  readonly measure: LayerMeasure | undefined;
  readonly attestations: readonly Attestation[];
}

export interface InspectedReferrer extends Referrer {
  /** The tag that stands for the reference, as cosign does it. */
  readonly tag: string | undefined;
}

/** All that a repository knows of one manifest. */
export interface Inspection {
  readonly details: ManifestDetails;
  readonly manifest: ParsedManifest;
  /** Of an image that can be run, as are the measures. */
  readonly config: ImageConfig | undefined;
  readonly measure: LayerMeasure | undefined;
  readonly measureOf: MeasureOf;
  readonly children: readonly InspectedChild[];
  /** Of this image; of an index, those that are of none of its images. */
  readonly attestations: readonly Attestation[];
  /** The image that this attests something of. */
  readonly attests: Digest | undefined;
  /** Some indexes that name it. */
  readonly indexes: readonly Digest[];
  readonly referrers: readonly InspectedReferrer[];
  readonly moreReferrers: boolean;
  /** The first ones by name. */
  readonly tags: readonly string[];
  readonly moreTags: boolean;
}

/** Of an index: more of them are named, and not looked into. */
const mostChildren = 100;
const mostIndexes = 10;
const mostTags = 100;

export interface InspectorDeps {
  readonly manifests: Manifests;
  readonly blobs: Blobs;
  readonly tags: Tags;
  readonly store: BlobStore;
  readonly listing: Listing;
  readonly pull: Pull;
  /** Bytes of the longest config that is read. */
  readonly configLimit: number;
}

/** Looks into manifests for people: what they are made of, and what belongs to them. */
export class ImageInspector {
  readonly #deps: InspectorDeps;
  readonly #configs: ImageConfigs;

  constructor(deps: InspectorDeps) {
    this.#deps = deps;
    this.#configs = new ImageConfigs({ store: deps.store, limit: deps.configLimit });
  }

  /** Undefined: the repository does not hold it. Rejects with `unavailable` where bytes cannot be had. */
  async inspect(repositoryId: string, digest: Digest): Promise<Inspection | undefined> {
    const { manifests, blobs, listing, tags } = this.#deps;
    const [details] = await manifests.details(repositoryId, [digest]);
    const manifest = details && (await this.#parse(details));
    if (!details || !manifest) return undefined;
    const runnable = isRunnable(manifest);
    const measureOf = await readMeasures(blobs, runnable ? manifest.layers : []);
    const measures = manifest.layers.map(measureOf).filter((one) => one !== undefined);
    const beside = await this.#beside(repositoryId, digest);
    const referrers = await listing.referrers(repositoryId, digest, undefined, undefined);
    const named = await tags.namesOf(repositoryId, digest, undefined, mostTags + 1);
    const inside = await this.#inside(repositoryId, manifest);
    return {
      ...{ details, manifest, measureOf },
      config: await this.#config(repositoryId, manifest),
      measure: runnable ? sumOf(measures) : undefined,
      ...{ children: inside.children, indexes: beside.indexes, attests: beside.attests },
      attestations: [...inside.attestations, ...beside.attestations],
      referrers: [
        ...referrers.items.map((referrer) => ({ ...referrer, tag: undefined })),
        ...(await this.#byTag(repositoryId, digest)),
      ],
      moreReferrers: referrers.more,
      tags: named.slice(0, mostTags),
      moreTags: named.length > mostTags,
    };
  }

  /** Undefined where it was deleted since its row was read. */
  async #parse({ digest, mediaType }: Pick<ManifestDetails, 'digest' | 'mediaType'>) {
    const { pull } = this.#deps;
    const content = pull.cachedContent(digest) ?? (await pull.manifestContent(digest));
    if (content === undefined) return undefined;
    const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
    return parseManifest(bytes, mediaType);
  }

  async #config(
    repositoryId: string,
    { config }: ParsedManifest,
  ): Promise<ImageConfig | undefined> {
    if (!config || !isImageConfig(config.mediaType)) return undefined;
    const blob = await this.#deps.blobs.find(repositoryId, config.digest);
    return blob && this.#configs.read(blob);
  }

  /** Of an index: its images, each with what is attested of it. */
  async #inside(repositoryId: string, { manifests: named }: ParsedManifest) {
    const attesting = named.filter(isAttestation);
    const images = named.filter((child) => !isAttestation(child));
    const digests = named.map((child) => child.digest);
    const rows =
      digests.length > 0 ? await this.#deps.manifests.details(repositoryId, digests) : [];
    const held = new Map(rows.map((row) => [row.digest, row]));
    const attestations = await this.#attestations(attesting);
    const layers = new Map<Digest, readonly Descriptor[]>();
    for (const { digest } of images.slice(0, mostChildren)) {
      const row = held.get(digest);
      if (row?.platform === undefined) continue;
      const parsed = await this.#parse(row);
      if (parsed) layers.set(digest, parsed.layers);
    }
    const measureOf = await readMeasures(this.#deps.blobs, [...layers.values()].flat());
    const children = images.map((descriptor): InspectedChild => {
      const own = layers.get(descriptor.digest);
      return {
        ...{ descriptor, held: held.get(descriptor.digest) },
        measure: own && sumOf(own.map(measureOf).filter((one) => one !== undefined)),
        attestations: attestations.filter((one) => attests(one, descriptor.digest)),
      };
    });
    const of = new Set(images.map((image) => image.digest));
    const others = attestations.filter(({ descriptor }) => {
      const image = attestedImage(descriptor);
      return image === undefined || !of.has(image);
    });
    return { children, attestations: others };
  }

  /** Of what an index names: the indexes, and what they have beside it that is about it. */
  async #beside(repositoryId: string, digest: Digest) {
    const { manifests } = this.#deps;
    const indexes = await manifests.indexesOf(repositoryId, digest, mostIndexes);
    const rows = indexes.length > 0 ? await manifests.details(repositoryId, indexes) : [];
    const about = new Map<Digest, Descriptor>();
    let attestedBy: Digest | undefined;
    for (const row of rows) {
      for (const child of (await this.#parse(row))?.manifests ?? []) {
        if (!isAttestation(child)) continue;
        if (child.digest === digest) attestedBy ??= attestedImage(child);
        else if (attestedImage(child) === digest) about.set(child.digest, child);
      }
    }
    const attestations = await this.#attestations([...about.values()]);
    return { indexes, attestations, attests: attestedBy };
  }

  async #attestations(descriptors: readonly Descriptor[]): Promise<Attestation[]> {
    const attestations: Attestation[] = [];
    for (const [at, descriptor] of descriptors.entries()) {
      const parsed = at < mostChildren ? await this.#parse(descriptor) : undefined;
      attestations.push({ descriptor, predicateTypes: parsed ? predicateTypesOf(parsed) : [] });
    }
    return attestations;
  }

  /** What cosign keeps of an image under tags of its digest. */
  async #byTag(repositoryId: string, digest: Digest): Promise<InspectedReferrer[]> {
    const algorithm = algorithmOf(digest);
    const stem = `${algorithm}-${digest.slice(algorithm.length + 1)}`;
    const found: InspectedReferrer[] = [];
    for (const suffix of ['sig', 'att', 'sbom']) {
      const row = await this.#deps.tags.find(repositoryId, `${stem}.${suffix}`);
      if (!row) continue;
      const { name, size, mediaType } = row;
      const [details] = await this.#deps.manifests.details(repositoryId, [row.digest]);
      found.push({
        ...{ digest: row.digest, mediaType, size, tag: name },
        artifactType: details?.artifactType,
        annotations: undefined,
      });
    }
    return found;
  }
}

function attests({ descriptor }: Attestation, image: Digest): boolean {
  return attestedImage(descriptor) === image;
}
