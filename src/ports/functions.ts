import type { Digest } from '../oci/digest.ts';
import type { Awaitable } from './awaitable.ts';

/** Where a deployment runs: production has its own times, other tags and branches are previews. */
export type FunctionEnvironment = 'production' | 'preview';

export const contractNames = ['vercel', 'function-compute', 'cloud-run'] as const;
export type ContractName = (typeof contractNames)[number];

/** How a service runs; what is absent has its contract's or the installation's default. */
export interface ServiceSettings {
  readonly contract?: ContractName;
  readonly port?: number;
  /** In place of the image's entrypoint. */
  readonly command?: readonly string[];
  /** In place of the image's command. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Name in the container -> name of the project's secret. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** A name of the table in the configuration, such as `S`. */
  readonly machineType?: string;
  /** Of the writable layer. */
  readonly diskSize?: '512MB' | '10GB';
  /** What its identity may do; absent: nothing but to be itself. */
  readonly role?: { readonly actions: readonly ('pull' | 'push' | 'create')[] };
  /** Requests at once in one instance. */
  readonly concurrency?: number;
  readonly minInstances?: number;
  readonly maxInstances?: number;
  /** Milliseconds without a request after which it is frozen; 0: never. */
  readonly freezeAfterMs?: number;
  /** Milliseconds without a request after which it ends. */
  readonly idleMs?: { readonly production?: number; readonly preview?: number };
  readonly startTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  readonly graceMs?: number;
  readonly volumes?: readonly {
    readonly name: string;
    readonly path: string;
    readonly readOnly?: boolean;
  }[];
  readonly logSink?:
    | { readonly type: 'file'; readonly name: string }
    | { readonly type: 'http' | 'otlp'; readonly url: string };
  /** function-compute: `/initialize` is called once in each instance, before its first request. */
  readonly initialize?: boolean;
  /** function-compute: what `x-fc-function-handler` says. */
  readonly handler?: string;
  /** function-compute: an event function is invoked by the API alone. */
  readonly kind?: 'http' | 'event';
  /** function-compute: whether FunctionNotStarted ends with the container's last lines; true unless false. */
  readonly logsInErrors?: boolean;
}

