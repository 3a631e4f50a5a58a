import type { Digest } from '../oci/digest.ts';
import type { RepositoryPath } from '../oci/reference.ts';
import type { Awaitable } from './awaitable.ts';
import type { Repository } from './repositories.ts';

/** A manifest in one repository. Its bytes are stored once by digest, over all repositories. */
export interface ManifestRow {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest itself. */
  readonly size: number;
}

/** One read for the hot path: where the name leads, and what the reference points at there. */
export interface ResolvedManifest {
  readonly repository: Repository;
  readonly manifest: ManifestRow | undefined;
}

export interface Referrer {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/** A manifest with what was written down at its push. Times are UTC milliseconds. */
export interface ManifestDetails extends ManifestRow {
  /** Compressed bytes of config and layers; 0 for an index. */
  readonly imageSize: number;
  /** `os/architecture` of an image that can be run. */
  readonly platform: string | undefined;
  readonly artifactType: string | undefined;
  readonly subject: Digest | undefined;
  readonly pushedAt: number;
  readonly pushedBy: string;
}

/** An image that can be run and that an index names. */
export interface ChildImage {
  readonly parent: Digest;
  readonly digest: Digest;
  /** `os/architecture`. */
  readonly platform: string;
  readonly imageSize: number;
}

export interface Manifests {
  /** By tag or by digest, always from the database. Undefined: no such repository. */
  resolve(path: RepositoryPath, reference: string): Awaitable<ResolvedManifest | undefined>;
  find(repositoryId: string, digest: Digest): Awaitable<ManifestRow | undefined>;
  /** The bytes as they were pushed; undefined: no repository holds it. */
  content(digest: Digest): Awaitable<Buffer | undefined>;
  /** Which of `digests` the repository holds. */
  findMany(repositoryId: string, digests: readonly Digest[]): Awaitable<ManifestRow[]>;
  details(repositoryId: string, digests: readonly Digest[]): Awaitable<ManifestDetails[]>;
  /** The latest first, those after `after`, at most `limit`. */
  newest(
    repositoryId: string,
    after: Pick<ManifestDetails, 'digest' | 'pushedAt'> | undefined,
    limit: number,
  ): Awaitable<ManifestDetails[]>;
  /** Indexes of the repository that name `digest`, at most `limit`. */
  indexesOf(repositoryId: string, digest: Digest, limit: number): Awaitable<Digest[]>;
  /** What the indexes among `digests` name, one level deep, without what cannot be run. */
  childImages(repositoryId: string, digests: readonly Digest[]): Awaitable<ChildImage[]>;
  /** Manifests whose subject is `subject`, by digest in byte order, after `last`, at most `limit`. */
  referrers(
    repositoryId: string,
    subject: Digest,
    options: {
      artifactType?: string | undefined;
      last?: string | undefined;
      limit: number;
    },
  ): Awaitable<Referrer[]>;
}
