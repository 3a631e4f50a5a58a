import { LRUCache } from 'lru-cache';
import { type Digest, parseDigest } from '../oci/digest.ts';

interface Named {
  readonly digest?: unknown;
}
/** What a manifest or index names, of either kind. */
interface NamedParts {
  readonly config?: Named | null;
  readonly layers?: readonly Named[] | null;
  readonly manifests?: readonly Named[] | null;
}

/** Manifests that are read for one image: indexes of indexes could name millions. */
const mostManifests = 500;
const keptImages = 500;
/** Digests that all kept images hold together. */
const keptDigests = 200_000;

/**
 * What an image is made of, by digest: itself, its child manifests, and their configs and layers. A manifest never
 * changes, so what was found out stays true.
 */
export class ImageContents {
  readonly #content: (digest: Digest) => Promise<Buffer | undefined>;
  readonly #known = new LRUCache<Digest, ReadonlySet<Digest>>({
    max: keptImages,
    maxSize: keptDigests,
    sizeCalculation: (digests) => digests.size + 1,
  });
  readonly #reading = new Map<Digest, Promise<ReadonlySet<Digest>>>();

  /** `content`: a manifest's bytes. */
  constructor(content: (digest: Digest) => Promise<Buffer | undefined>) {
    this.#content = content;
  }

  async holds(image: Digest, digest: Digest): Promise<boolean> {
    if (image === digest) return true;
    return (this.#known.get(image) ?? (await this.#read(image))).has(digest);
  }

  #read(image: Digest): Promise<ReadonlySet<Digest>> {
    let reading = this.#reading.get(image);
    if (!reading) {
      reading = this.#collect(image).finally(() => this.#reading.delete(image));
      this.#reading.set(image, reading);
    }
    return reading;
  }

  async #collect(image: Digest): Promise<ReadonlySet<Digest>> {
    const found = new Set<Digest>([image]);
    const waiting: Digest[] = [image];
    let complete = true;
    for (let read = 0; waiting.length > 0 && read < mostManifests; read += 1) {
      const bytes = await this.#content(waiting.shift()!);
      if (!bytes) {
        // It may be pushed yet: asked again next time.
        complete = false;
        continue;
      }
      // It was read with all care when it was pushed.
      const { config, layers, manifests } = JSON.parse(bytes.toString()) as NamedParts;
      for (const digest of digestsOf([config, ...(layers ?? [])])) found.add(digest);
      for (const digest of digestsOf(manifests ?? [])) {
        if (!found.has(digest)) waiting.push(digest);
        found.add(digest);
      }
    }
    if (complete) this.#known.set(image, found);
    return found;
  }
}

function digestsOf(named: readonly (Named | null | undefined)[]): Digest[] {
  return named.flatMap((one) => {
    const digest = typeof one?.digest === 'string' ? parseDigest(one.digest) : undefined;
    return digest ? [digest] : [];
  });
}
