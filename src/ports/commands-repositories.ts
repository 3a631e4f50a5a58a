import type { Digest } from '../oci/digest.ts';
import type { Commands, CountLimits } from './commands.ts';
import type { Repository } from './repositories.ts';

/** Writes of the management of repositories and their tags. */
export interface RepositoryCommands {
  /** As `EnsureRepository`, but rejects with `conflict` where there is one of that name. */
  CreateRepository: { args: Commands['EnsureRepository']['args']; result: Repository };
  /**
   * With all that it holds: tags, manifests, links, open uploads (their keys are discarded). Blobs that no
   * repository links any more stay stored. Event `repository.deleted`. Rejects with `name-unknown`, or with
   * `conflict` where an environment runs an image of it; other deployments of its images end. Rejects as
   * `DeleteTag` does where it holds a tag that must stay.
   */
  DeleteRepository: {
    args: { repositoryId: string; actor: string; now: number };
    result: { discarded: number };
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
