import type { Digest } from '../oci/digest.ts';
import type { Commands, CountLimits } from './commands.ts';
import type { Repository } from './repositories.ts';

/** How far a deleted repository's rows are removed: within a part of them, by key. */
export interface PurgePlace {
  readonly repositoryId: string;
  readonly part: number;
  readonly after: string;
}

/** Writes of the management of repositories and their tags. */
export interface RepositoryCommands {
  /** As `EnsureRepository`, but rejects with `conflict` where there is one of that name. */
  CreateRepository: { args: Commands['EnsureRepository']['args']; result: Repository };
  /**
   * With all that it holds: tags, manifests, links, open uploads (their keys are discarded). Its name is free at once
   * and nothing of it is found any more; where it holds much, its rows are removed by `PurgeRepository`, and `left`
   * says so. Blobs that no repository links any more stay stored. Event `repository.deleted`. Rejects with `name-unknown`, or with
   * `conflict` where an environment runs an image of it; other deployments of its images end. Rejects as
   * `DeleteTag` does where it holds a tag that must stay.
   */
  DeleteRepository: {
    args: { repositoryId: string; actor: string; now: number };
    result: { discarded: number; left: boolean };
  };
  /**
   * Removes about `limit` rows of one deleted repository, from `place` on: where the one before ended, and without it
   * (or once that repository is gone) the first rows of the next. `left`: there is more to remove.
   */
  PurgeRepository: {
    args: { place?: PurgePlace | undefined; limit: number };
    result: { next: PurgePlace | undefined; left: boolean };
  };
  /** Last pulls, in batches. */
  TouchRepositories: { args: { uses: readonly { id: string; at: number }[] }; result: null };
  /**
   * Points a tag at a manifest that the repository holds. Rejects with `manifest-unknown`, with `denied`
   * where the tag points at something else and may not be overwritten, with `tag-immutable`, with `quota`. Event `tag.moved`
   * where it changes.
   */
  PutTag: {
    args: {
      repositoryId: string;
      tag: string;
      digest: Digest;
      overwrite: boolean;
      actor: string;
      limits: CountLimits;
      now: number;
    };
    result: { created: boolean; moved: boolean };
  };
}
