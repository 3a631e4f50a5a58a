import type { Digest } from '../oci/digest.ts';
import type { Awaitable } from './awaitable.ts';
import type { CountLimits } from './commands.ts';
import type { ManifestDetails } from './manifests.ts';

/** A manifest that was deleted and can come back until `expiresAt`. Times are UTC milliseconds. */
export interface DeletedManifest extends ManifestDetails {
  /** That pointed at it. */
  readonly tags: readonly string[];
  readonly deletedAt: number;
  readonly deletedBy: string;
  readonly expiresAt: number;
}

/** Of each repository; those that were deleted before them go early. */
export const deletedKept = 10_000;

export interface TrashStore {
  /** Those whose time is not over and that were not pushed again, the last deleted first, after `after`, at most `limit`. */
  page(
    repositoryId: string,
    now: number,
    after: Pick<DeletedManifest, 'digest' | 'deletedAt'> | undefined,
    limit: number,
  ): Awaitable<DeletedManifest[]>;
  /** Whether something's time is over. */
  isDue(now: number): Awaitable<boolean>;
}

export interface RestoredManifest {
  /** That point at it again. */
  readonly tags: readonly string[];
  /** That were set meanwhile, and stay as they are. */
  readonly tagsTaken: readonly string[];
  /** Manifests that it names and that came back with it. */
  readonly manifests: readonly Digest[];
  /** It was in the repository, as after another push: nothing changed. */
  readonly alreadyThere: boolean;
}

/** Writes of what was deleted. */
export interface TrashCommands {
  /**
   * Puts a deleted manifest back, with those that it names and that were deleted, too; each as a push does, with
   * its tags where they are free. Does nothing where it is there. Rejects with `manifest-unknown`, and as `PutManifest` does.
   */
  RestoreManifest: {
    args: { repositoryId: string; digest: Digest; actor: string; limits: CountLimits; now: number };
    result: RestoredManifest;
  };
  /** Those whose time is over go, at most `limit`. */
  EmptyTrash: { args: { now: number; limit: number }; result: { removed: number } };
}