/** A part of a project that runs. */
export interface Service {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  /** Pushes to it deploy the service. */
  readonly repositoryId: string | undefined;
  readonly settings: ServiceSettings;
  /** 1, 2, 3 …: one more with each change. */
  readonly version: number;
  readonly paused: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

/** vercel.json's: the first that matches tells where a request goes. */
export interface Rewrite {
  readonly source: string;
  /** A service of the project, or a path. */
  readonly destination: { readonly service: string } | string;
  readonly has?: readonly RewriteCondition[];
  readonly missing?: readonly RewriteCondition[];
}

export interface RewriteCondition {
  readonly type: 'header' | 'cookie' | 'query' | 'host';
  readonly key?: string;
  readonly value?: string;
}

/** What runs: fixed when the deployment is made. */
export interface DeployedService {
  readonly serviceId: string;
  readonly name: string;
  readonly repositoryId: string;
  /** `team/project/repository`, as it was named then. */
  readonly repository: string;
  readonly digest: Digest;
  readonly settings: ServiceSettings;
}

export interface Snapshot {
  readonly services: readonly DeployedService[];
  readonly rewrites: readonly Rewrite[];
}

/**
 * `queued`: reserved by a push, and not taken up yet. `pending`, `preparing` (pulled and unpacked), `probing`:
 * on its way; `ready`: it takes requests; `failed`: it never will; `superseded`: one that came later was first;
 * `deleted`: it was ended by hand.
 */
export type DeploymentState =
  | 'queued'
  | 'pending'
  | 'preparing'
  | 'probing'
  | 'ready'
  | 'failed'
  | 'superseded'
  | 'deleted';

export interface DeploymentReason {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** The container's last lines, where it ran. */
  readonly logs?: readonly string[];
}

export interface Deployment {
  readonly id: string;
  /** 1, 2, 3 … within the project. */
  readonly number: number;
  readonly projectId: string;
  readonly teamId: string;
  readonly environment: FunctionEnvironment;
  /** The tag or branch it was made for: previews of one name replace each other. `production` for production. */
  readonly name: string;
  readonly state: DeploymentState;
  readonly reason: DeploymentReason | undefined;
  /** Undefined until it is ready, for one that a push made: the rest of it is then what its pointer names. */
  readonly snapshot: Snapshot | undefined;
  readonly origin: DeploymentOrigin;
  /** The whole name or label under the functions domain. */
  readonly host: string;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly readyAt: number | undefined;
}

export type DeploymentOrigin =
  | {
      readonly type: 'push';
      readonly serviceId: string;
      readonly repositoryId: string;
      readonly tag: string;
      readonly digest: Digest;
    }
  | { readonly type: 'settings' }
  /** By hand: with an image of one service, or all of what runs anew. */
  | {
      readonly type: 'api';
      readonly image?: {
        readonly serviceId: string;
        readonly repositoryId: string;
        readonly reference: string;
        readonly digest: Digest;
      };
    }
  | { readonly type: 'promote'; readonly deploymentId: string };

/** A pointer, moved by compare-and-set. */
export interface EnvironmentPointer {
  readonly projectId: string;
  readonly environment: FunctionEnvironment;
  /** As a deployment has it. */
  readonly name: string;
  readonly deploymentId: string | undefined;
  /** 1, 2, 3 …: one more with each move. */
  readonly version: number;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

/** A name that requests come to. */
export interface FunctionHost {
  /** A label under the functions domain, or the whole name of a custom domain. */
  readonly host: string;
  readonly custom: boolean;
  readonly projectId: string;
  /** Exactly one of `deploymentId` and `environment` is there. */
  readonly deploymentId: string | undefined;
  readonly environment:
    | { readonly environment: FunctionEnvironment; readonly name: string }
    | undefined;
  /** Where the project has no rewrites: the service that takes all. Undefined: its only one. */
  readonly service: string | undefined;
}

export interface FunctionVolume {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly kind: 'disk' | 'bucket';
  /** Of a bucket; its keys are sealed. */
  readonly bucket:
    | {
        readonly endpoint: string | undefined;
        readonly region: string | undefined;
        readonly bucket: string;
        readonly prefix: string;
        readonly sealedKeys: string;
      }
    | undefined;
  /** Bytes that a disk may hold; undefined: as many as there is room for. */
  readonly maxBytes: number | undefined;
  readonly createdAt: number;
  readonly createdBy: string;
}

export interface Services {
  findById(id: string): Awaitable<Service | undefined>;
  find(projectId: string, name: string): Awaitable<Service | undefined>;
  findByRepository(repositoryId: string): Awaitable<Service | undefined>;
  /** All of a project, by name: there are few. */
  list(projectId: string): Awaitable<Service[]>;
  /** The project's rewrites, and their version (0: none were ever set). */
  rewrites(projectId: string): Awaitable<{ rewrites: readonly Rewrite[]; version: number }>;
}

export interface Deployments {
  findById(id: string): Awaitable<Deployment | undefined>;
  /** Newest first, before the number `before`, at most `limit`. */
  page(
    scope: {
      readonly projectId: string;
      readonly environment?: FunctionEnvironment | undefined;
      readonly state?: DeploymentState | undefined;
    },
    before: number | undefined,
    limit: number,
  ): Awaitable<Deployment[]>;
  /** The last that was made to change this service, in its environment. */
  latestOf(place: {
    readonly projectId: string;
    readonly environment: FunctionEnvironment;
    readonly name: string;
    readonly serviceId: string;
  }): Awaitable<Deployment | undefined>;
  /**
   * Those that are kept no longer, over all projects or of one, oldest first: settled, made before `before`, no
   * environment points at them, and in their environment there are `keep` newer ones of the same service that are
   * ready, too (or over, too), or nothing runs in it any more: a preview that was ended.
   */
  prunable(
    rule: {
      readonly before: number;
      readonly keep: number;
      readonly projectId?: string | undefined;
    },
    limit: number,
  ): Awaitable<Deployment[]>;
  /** In `states`, over all projects, oldest first: what the scheduler has to take on after a start. */
  inStates(states: readonly DeploymentState[], limit: number): Awaitable<Deployment[]>;
  pointer(
    projectId: string,
    environment: FunctionEnvironment,
    name: string,
  ): Awaitable<EnvironmentPointer | undefined>;
  /** Of a project, or over all of them; those that point nowhere, too. */
  pointers(projectId?: string): Awaitable<EnvironmentPointer[]>;
  findHost(host: string): Awaitable<FunctionHost | undefined>;
  /** Those of a project, or of one deployment of it. */
  hosts(projectId: string, deploymentId?: string): Awaitable<FunctionHost[]>;
}

export interface FunctionVolumes {
  find(projectId: string, name: string): Awaitable<FunctionVolume | undefined>;
  list(projectId: string): Awaitable<FunctionVolume[]>;
  /** Over all projects: disks that have a limit. */
  limited(): Awaitable<{ readonly id: string; readonly maxBytes: number }[]>;
  /** Which of `ids` there are, over all projects. */
  existing(ids: readonly string[]): Awaitable<string[]>;
  /** Which of `ids` were deleted, over all projects. What is neither this nor existing is not known. */
  removed(ids: readonly string[]): Awaitable<string[]>;
}
