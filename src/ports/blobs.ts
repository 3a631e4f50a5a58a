import type { Digest } from '../oci/digest.ts';
import type { LayerCompression } from '../oci/media-types.ts';
import type { RepositoryPath } from '../oci/reference.ts';
import type { Awaitable } from './awaitable.ts';
import type { CatalogScope, Repository } from './repositories.ts';

/** A blob that is stored: once over all tenants, readable only through a repository that links it. */
export interface BlobRow {
  readonly digest: Digest;
  /** Storage key: the id of the upload that wrote it. */
  readonly key: string;
  readonly size: number;
}

export interface ResolvedBlob {
  readonly repository: Repository;
  readonly blob: BlobRow | undefined;
  /** The repository links it, but its bytes are not its digest's (UTC milliseconds of when that was found). */
  readonly quarantinedAt: number | undefined;
  /** The blob is kept here until then, though nothing names it (UTC milliseconds). */
  readonly leasedUntil: number;
}

/**
 * How a layer's uncompressed size stands. Sizes are bytes. By digest and by what the bytes were said to
 * be: a false label that somebody puts on a layer must not stick to everybody's.
 */
export interface Measure {
  readonly digest: Digest;
  readonly compression: LayerCompression;
  readonly state: 'pending' | 'measured' | 'over' | 'mismatch';
  readonly uncompressedSize: number | undefined;
  /** Why a layer must not be run: not what its media type says, or more than the cap. */
  readonly reason: string | undefined;
}

/** A layer that waits to be measured. */
export interface PendingMeasure {
  readonly digest: Digest;
  readonly compression: LayerCompression;
  readonly key: string;
}

/** Quarantined blobs are found by none of these. */
export interface Blobs {
  /** One read for the hot path. Undefined: no such repository. */
  resolve(path: RepositoryPath, digest: Digest): Awaitable<ResolvedBlob | undefined>;
  find(repositoryId: string, digest: Digest): Awaitable<BlobRow | undefined>;
  /** Which of `digests` the repository links. */
  findMany(repositoryId: string, digests: readonly Digest[]): Awaitable<BlobRow[]>;
  /** The blob, where any repository in `scope`, or any public one, links it. */
  findReadable(digest: Digest, scope: CatalogScope | undefined): Awaitable<BlobRow | undefined>;
  measures(digests: readonly Digest[]): Awaitable<Measure[]>;
  pendingMeasures(limit: number): Awaitable<PendingMeasure[]>;
  /** Keys whose bytes are to be removed by `now` (absent: ever): the losers of two uploads of one digest, ended sessions, and what was collected. */
  discardedKeys(
    limit: number,
    now?: number,
  ): Awaitable<{ key: string; state: string | undefined }[]>;
}
