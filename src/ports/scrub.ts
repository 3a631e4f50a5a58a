import type { Digest } from '../oci/digest.ts';
import type { Awaitable } from './awaitable.ts';

/** What the bytes of a blob are: others than its digest says, more or fewer of them, or none. */
export type Damage = 'digest' | 'size' | 'missing';

/** A blob whose bytes are to be read anew. */
export interface ScrubCandidate {
  readonly digest: Digest;
  readonly key: string;
  readonly size: number;
  readonly quarantined: boolean;
  /** A read of it failed before. */
  readonly unreadable: boolean;
}

/** Times are UTC milliseconds. */
export interface BlobFault {
  readonly digest: Digest;
  readonly kind: 'quarantined' | 'unreadable';
  /** Of `quarantined` a `Damage`, else what the store said. */
  readonly reason: string;
  readonly size: number;
  readonly key: string;
  readonly foundAt: number;
  /** When it was last looked at. */
  readonly seenAt: number;
  /** Some of the repositories that link it, as `team/project/repository`. */
  readonly repositories: readonly string[];
}

export interface DamagedManifest {
  readonly digest: Digest;
  readonly foundAt: number;
  readonly repositories: readonly string[];
}

/** A scrub that somebody asked for. */
export interface ScrubRun {
  readonly id: string;
  readonly repositoryId: string | undefined;
  /** `team/project/repository`; undefined: all. */
  readonly repository: string | undefined;
  readonly actor: string;
  readonly state: 'running' | 'done' | 'cancelled';
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  /** As it began. */
  readonly total: { readonly blobs: number; readonly bytes: number };
  /** So far. */
  readonly blobs: number;
  readonly bytes: number;
  readonly quarantined: number;
  /** That were quarantined, and hash again. */
  readonly repaired: number;
  readonly unreadable: number;
  readonly manifests: number;
}

/** What is remembered by name, as text. */
export type ScrubNote = 'manifests-after' | 'manifests-ended' | 'store-failure';

export interface ScrubStore {
  /**
   * Blobs that were last verified before `before`, the oldest first; without those that could not be read since
   * `retryBefore`.
   */
  due(before: number, retryBefore: number, limit: number): Awaitable<ScrubCandidate[]>;
  /** Likewise, those that a repository links, by digest, after `after`. */
  dueIn(
    repositoryId: string,
    after: Digest | undefined,
    before: number,
    retryBefore: number,
    limit: number,
  ): Awaitable<ScrubCandidate[]>;
  /** The one that is under way. */
  running(): Awaitable<ScrubRun | undefined>;
  run(id: string): Awaitable<ScrubRun | undefined>;
  /** The newest first. */
  runs(limit: number): Awaitable<ScrubRun[]>;
  /** Of all blobs, and of those last verified before `before`: reads the whole index, so by hand only. */
  coverage(before: number): Awaitable<{
    readonly blobs: number;
    readonly bytes: number;
    readonly dueBlobs: number;
    readonly dueBytes: number;
    /** When the one that waits longest was verified; 0: never. Undefined: there is none. */
    readonly oldest: number | undefined;
  }>;
  counts(): Awaitable<{
    readonly quarantined: number;
    readonly unreadable: number;
    readonly manifests: number;
  }>;
  faults(after: Digest | undefined, limit: number): Awaitable<BlobFault[]>;
  damagedManifests(limit: number): Awaitable<DamagedManifest[]>;
  /** By digest, after `after`; of one repository, or of all. */
  manifests(
    after: Digest | undefined,
    limit: number,
    repositoryId?: string,
  ): Awaitable<{ readonly digest: Digest; readonly bytes: Buffer }[]>;
  note(name: ScrubNote): Awaitable<string | undefined>;
}

/** How long bytes that did not hash are kept aside once others took their place. */
export const replacedBytesKeptMs = 7 * 24 * 3_600_000;

/** Repositories that hear of one fault by an event: so that its transaction ends soon. */
export const mostToldOfFault = 1_000;

interface Read {
  readonly digest: Digest;
  /** What was read: nothing is written down of a blob that has another key by now. */
  readonly key: string;
}

/** Writes of the scrub. `runId`: they count there, too. */
export interface ScrubCommands {
  /** They hash. Those that were quarantined are pulled again (`repaired`). */
  RecordVerified: {
    args: {
      blobs: readonly (Read & { readonly faulty: boolean; readonly size: number })[];
      now: number;
      runId: string | undefined;
    };
    result: { repaired: number };
  };
  /**
   * It is pulled no more, until it is pushed again. Event `blob.quarantined` in each repository that links it.
   * `known`: it was so before. `gone`: it was collected or replaced meanwhile, and nothing is written down.
   */
  QuarantineBlob: {
    args: Read & { damage: Damage; size: number; now: number; runId: string | undefined };
    result: { state: 'new' | 'known' | 'gone'; repositories: number };
  };
  RecordUnreadable: {
    args: Read & { reason: string; size: number; now: number; runId: string | undefined };
    result: null;
  };
  /** The bytes, if they are still these, are kept aside. Event `manifest.quarantined`, likewise. */
  QuarantineManifest: {
    args: { digest: Digest; bytes: Uint8Array; now: number };
    result: { quarantined: boolean; repositories: number };
  };
  /** `undefined` as a value: it is forgotten. `manifests`: how many were read. */
  NoteScrub: {
    args: {
      notes: readonly { name: ScrubNote; value: string | undefined }[];
      manifests?: number;
      runId?: string | undefined;
    };
    result: null;
  };
  /** Rejects with `conflict` where one is under way. */
  StartScrub: {
    args: {
      id: string;
      repositoryId: string | undefined;
      repository: string | undefined;
      actor: string;
      now: number;
    };
    result: ScrubRun;
  };
  /** False: it had ended. */
  EndScrub: {
    args: { id: string; state: 'done' | 'cancelled'; now: number };
    result: { ended: boolean };
  };
}

export interface ScrubStatus {
  /** Bytes a second. */
  readonly rate: number;
  /** Milliseconds after which a blob is read anew; undefined: only when somebody asks. */
  readonly intervalMs: number | undefined;
  readonly running: ScrubRun | undefined;
  /** That ended, the newest first. */
  readonly runs: readonly ScrubRun[];
  readonly coverage: Awaited<ReturnType<ScrubStore['coverage']>>;
  readonly counts: Awaited<ReturnType<ScrubStore['counts']>>;
  /** When all manifests were read last. */
  readonly manifestsEndedAt: number | undefined;
  /** Why the store cannot be read; undefined: it can, as far as was tried. */
  readonly storeFailure: string | undefined;
}

/** What operators ask of the scrub. */
export interface ScrubControl {
  status(): Promise<ScrubStatus>;
  run(id: string): Promise<ScrubRun | undefined>;
  /** Reads all anew, or what a repository links. Rejects with `conflict` where another is under way. */
  start(
    repository: { readonly id: string; readonly name: string } | undefined,
    actor: string,
  ): Promise<ScrubRun>;
  /** False: it had ended. */
  cancel(id: string): Promise<boolean>;
  /** By digest. */
  faults(after: Digest | undefined, limit: number): Promise<BlobFault[]>;
  /** At most 1,000. */
  damagedManifests(): Promise<DamagedManifest[]>;
}
