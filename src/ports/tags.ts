import type { Digest } from '../oci/digest.ts';
import type { Awaitable } from './awaitable.ts';

/** A tag with what it points at. Times are UTC milliseconds. */
export interface TagRow {
  readonly name: string;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** Compressed bytes of config and layers; 0 for an index. */
  readonly imageSize: number;
  /** `os/architecture` of an image that can be run. */
  readonly platform: string | undefined;
  readonly createdAt: number;
  /** When it was last moved, and by whom. */
  readonly updatedAt: number;
  readonly updatedBy: string;
}

export interface TagListing {
  /** `name` in byte order, or the date of the last move, then the name. */
  readonly sort: 'name' | 'date';
  readonly order: 'asc' | 'desc';
  /** The last one of the page before. */
  readonly after?: Pick<TagRow, 'name' | 'updatedAt'> | undefined;
  readonly limit: number;
}

/** What became of a tag, and when. */
export interface TagChange {
  /** Of this tag; a later change has a higher one. */
  readonly sequence: number;
  readonly action: 'set' | 'deleted';
  /** What it was set to, or what it pointed at until it was deleted. */
  readonly digest: Digest;
  readonly at: number;
  readonly actor: string;
}

/** Changes that are kept of each tag; older ones go. */
export const tagChangesKept = 100;

export interface Tags {
  /** The latest first, those before the sequence `before`, at most `limit`; of deleted tags, too. */
  history(
    repositoryId: string,
    name: string,
    before: number | undefined,
    limit: number,
  ): Awaitable<TagChange[]>;
  /** Names after `last` in byte order, at most `limit`. */
  list(repositoryId: string, last: string | undefined, limit: number): Awaitable<string[]>;
  page(repositoryId: string, listing: TagListing): Awaitable<TagRow[]>;
  find(repositoryId: string, name: string): Awaitable<TagRow | undefined>;
  /** Names that point at `digest`, after `last` in byte order, at most `limit`. */
  namesOf(
    repositoryId: string,
    digest: Digest,
    last: string | undefined,
    limit: number,
  ): Awaitable<string[]>;
}
