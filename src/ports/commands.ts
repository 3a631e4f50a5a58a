import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import type { LayerCompression } from '../oci/media-types.ts';
import type { BlobRow, Measure } from './blobs.ts';
import type { CollectionPlanCommands } from './collection-plan.ts';
import type { ApiCommands } from './commands-api.ts';
import type { CollectionCommands } from './commands-collection.ts';
import type { EventCommands } from './commands-events.ts';
import type {
  DeploymentCommands,
  DeploymentReservation,
  FunctionRecordCommands,
  ReservedHost,
  VolumeCommands,
} from './commands-functions.ts';
import type { ProjectCommands } from './commands-projects.ts';
import type { RepositoryCommands } from './commands-repositories.ts';
import type { SignInCommands } from './commands-sign-in.ts';
import type { DomainCommands } from './domains.ts';
import type { ImageRuleCommands } from './image-rules.ts';
import type { InvocationCommands } from './invocations.ts';
import type { WrappedKey } from './keys.ts';
import type { Fence, LeaseCommands } from './leases.ts';
import type { Project, ProjectSettings } from './projects.ts';
import type { Repository, Visibility } from './repositories.ts';
import type { RetentionCommands } from './retention.ts';
import type { SandboxCommands } from './sandboxes.ts';
import type { ScrubCommands } from './scrub.ts';
import type { Account, PlanName, Role, Team } from './teams.ts';
import type { RefreshCredential, Token } from './tokens.ts';
import type { TrashCommands } from './trash.ts';
import type { TrustPolicy } from './trust-policies.ts';

/** What a project's plan lets a repository hold; absent: no limit. Checked where the row is made. */
export interface CountLimits {
  readonly plan: PlanName;
  readonly repositories?: number | undefined;
  readonly images?: number | undefined;
  readonly tags?: number | undefined;
  /** Bytes of the whole team. */
  readonly storage?: number | undefined;
}

export interface PutManifestArgs {
  readonly repositoryId: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly content: Uint8Array;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly subject: Digest | undefined;
  /** Blobs it names that must be linked in the repository when the command runs. */
  readonly blobs: readonly Digest[];
  /** Blobs it names that the repository may lack (their bytes may live elsewhere). */
  readonly optionalBlobs: readonly Digest[];
  /** Manifests it names that must be in the repository when the command runs. */
  readonly manifests: readonly Digest[];
  /** Layers of an image, to be measured. */
  readonly layers: readonly { digest: Digest; compression: LayerCompression }[];
  /** Compressed bytes of config and layers; 0 for an index. */
  readonly imageSize: number;
  /** `os/architecture` of an image. */
  readonly platform: string | undefined;
  readonly tags: readonly string[];
  /** False: rejects with `denied` where a tag of `tags` points at something else. */
  readonly overwrite: boolean;
  /** What it deploys. */
  readonly deploy?: DeploymentReservation | undefined;
  readonly actor: string;
  readonly limits: CountLimits;
  readonly now: number;
}

/**
 * Every write, by name. Each is one transaction, run by one writer; it rejects with a `RegistryError`
 * where the facts forbid it, and then has changed nothing.
 */
