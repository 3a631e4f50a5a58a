import type { Digest } from '../oci/digest.ts';
import type { Awaitable } from './awaitable.ts';

/** A manifest that was deleted, and what it named; its blobs go when it can be restored no more. */
export interface DeletedPart {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  readonly platform: string | undefined;
  readonly size: number;
  readonly subject: Digest | undefined;
  readonly blobs: readonly Digest[];
  readonly manifests: readonly Digest[];
  readonly tags: readonly string[];
  /** UTC milliseconds. */
  readonly expiresAt: number;
}

export interface BlobKeepers {
  readonly digest: Digest;
  readonly size: number;
  /** A manifest of the repository names it, or another repository links it. */
  readonly kept: boolean;
}

/** What a plan of a collection reads, page by page. */
export interface CollectionPlanStore {
  /** By id, after `after`. */
  repositories(
    after: string | undefined,
    limit: number,
  ): Awaitable<{ readonly id: string; readonly name: string }[]>;
  repository(id: string): Awaitable<{ readonly id: string; readonly name: string } | undefined>;
  /** By digest, after `after`. At most 10,000 of a repository are there. */
  deleted(repositoryId: string, after: Digest | undefined, limit: number): Awaitable<DeletedPart[]>;
  /** Links of the repository that would go at `now`, by digest, among the `limit` after `after`. */
  loose(
    repositoryId: string,
    after: Digest | undefined,
    now: number,
    limit: number,
  ): Awaitable<{ readonly last: Digest | undefined; readonly digests: readonly Digest[] }>;
  keepers(repositoryId: string, digests: readonly Digest[]): Awaitable<BlobKeepers[]>;
  /** The last that took something away, the newest first. */
  runs(limit: number): Awaitable<CollectionRecord[]>;
}

/** What a run took away. Times are UTC milliseconds. */
export interface CollectionRecord {
  readonly id: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly links: number;
  readonly blobs: number;
  readonly bytes: number;
}

/** A manifest of a tree that goes: before what it names, and what refers to it. */
export interface PlannedNode {
  readonly digest: Digest;
  /** To the node above it: the last before it whose depth is one less. */
  readonly relation: 'root' | 'child' | 'referrer';
  readonly depth: number;
  readonly tags: readonly string[];
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  readonly platform: string | undefined;
  /** Of its own and of its blobs that nothing keeps. */
  readonly bytes: number;
}

export interface PlannedRoot {
  readonly digest: Digest;
  readonly tags: readonly string[];
  /** When the last of its tree can be restored no more. */
  readonly goesAt: number;
  /** Freed with this one alone: nothing else names them, here or elsewhere. */
  readonly bytes: number;
  /** Freed once others of the repository's roots are gone, too. */
  readonly shared: number;
  readonly nodes: readonly PlannedNode[];
  /** Nodes that are not shown. */
  readonly more: number;
}

/** What would go of one repository. */
export interface RepositoryPlan {
  readonly id: string;
  readonly repository: string;
  /** Of all its roots and loose blobs, each once. */
  readonly blobs: number;
  readonly bytes: number;
  /** Blobs that no manifest names, and whose lease is over: the next run takes them. */
  readonly loose: { readonly blobs: number; readonly bytes: number };
  /** Links that go without a blob: others keep it. */
  readonly links: number;
  /** Those that free most first. */
  readonly roots: readonly PlannedRoot[];
  readonly rootCount: number;
}

export interface CollectionPlanPage {
  readonly repositories: readonly RepositoryPlan[];
  /** Undefined: that was all. */
  readonly next: string | undefined;
}

export interface CollectionPlanner {
  /** `roots`: shown of each repository. A page may have fewer than `limit`, or none, and a next one. */
  plan(args: {
    after: string | undefined;
    limit: number;
    roots: number;
    repositoryId?: string | undefined;
  }): Promise<CollectionPlanPage>;
  /** Of all, and the `repositories` that free most. */
  summary(args: {
    repositories: number;
    roots: number;
    repositoryId?: string | undefined;
  }): Promise<CollectionSummary>;
  runs(): Promise<CollectionRecord[]>;
}

export interface CollectionSummary {
  readonly totals: {
    readonly repositories: number;
    readonly roots: number;
    readonly blobs: number;
    readonly bytes: number;
    readonly loose: { readonly blobs: number; readonly bytes: number };
  };
  readonly repositories: readonly RepositoryPlan[];
}

export interface CollectionPlanCommands {
  /** The last 100 are kept. */
  RecordCollection: { args: CollectionRecord; result: null };
}
