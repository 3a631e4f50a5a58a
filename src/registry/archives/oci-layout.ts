import { isJsonObject } from '../../oci/bounded-json.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, type Digest, digestOf } from '../../oci/digest.ts';
import { type RegistryError, refuse } from '../../oci/errors.ts';
import { type ParsedManifest, parseManifest, requiredBlobs } from '../../oci/manifest.ts';
import { ociIndex } from '../../oci/media-types.ts';
import { type Archive, blobName, unreadable } from './archive.ts';
import { choose, namesOf } from './image-names.ts';

export interface LayoutManifest {
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly parsed: ParsedManifest;
}

/** An image of an OCI layout, as it will be put: byte for byte. */
export interface LayoutImage {
  readonly top: LayoutManifest;
  /** Children before those that name them; the top, then what refers to it, at the end. */
  readonly manifests: readonly LayoutManifest[];
  /** What the manifests name, each digest once. */
  readonly blobs: readonly Descriptor[];
  /** Names that the archive gives the image. */
  readonly names: readonly string[];
  readonly warnings: readonly string[];
}

export interface LayoutRules {
  /** Bytes of one manifest. */
  readonly manifest: number;
  /** Which image, where the archive holds several. */
  readonly name: string | undefined;
  /** Which of these blobs the repository holds: they need not come again. */
  held(digests: readonly Digest[]): Promise<ReadonlySet<Digest>>;
}

/** Of one upload: they are kept in memory, and recorded in one transaction. */
const mostManifests = 1_000;
const mostManifestBytes = 32 * 2 ** 20;
const deepest = 8;
const indexLimit = 4 * 2 ** 20;

/**
 * Reads an OCI layout (image-spec, image-layout.md). Rejects with `invalid` or `manifest-invalid` where it
 * is none, with `manifest-blob-unknown` where it names what it does not have.
 */
export async function readLayout(archive: Archive, rules: LayoutRules): Promise<LayoutImage> {
  const version = await archive.readJson('oci-layout', 4096);
  if (!isJsonObject(version) || !/^1\./.test(String(version.imageLayoutVersion))) {
    throw unreadable('oci-layout', 'does not say imageLayoutVersion 1.0.0');
  }
  const file = archive.find('index.json');
  if (!file) throw unreadable('index.json', 'is missing');
  const index = parseManifest(await archive.read('index.json', file, indexLimit), ociIndex);
  const walk = new Walk(archive, rules);
  const { described, referrers } = await walk.sort(index.manifests);
  const chosen = choose(
    described.map(({ digest, annotations }) => ({ key: digest, names: namesOf(annotations) })),
    rules.name,
  );
  const top = described.find(({ digest }) => digest === chosen.key)!;
  const warnings: string[] = [];
  const found = (await walk.complete(top, 0)) ?? (await walk.onlyImageOf(top, warnings));
  if (!found) throw missing([...walk.missing]);
  for (const referrer of referrers) {
    const subject = walk.found.has(referrer.parsed.subject!.digest);
    if (subject) await walk.complete(referrer.descriptor, 0);
  }
  const manifests = [...walk.found.values()];
  const blobs = new Map(
    manifests.flatMap(({ parsed }) => requiredBlobs(parsed)).map((blob) => [blob.digest, blob]),
  );
  const unused = archive.count('blobs') - blobs.size - manifests.length;
  if (unused > 0) {
    warnings.push(
      `${unused} files of the archive belong to no manifest of the image and were left out.`,
    );
  }
  return { top: found, manifests, blobs: [...blobs.values()], names: chosen.names, warnings };
}

class Walk {
  readonly found = new Map<Digest, LayoutManifest>();
  readonly missing = new Set<Digest>();
  readonly #archive: Archive;
  readonly #rules: LayoutRules;
  readonly #read = new Map<Digest, LayoutManifest>();
  #bytes = 0;

  constructor(archive: Archive, rules: LayoutRules) {
    this.#archive = archive;
    this.#rules = rules;
  }

  /** What the index names, but for manifests that refer to others (signatures, SBOMs): those go with their subjects. */
  async sort(descriptors: readonly Descriptor[]) {
    const described: Descriptor[] = [];
    const referrers: { descriptor: Descriptor; parsed: ParsedManifest }[] = [];
    for (const descriptor of descriptors) {
      const manifest = await this.#manifest(descriptor);
      if (manifest?.parsed.subject) referrers.push({ descriptor, parsed: manifest.parsed });
      else described.push(descriptor);
    }
    return { described, referrers };
  }

