import type { Digest } from '../oci/digest.ts';
import type { Prices } from './function-records.ts';
import type {
  DeploymentOrigin,
  DeploymentReason,
  DeploymentState,
  FunctionEnvironment,
  FunctionVolume,
  Rewrite,
  Service,
  ServiceSettings,
  Snapshot,
} from './functions.ts';

/** A deployment that a push makes, reserved in the push's own transaction. */
export interface ReservedDeployment {
  readonly id: string;
  readonly environment: FunctionEnvironment;
  /** The pointer that will move to it: `production`, or the tag. */
  readonly name: string;
  readonly tag: string;
  /** Labels of the deployment's own host, best first: the first that is free is taken. */
  readonly hosts: readonly string[];
  /** The same, of the pointer's host; made where the pointer has none yet. */
  readonly pointerHosts: readonly string[];
  /** The same, of the pointer's host for this service alone. */
  readonly serviceHosts: readonly string[];
}

/**
 * A tag that the push did not move is deployed, too, where what was last deployed of the service there is another
 * image, failed or was ended: so pushing again is trying again.
 */
export interface DeploymentReservation {
  /** Of the service that is made where the repository is bound to none; undefined: none is made. */
  readonly newService: { readonly id: string; readonly name: string } | undefined;
  readonly deployments: readonly ReservedDeployment[];
}

export interface ReservedHost {
  readonly deploymentId: string;
  readonly host: string;
}

/** Writes of services, deployments and the names that lead to them. */
export interface DeploymentCommands {
  /** Rejects with `conflict` where the name, or the repository, has a service already. */
  CreateService: {
    args: {
      id: string;
      projectId: string;
      name: string;
      repositoryId: string | undefined;
      settings: ServiceSettings;
      actor: string;
      now: number;
    };
    result: null;
  };
  /** What is given replaces. Rejects with `not-found` or, where the version is not `version`, `precondition-failed`. */
  UpdateService: {
    args: {
      id: string;
      version?: number | undefined;
      settings?: ServiceSettings | undefined;
      repositoryId?: string | null | undefined;
      paused?: boolean | undefined;
      actor: string;
      now: number;
    };
    result: Service;
  };
  /** Deployments that were made keep running it, until others take their place. Rejects with `not-found`. */
  DeleteService: { args: { id: string }; result: null };
  SetRewrites: {
    args: { projectId: string; rewrites: readonly Rewrite[]; actor: string; now: number };
    result: { version: number };
  };
  /** By hand: with its hosts, in state `pending`. */
  CreateDeployment: {
    args: {
      id: string;
      projectId: string;
      environment: FunctionEnvironment;
      name: string;
      snapshot: Snapshot;
      origin: DeploymentOrigin;
      hosts: readonly string[];
      pointerHosts: readonly string[];
      /** Of the pointer, for each service of the snapshot. */
      serviceHosts: readonly { readonly service: string; readonly hosts: readonly string[] }[];
      service: string | undefined;
      actor: string;
      now: number;
    };
    result: ReservedHost;
  };
  /**
   * A deployment that is prepared takes its place: state `ready`, with its snapshot, and its pointer moves to it,
   * all in one. `stale`: the pointer's version is not `pointerVersion` any more (build the snapshot anew on what
   * it names now); `superseded` (and set so): one of the same service (of a promotion: any) that came later was
   * first, or the pointer was moved by hand since it was made; `gone`: it is in no state that can become ready.
   * A promotion counts as moved by hand. Event `deployment.ready`.
   */
  ActivateDeployment: {
    args: {
      id: string;
      snapshot: Snapshot;
      /** Of the pointer that the snapshot is based on; 0: there was none. */
      pointerVersion: number;
      now: number;
    };
    result: { outcome: 'ready' | 'stale' | 'superseded' | 'gone' };
  };
  /**
   * Compare-and-set from one of `from`. Event `deployment.failed` where it is that. `deleted` takes its hosts,
   * and rejects with `conflict` where an environment points at it.
   */
  SetDeploymentState: {
    args: {
      id: string;
      from: readonly DeploymentState[];
      state: DeploymentState;
      reason?: DeploymentReason | undefined;
      now: number;
    };
    result: { changed: boolean };
  };
  /**
   * Those of `ids` that are over, or ready, and that no environment points at, go for good, with their own hosts and
   * what they pinned. What they did (logs, requests, use) stays for its own time.
   */
  PruneDeployments: { args: { ids: readonly string[] }; result: { removed: readonly string[] } };
  /**
   * By hand, as rollback and delete do: deployments made before do not move it back. Compare-and-set where
   * `version` is given: rejects with `precondition-failed` where the pointer has another; with `not-found` where
   * there is no such pointer, or no such deployment in its project; with `conflict` where that is not ready.
   * `deploymentId` null: it points nowhere, and a preview's hosts go. Event `environment.moved`.
   */
  MovePointer: {
    args: {
      projectId: string;
      environment: FunctionEnvironment;
      name: string;
      deploymentId: string | null;
      version?: number | undefined;
      actor: string;
      now: number;
    };
    result: { version: number; from: string | null };
  };
}

