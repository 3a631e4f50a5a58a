import type { LayerCompression } from '../oci/media-types.ts';
import type { CollectionState } from '../ports/collection.ts';
import type { CollectionRecord, CollectionSummary } from '../ports/collection-plan.ts';
import type { KeyPurpose } from '../ports/keys.ts';
import type { ProjectFunctions, ProjectSettings } from '../ports/projects.ts';
import type { Visibility } from '../ports/repositories.ts';
import type { BlobFault, DamagedManifest, ScrubRun, ScrubStatus } from '../ports/scrub.ts';
import type { Account, Member, PlanName, Role, Team } from '../ports/teams.ts';
import type { TokenScope } from '../ports/tokens.ts';
import type { Action } from '../ports/trust-policies.ts';

/** The words of the methods, for who calls them. */
export type {
  Account,
  Action,
  CollectionRecord,
  CollectionState,
  CollectionSummary,
  KeyPurpose,
  LayerCompression,
  Member,
  PlanName,
  Role,
  ScrubRun,
  ScrubStatus,
  Team,
  TokenScope,
  Visibility,
};

/**
 * What an operator can ask for: by the socket in the data folder, and later by the API. Teams and accounts
 * are named by slug (name) or id, projects by `team/project`, `project` where the team is known, or id.
 * Times are UTC milliseconds.
 */
export interface AdminMethods {
  status: { params: Record<string, never>; result: AdminStatus };

  'team.create': { params: { slug: string; name?: string; plan?: PlanName }; result: Team };
  'team.list': { params: Record<string, never>; result: { teams: Team[] } };
  'team.set-plan': { params: { team: string; plan: PlanName }; result: Team };

  'project.create': { params: ProjectSettingsChange & { project: string }; result: ProjectView };
  'project.list': { params: { team: string }; result: { projects: ProjectView[] } };
  /** Changes what is given, and shows what holds then. */
  'project.settings': { params: ProjectSettingsChange & { project: string }; result: ProjectView };

  'account.create': {
    params: { name: string; email?: string; operator?: boolean };
    result: Account;
  };
  'account.list': { params: Record<string, never>; result: { accounts: Account[] } };
  /** Whether the account runs the installation. */
  'account.set-operator': { params: { account: string; operator: boolean }; result: Account };
  'account.delete': { params: { account: string }; result: { deleted: true } };

  /** Adds, or changes the role of who is there. */
  'member.add': { params: { team: string; account: string; role?: Role }; result: Member };
  'member.list': { params: { team: string }; result: { members: Member[] } };
  'member.remove': { params: { team: string; account: string }; result: { removed: true } };

  'token.create': { params: NewTokenParams; result: NewTokenView };
  'token.list': { params: TokenOwner; result: { tokens: TokenView[] } };
  'token.revoke': { params: { token: string }; result: { revoked: true; token: TokenView } };

  'policy.create': { params: NewPolicyParams; result: PolicyView & { advice?: string } };
  /** Changes what is given. */
  'policy.update': { params: PolicyChangeParams; result: PolicyView };
  'policy.list': { params: { team: string }; result: { policies: PolicyView[] } };
  /** The installation's own keys, newest first by purpose; never the keys themselves. */
  'key.list': { params: Record<string, never>; result: { keys: KeyView[] } };
  /** `now`: those before it are good for nothing any more, and what they signed neither. */
  'key.rotate': { params: { purpose: KeyPurpose; now?: boolean }; result: KeyRotationView };

  /** What collections would free, by repository: totals, and those that free most. */
  'collection.plan': {
    params: { repository?: string; repositories?: number; roots?: number };
    result: CollectionSummary;
  };
  /** The last runs that took something away. */
  'collection.list': { params: Record<string, never>; result: { runs: CollectionRecord[] } };

  /** Begins one, or joins the one under way; without a server it has ended with the answer. */
  'collection.run': { params: Record<string, never>; result: CollectionState };
  'collection.show': { params: { run: string }; result: CollectionState };

  'scrub.status': { params: Record<string, never>; result: ScrubStatus };
  /** What was found, a page at a time, by digest; `next` as repository.list has it. */
  'scrub.list': {
    params: { after?: string; limit?: number };
    result: { faults: BlobFault[]; manifests: DamagedManifest[]; next?: string };
  };
  /** Of all, or of a repository. */
  'scrub.start': { params: { repository?: string }; result: ScrubRun };
  'scrub.show': { params: { run: string }; result: ScrubRun };
  /** `run` absent: none was under way. */
  'scrub.cancel': { params: Record<string, never>; result: { run?: ScrubRun } };

  /** What the container engine holds and the database does not know. */
  'volume.list': { params: Record<string, never>; result: { volumes: StrayVolume[] } };
  /** It is its project's volume again, under that name. */
  'volume.adopt': { params: { volume: string; name: string }; result: AdoptedVolume };
  /** With what it holds. `removed`: false: instances use it, and it goes when they have ended. */
  'volume.remove': { params: { volume: string }; result: { removed: boolean } };

