import type { Digest } from '../oci/digest.ts';

/**
 * Unless set: how long a link that nothing names yet is kept, in milliseconds: a client that was told that a blob is there
 * may take as long to push the manifest that names it.
 */
export const blobLeaseMs = 24 * 3_600_000;

export interface LinkKey {
  readonly repositoryId: string;
  readonly digest: Digest;
}

/** Writes of the collection of what nothing names. */
export interface CollectionCommands {
  /** A lease from `now` on; undefined where the link is gone. */
  RenewLease: {
    args: LinkKey & { now: number; leaseMs?: number | undefined };
    result: { renewed: boolean };
  };
  /** Those that no manifest of their repository names, and whose lease is over, go: looked at once more here. */
  CollectLinks: {
    args: { links: readonly LinkKey[]; now: number };
    result: { count: number; bytes: number };
  };
  /**
   * Those that no repository links go, with their measures; their bytes when `delayMs` have passed. A digest that
   * is pushed again meanwhile gets a key of its own.
   */
  CollectBlobs: {
    args: { digests: readonly Digest[]; now: number; delayMs: number };
    result: { count: number; bytes: number };
  };
}