/** Writes of volumes. */
export interface VolumeCommands {
  /** Rejects with `conflict` where the name is taken. */
  CreateVolume: { args: FunctionVolume; result: null };
  /** How much a disk may hold. Rejects with `not-found`; with `invalid` where it is a bucket. */
  UpdateVolume: {
    args: { projectId: string; name: string; maxBytes: number | undefined };
    result: FunctionVolume;
  };
  /**
   * Its row becomes the note that it was deleted (`FunctionVolumes.removed`). Rejects with `not-found`, or `conflict`
   * where a live deployment attaches it.
   */
  DeleteVolume: {
    args: { projectId: string; name: string; now: number };
    result: FunctionVolume;
  };
  /**
   * Makes a volume of what a container engine holds and the database does not know. Rejects as `CreateVolume` does, and
   * with `conflict` where the database knows the id after all: in use, or deleted.
   */
  AdoptVolume: { args: FunctionVolume; result: null };
  /**
   * Notes of something that a container engine holds and the database does not know that it was deleted. Rejects with
   * `conflict` where there is such a volume.
   */
  DiscardVolume: { args: { id: string; projectId: string | undefined; now: number }; result: null };
  /** Notes of volumes that were deleted before that time go, but for those of `keep`. */
  ForgetRemovedVolumes: { args: { before: number; keep: readonly string[] }; result: null };
}

/** Writes of what functions did. */
export interface FunctionRecordCommands {
  /** In batches; what was written is never changed, and what comes again is left as it is. */
  AppendUsage: { args: { events: readonly MeteringEvent[] }; result: null };
  AppendFunctionLogs: {
    args: {
      lines: readonly FunctionLogLine[];
      requests: readonly RequestRecord[];
      coldStarts: readonly ColdStart[];
    };
    result: null;
  };
  /**
   * What is older than `before`, past the newest `keep` of its project, or of a project that is gone, goes, at
   * most about `limit` rows of each kind; metering events where they are older than `usageBefore`. `more`: there are others.
   */
  PruneFunctionLogs: {
    args: { before: number; keep: number; usageBefore: number; limit: number };
    result: { more: boolean };
  };
  /**
   * From `day` on (UTC) these prices hold; those of days before stay. The first that are ever set hold from the
   * beginning. Nothing changes where they are in force already.
   */
  SetPrices: { args: { day: string; prices: Prices }; result: null };
}

/** What one instance used in one span of time. Bills are sums of these. */
export interface MeteringEvent {
  /** `mtr_…`. */
  readonly id: string;
  readonly projectId: string;
  readonly deploymentId: string;
  readonly service: string;
  readonly instanceId: string | undefined;
  /** UTC milliseconds. It counts for the day of `from`: none goes over midnight. */
  readonly from: number;
  readonly to: number;
  readonly kind: 'run' | 'pull' | 'storage';
  /** CPU time that processes used while requests were in flight. */
  readonly activeCpuMs: number;
  /** Memory that is provided × time with requests in flight (or of the pull, or bytes kept), in MB·ms, where a MB is 2^20 bytes. */
  readonly memoryMbMs: number;
  readonly invocations: number;
}

export interface FunctionLogLine {
  /** `log_…`: a UUIDv7, in the order in which lines were taken. */
  readonly id: string;
  readonly projectId: string;
  readonly deploymentId: string;
  readonly service: string;
  readonly instanceId: string;
  readonly at: number;
  readonly stream: 'stdout' | 'stderr' | 'system';
  readonly text: string;
  /** Of the requests that were in flight on the instance. */
  readonly requestIds: readonly string[];
}

export interface RequestRecord {
  /** `x-gantry-id`: `req_…`, a UUIDv7. */
  readonly id: string;
  readonly projectId: string;
  readonly deploymentId: string;
  readonly service: string;
  readonly instanceId: string | undefined;
  readonly at: number;
  readonly method: string;
  readonly host: string;
  /** Without the query, which is never stored. */
  readonly path: string;
  readonly status: number;
  /** Why Gantry itself answered, where it did. */
  readonly error: string | undefined;
  readonly cold: boolean;
  readonly queueMs: number;
  /** To the first byte of the answer. */
  readonly firstByteMs: number;
  readonly totalMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** Where the time of a cold start went, in milliseconds. */
export interface ColdStart {
  readonly instanceId: string;
  readonly projectId: string;
  readonly deploymentId: string;
  readonly service: string;
  readonly digest: Digest;
  readonly at: number;
  /** What it began from. */
  readonly from: 'nothing' | 'image' | 'created' | 'frozen';
  readonly queueMs: number;
  readonly pullMs: number;
  readonly createMs: number;
  readonly bootMs: number;
  /** From the first connection to the first byte of the first answer. */
  readonly appMs: number | undefined;
  /** Why it failed, where it did. */
  readonly error: string | undefined;
}