  'policy.delete': { params: { policy: string }; result: { deleted: true } };

  /** A page, by project and then by name in byte order; `next` is the `after` of the page that follows. */
  'repository.list': {
    params: { team: string; project?: string; after?: string; limit?: number };
    result: { repositories: RepositoryView[]; next?: string };
  };
  /** Changes it where it is given, and shows what holds then. */
  'repository.visibility': {
    params: { repository: string; visibility?: Visibility };
    result: RepositoryView;
  };
}

export type AdminMethod = keyof AdminMethods;
export type AdminParams<M extends AdminMethod> = AdminMethods[M]['params'];
export type AdminResult<M extends AdminMethod> = AdminMethods[M]['result'];

export interface AdminStatus {
  readonly version: string;
  /** Where clients reach the server; where it does not run, where they would. */
  readonly url: string;
  /** False: the answer comes from the data folder alone. */
  readonly running: boolean;
  readonly pid: number;
  readonly startedAt?: number;
  readonly data: string;
  readonly storage: string;
  /** `sqlite` or `postgres`. */
  readonly database: string;
  /** Volumes that the container engine holds and the database does not know; absent: there is no engine here. */
  readonly unknownVolumes?: number;
}

export interface StrayVolume {
  readonly id: string;
  readonly kind: 'disk' | 'bucket';
  /** `team/project`, or the id of a project that is not there; absent: it cannot be told. */
  readonly project?: string;
  readonly createdAt?: number;
  /** That a disk holds, where that can be told. */
  readonly bytes?: number;
}

export interface AdoptedVolume {
  readonly id: string;
  readonly project: string;
  readonly name: string;
}

export interface ProjectSettingsChange {
  /** Null: all. */
  readonly layerCompressions?: LayerCompression[] | null;
  /** `os/architecture`; null: all. */
  readonly platforms?: string[] | null;
  /** What is given of it replaces. */
  readonly functions?: ProjectFunctions;
}

export interface ProjectView {
  readonly id: string;
  /** `team/project` */
  readonly path: string;
  readonly plan: PlanName;
  readonly settings: ProjectSettings;
  readonly createdAt: number;
}

/** One of the two. */
export interface TokenOwner {
  readonly team?: string;
  readonly account?: string;
}

export interface NewTokenParams extends TokenOwner {
  readonly name?: string;
  readonly scope?: TokenScope;
  /** Narrowed to these; `*` or absent: all. */
  readonly projects?: string[];
  /** How long it is good for, such as `90d`; absent: until it is revoked. */
  readonly expires?: string;
}

export interface TokenView {
  readonly id: string;
  readonly name: string;
  /** `team <slug>` or `account <name>` */
  readonly owner: string;
  readonly scope: TokenScope;
  /** `team/project` each; absent: all. */
  readonly projects?: string[];
  readonly state: 'active' | 'expired' | 'revoked';
  readonly createdAt: number;
  readonly expiresAt?: number;
  readonly revokedAt?: number;
  readonly lastUsedAt?: number;
}

export interface NewTokenView extends TokenView {
  /** The secret. It is not stored and cannot be shown again. */
  readonly token: string;
  readonly registry: string;
  /** The username of each team that it opens. */
  readonly logins: { readonly team: string; readonly username: string }[];
}

export interface NewPolicyParams {
  readonly team: string;
  readonly name: string;
  /** Absent or `*`: all projects of the team. */
  readonly projects?: string[];
  /** Pull and push, unless given. */
  readonly actions?: Action[];
  /** Whose tokens; `generic` has the claims themselves, the others know their issuer's. */
  readonly preset: PresetName;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface PolicyChangeParams {
  readonly policy: string;
  readonly name?: string;
  readonly claims?: Readonly<Record<string, readonly string[]>>;
  /** Null: this instance's own. */
  readonly audience?: string | null;
  /** `*`: all projects of the team. */
  readonly projects?: string[];
  readonly actions?: Action[];
}

export type PresetName = 'github' | 'gitlab' | 'vercel' | 'generic';

export interface PolicyView {
  readonly id: string;
  readonly team: string;
  readonly name: string;
  readonly issuer: string;
  /** Absent: this instance's own. */
  readonly audience?: string;
  readonly claims: Readonly<Record<string, readonly string[]>>;
  /** `team/project` each; absent: all. */
  readonly projects?: string[];
  readonly actions: readonly Action[];
  readonly createdAt: number;
}

export interface KeyView {
  readonly id: string;
  readonly purpose: KeyPurpose;
  readonly createdAt: number;
  /** It is replaced, and verifies until this time. */
  readonly retiredAt?: number;
}

export interface KeyRotationView {
  readonly purpose: KeyPurpose;
  readonly id: string;
  /** Until then all processes and verifiers hear of it. */
  readonly signsAt: number;
  /** Until when those before it verify; absent: for ever. */
  readonly retiredAt?: number | undefined;
}

export interface RepositoryView {
  /** `team/project/repository` */
  readonly name: string;
  readonly visibility: Visibility;
}