export interface Commands
  extends ApiCommands,
    CollectionCommands,
    FunctionRecordCommands,
    VolumeCommands,
    SandboxCommands,
    InvocationCommands,
    LeaseCommands,
    EventCommands,
    DeploymentCommands,
    DomainCommands,
    SignInCommands,
    ProjectCommands,
    ImageRuleCommands,
    TrashCommands,
    RetentionCommands,
    ScrubCommands,
    CollectionPlanCommands,
    RepositoryCommands {
  CreateTeam: { args: Team; result: null };
  SetTeamPlan: { args: { teamId: string; plan: PlanName }; result: null };
  CreateProject: {
    args: Omit<Project, 'plan' | 'teamSlug'>;
    result: null;
  };
  SetProjectSettings: { args: { projectId: string; settings: ProjectSettings }; result: null };
  CreateAccount: { args: Account; result: null };
  /**
   * `asOwner` false: rejects with `denied` where an owner would be made or changed; true unless given.
   * Rejects with `conflict` where the team would lose its last owner.
   */
  PutMember: {
    args: { teamId: string; accountId: string; role: Role; asOwner?: boolean };
    result: null;
  };
  /** As PutMember has it. */
  RemoveMember: { args: { teamId: string; accountId: string; asOwner?: boolean }; result: null };
  /** Event `token.created` for a team's token; a person's is none of the teams' business. */
  CreateToken: { args: { token: Token; hash: string; actor?: string }; result: null };
  /** Event `token.revoked`, likewise. */
  RevokeToken: {
    args: { id: string; now: number; actor?: string };
    result: { revoked: boolean };
  };
  CreateRefreshToken: {
    args: {
      id: string;
      hash: string;
      credential: RefreshCredential;
      expiresAt: number;
      now: number;
    };
    result: null;
  };
  /** Last use, in batches. */
  TouchTokens: { args: { uses: readonly { id: string; at: number }[] }; result: null };
  CreateTrustPolicy: { args: TrustPolicy; result: null };
  DeleteTrustPolicy: { args: { id: string }; result: { deleted: boolean } };
  CreateKey: { args: WrappedKey; result: null };
  /**
   * A new key takes the place of `replaces`, the newest of its purpose (rejects with `conflict` where that
   * is another); those before it verify until `retireAt` (undefined: for ever). Keys past their time go.
   */
  RotateKey: {
    args: {
      key: WrappedKey;
      replaces: string | undefined;
      retireAt: number | undefined;
      now: number;
    };
    result: null;
  };

  /** The repository of that name in the project, made where it is missing (event `repository.created`). */
  EnsureRepository: {
    args: {
      id: string;
      projectId: string;
      name: string;
      visibility: Visibility;
      actor: string;
      limits: CountLimits;
      now: number;
    };
    result: Repository;
  };
  SetVisibility: { args: { repositoryId: string; visibility: Visibility }; result: null };

  StartUpload: {
    args: {
      id: string;
      repositoryId: string;
      subject: string;
      algorithm: DigestAlgorithm;
      now: number;
      expiresAt: number;
    };
    result: null;
  };
  /** Compare-and-set: rejects with `upload-conflict` unless the row's offset is `from`, and `holder` claims it. */
  AdvanceUpload: {
    args: {
      id: string;
      from: number;
      to: number;
      digestSoFar: Digest | undefined;
      storeState: string;
      expiresAt: number;
      holder?: string | undefined;
      /** The claim ends with it. */
      release?: boolean;
    };
    result: null;
  };
  /**
   * The session becomes a blob, linked in its repository. `kept` false: another upload of the digest came first, and
   * this one's bytes are discarded; but where those of before are quarantined, these take their place.
   */
  FinishUpload: {
    args: {
      id: string;
      repositoryId: string;
      digest: Digest;
      size: number;
      now: number;
      /** Rejects with `quota` where the team would store more. */
      limits?: CountLimits | undefined;
      holder?: string | undefined;
      leaseMs?: number | undefined;
    };
    result: { kept: boolean };
  };
  /** Ends a session; its key is discarded with `storeState`. Rejects with `upload-conflict` where another claims it. */
  CancelUpload: {
    args: { id: string; storeState?: string; holder?: string | undefined };
    result: { cancelled: boolean };
  };
  /**
   * Only `holder` writes to the upload for `ttlMs` by the database's clock; again to renew. Rejects with
   * `upload-conflict` while another does. `untouched`: nobody wrote to it before. `ended`: the one who did died, or
   * stands still and may write once more, so the session is over and its key discarded.
   */
  ClaimUpload: {
    args: { id: string; holder: string; ttlMs: number };
    result: { state: 'untouched' | 'claimed' | 'ended' };
  };
  UnclaimUpload: { args: { id: string; holder: string }; result: null };
  /** The discarded keys' bytes are gone. */
  ForgetKeys: { args: { keys: readonly string[] }; result: null };

  /** Links a stored blob into a repository; undefined where it is gone, or quarantined. */
  LinkBlob: {
    args: {
      repositoryId: string;
      digest: Digest;
      now: number;
      limits?: CountLimits | undefined;
      leaseMs?: number | undefined;
    };
    result: BlobRow | undefined;
  };
  /** Rejects with `blob-unknown`, or `blob-in-use` where a manifest of the repository names it. */
  UnlinkBlob: { args: { repositoryId: string; digest: Digest }; result: null };

  /**
   * Rejects with `manifest-blob-unknown` (detail.digests), `tag-immutable` or `quota`. Events: `image.pushed`, `tag.moved` for each
   * tag that changed. `deployments`: those reserved, or else what the tags' environments run now.
   */
  PutManifest: {
    args: PutManifestArgs;
    result: { created: boolean; movedTags: string[]; deployments: readonly ReservedHost[] };
  };
  /** `PutManifest` of each in turn, all of them or none. */
  PutManifests: { args: { puts: readonly PutManifestArgs[] }; result: null };
  /** Rejects with `tag-immutable`, or with `deletion-off`. */
  DeleteTag: {
    args: { repositoryId: string; tag: string; actor: string; now: number };
    result: null;
  };
  /**
   * With all tags that point at it. Rejects with `manifest-in-use` where an index names it, `conflict` where an
   * environment runs it (detail.deployment), and as DeleteTag does. Other deployments of it end.
   * It can be restored until `restorableUntil`; absent: it cannot. `onlyWithTags`, in byte order: rejects with
   * `conflict` where it has others, or where a deployment is about to run it.
   */
  DeleteManifest: {
    args: {
      repositoryId: string;
      digest: Digest;
      actor: string;
      now: number;
      restorableUntil?: number | undefined;
      onlyWithTags?: readonly string[] | undefined;
    };
    result: null;
  };
  RecordMeasure: { args: Measure; result: null };
}

export type CommandName = keyof Commands;

/** Runs commands one after another, grouping those that arrive together into one commit. */
export interface CommandWriter {
  /** `fence`: rejects with `conflict` where the lease is another's by then. */
  run<N extends CommandName>(
    name: N,
    args: Commands[N]['args'],
    fence?: Fence,
  ): Promise<Commands[N]['result']>;
}
