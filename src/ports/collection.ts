import type { Digest } from '../oci/digest.ts';
import type { Awaitable } from './awaitable.ts';
import type { LinkKey } from './commands-collection.ts';

/** A link of a page, and whether it could go. */
export interface LinkState extends LinkKey {
  readonly size: number;
  readonly collectable: boolean;
}

export interface BlobState {
  readonly digest: Digest;
  readonly size: number;
  /** Repositories that link it; no more than was enough are counted. */
  readonly links: number;
}

/** What a collection reads: whole tables, page by page, so that no read is long. */
export interface Collection {
  /** In order of repository and digest, after `after`; collectable: no manifest names it, and its lease ended before `now`. */
  links(after: LinkKey | undefined, now: number, limit: number): Awaitable<LinkState[]>;
  /** In order of digest. `enough`: links of each that are counted at most. */
  blobs(after: Digest | undefined, limit: number, enough: number): Awaitable<BlobState[]>;
  /** Blobs that no repository links, and keys that wait for their time. Reads all of them, page by page. */
  unreferenced(): Awaitable<{
    readonly blobs: number;
    readonly bytes: number;
    readonly keys: number;
    /** Blobs that were looked at. */
    readonly seen: number;
  }>;
}

/** What one run looked at and took away, or would take away. */
export interface CollectionRun {
  readonly dryRun: boolean;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly links: { readonly seen: number; readonly collected: number };
  readonly blobs: { readonly seen: number; readonly collected: number; readonly bytes: number };
}

/** A run that somebody asked for. `run`: once it is done. */
export interface CollectionState {
  readonly id: string;
  readonly state: 'running' | 'done' | 'failed';
  readonly run?: CollectionRun;
}