  /** The manifest with all that it names; undefined, and `missing` says why, where something is not there. */
  async complete(descriptor: Descriptor, depth: number): Promise<LayoutManifest | undefined> {
    const known = this.found.get(descriptor.digest);
    if (known) return known;
    if (depth > deepest) throw unreadable('index.json', `nests deeper than ${deepest} levels`);
    const manifest = await this.#manifest(descriptor);
    if (!manifest) {
      this.missing.add(descriptor.digest);
      return undefined;
    }
    let whole = true;
    for (const child of manifest.parsed.manifests) {
      whole = (await this.complete(child, depth + 1)) !== undefined && whole;
    }
    if (!(await this.#hasBlobs(manifest.parsed)) || !whole) return undefined;
    this.found.set(manifest.digest, manifest);
    return manifest;
  }

  /**
   * `docker save` keeps the index of an image of many platforms, and of its manifests those that it has:
   * where that is one, it stands for the image, as with docker push.
   */
  async onlyImageOf(top: Descriptor, warnings: string[]): Promise<LayoutManifest | undefined> {
    const index = await this.#manifest(top);
    const images = (index?.parsed.manifests ?? []).flatMap(({ digest, annotations, platform }) => {
      const manifest = this.found.get(digest);
      const attests = annotations?.['vnd.docker.reference.type'] !== undefined;
      return manifest && !attests ? [{ manifest, platform }] : [];
    });
    const [only] = images;
    if (!only || images.length > 1 || only.manifest.parsed.kind === 'index') return undefined;
    this.found.clear();
    this.found.set(only.manifest.digest, only.manifest);
    const { os, architecture } = only.platform ?? {};
    warnings.push(
      `The archive names an image of ${index!.parsed.manifests.length} manifests and holds one of them: only ${os ?? 'unknown'}/${architecture ?? 'unknown'} was stored.`,
    );
    return only.manifest;
  }

  /** Undefined: the archive does not have it. */
  async #manifest({ digest, size, mediaType }: Descriptor): Promise<LayoutManifest | undefined> {
    const known = this.#read.get(digest);
    if (known) return known;
    const name = blobName(digest);
    const file = this.#archive.find(name);
    if (!file) return undefined;
    if (file.size !== size)
      throw unreadable(name, `has ${file.size} bytes, and is said to have ${size}`);
    this.#bytes += size;
    if (this.#read.size >= mostManifests || this.#bytes > mostManifestBytes) {
      throw unreadable(
        'index.json',
        `names more than ${mostManifests} manifests, or 32 MiB of them`,
      );
    }
    const bytes = await this.#archive.read(name, file, this.#rules.manifest);
    if (digestOf(bytes, algorithmOf(digest)) !== digest) {
      throw unreadable(name, 'does not have the digest that it is named by');
    }
    const manifest = { digest, bytes, parsed: parseManifest(bytes, mediaType) };
    this.#read.set(digest, manifest);
    return manifest;
  }

  async #hasBlobs(parsed: ParsedManifest): Promise<boolean> {
    const lacking: Digest[] = [];
    for (const { digest, size } of requiredBlobs(parsed)) {
      const name = blobName(digest);
      const file = this.#archive.find(name);
      if (!file) lacking.push(digest);
      else if (file.size !== size) {
        throw unreadable(name, `has ${file.size} bytes, and is said to have ${size}`);
      }
    }
    if (lacking.length === 0) return true;
    const held = await this.#rules.held(lacking);
    const absent = lacking.filter((digest) => !held.has(digest));
    for (const digest of absent) this.missing.add(digest);
    return absent.length === 0;
  }
}

export function missing(digests: readonly string[]): RegistryError {
  const few = digests.slice(0, 3).join(', ');
  return refuse(
    'manifest-blob-unknown',
    `The archive names ${digests.length === 1 ? 'content' : `${digests.length} pieces of content`} that it does not have: ${few}${digests.length > 3 ? ' …' : ''}.`,
    'Make the archive again from an image that is there as a whole, with docker save --platform for one platform of several.',
    { digests: digests.slice(0, 100) },
  );
}
