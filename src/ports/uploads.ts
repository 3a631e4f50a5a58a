import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import type { Awaitable } from './awaitable.ts';

/** A half-made blob. Survives restarts; ends by finish, cancel or expiry. */
export interface UploadRow {
  /** `upl_…`: the session's id and the storage key of the bytes. */
  readonly id: string;
  readonly repositoryId: string;
  /** Who began it: checked on each request, so a session is no use to anyone else. */
  readonly subject: string;
  readonly algorithm: DigestAlgorithm;
  /** Bytes taken. */
  readonly offset: number;
  /** Digest of those bytes, where it is known. */
  readonly digestSoFar: Digest | undefined;
  /** What the blob store needs to go on. */
  readonly storeState: string;
  readonly expiresAt: number;
}

export interface Uploads {
  find(id: string): Awaitable<UploadRow | undefined>;
  expired(now: number, limit: number): Awaitable<UploadRow[]>;
}
