import type { Readable } from 'node:stream';
import type { Digest } from '../oci/digest.ts';
import type { RuntimeVolumes } from './runtime-volumes.ts';

export type { RuntimeVolume, RuntimeVolumes, VolumeSpec } from './runtime-volumes.ts';

/**
 * A place where containers run: an engine of a machine, or a cluster. One driver speaks to one such place.
 * Nothing outside `runtimes/` knows what kind it is.
 */
export interface RuntimeDriver {
  /** Such as `docker`. */
  readonly kind: string;
  /** What it is and what it can do, asked anew each time. Rejects with `unavailable` where it cannot be reached. */
  capabilities(): Promise<RuntimeCapabilities>;
  /** Whether it answers: the least that can be asked. Rejects where it cannot be reached; hangs where it does. */
  ping?(): Promise<void>;
  /**
   * Pulls an image by digest and unpacks it where it will run; returns at once where it is there already.
   * Rejects with `RuntimeError` `no-such-image`, `no-such-platform`, `pull-failed`, `disk-full` or `unavailable`.
   */
  prepare(
    image: ImageSource,
    options: { signal?: AbortSignal; progress?: (progress: PullProgress) => void },
  ): Promise<PreparedImage>;
  /** Images that `prepare` brought, for the cache's sake. */
  images(): Promise<readonly CachedImage[]>;
  /** Does nothing where it is gone, or in use. True: its space is free. */
  removeImage(id: string): Promise<boolean>;
  /** A container that does not run yet. Rejects with `no-such-image`, `invalid-spec` or `unavailable`. */
  create(spec: InstanceSpec): Promise<RuntimeInstance>;
  /** Rejects with `start-failed` (reason of the engine), `no-such-instance` or `unavailable`. */
  start(id: string): Promise<RuntimeInstance>;
  /**
   * Whether something listens on the port: asked from inside its network. `loopback-only`: on 127.0.0.1 alone.
   * `dial`: the text of a refused connection, with its address.
   */
  probe(id: string, port: number): Promise<PortProbe>;
  /** Its processes get no CPU time until `thaw`. */
  freeze(id: string): Promise<void>;
  thaw(id: string): Promise<void>;
  /** Such as SIGTERM. Does nothing where it has ended. */
  signal(id: string, signal: string): Promise<void>;
  /** SIGTERM, then SIGKILL after `graceMs`; resolves once it has ended. A frozen one is thawed first. */
  stop(id: string, graceMs: number): Promise<InstanceExit>;
  /** Resolves when it has ended, however it does. Rejects with `no-such-instance` or `unavailable`. */
  wait(id: string, signal?: AbortSignal): Promise<InstanceExit>;
  /** With its writable layer. Ends it where it runs. Does nothing where it is gone. */
  remove(id: string): Promise<void>;
  /** Of this installation, by their labels, running or not. */
  list(): Promise<readonly RuntimeInstance[]>;
  /** What happens to instances, until `signal`; ends where the connection is lost. */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
  /** Lines since `since` (UTC milliseconds); `follow`: until it ends or `signal`. */
  logs(
    id: string,
    options: { since?: number; tail?: number; follow: boolean; signal?: AbortSignal },
  ): AsyncIterable<RuntimeLogLine>;
  /** From the cgroup. Rejects with `no-such-instance`. */
  stats(id: string): Promise<InstanceStats>;
  /** Bytes of the writable layer. */
  writableBytes(id: string): Promise<number>;
  exec(id: string, options: ExecOptions): Promise<RuntimeExec>;
  /** A tar of what is at the path. Rejects with `no-such-path`. */
  readFiles(id: string, path: string): Promise<Readable>;
  /** Unpacks a tar below the folder. */
  writeFiles(id: string, path: string, tar: Readable): Promise<void>;
  readonly volumes: RuntimeVolumes;
  close(): Promise<void>;
}

export interface RuntimeCapabilities {
  /** Such as `Docker 29.0`. */
  readonly version: string;
  /** `os/architecture` that it runs. */
  readonly platforms: readonly string[];
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  /** Layers that it can unpack. */
  readonly compressions: readonly ('none' | 'gzip' | 'zstd')[];
  readonly freeze: boolean;
  /** Whether the engine itself limits writable layers; else they are watched. */
  readonly diskQuota: boolean;
  readonly userNamespaces: boolean;
  /** By the name that machine types ask for, such as `T4`: how many. */
  readonly gpus: Readonly<Record<string, number>>;
  /** Whether bucket volumes can be mounted. */
  readonly bucketVolumes: boolean;
  /** Whether functions are proven to reach neither the host nor private networks. */
  readonly networkGuard: boolean;
  /** What is missing and how to get it, for people: one sentence each. */
  readonly missing: readonly string[];
}

export interface ImageSource {
  /** `team/project/repository`. */
  readonly repository: string;
  /** Of the image, or of an index: the platform is chosen by the driver. */
  readonly digest: Digest;
  /** For this pull alone. */
  readonly credentials: { readonly username: string; readonly password: string };
}

export interface PullProgress {
  readonly bytes: number;
  readonly total: number | undefined;
}

export interface PreparedImage {
  /** As `create` takes it. */
  readonly id: string;
  /** Whether it was there already: then nothing was pulled. */
  readonly cached: boolean;
  readonly pullMs: number;
  readonly platform: string;
  /** Bytes, unpacked. */
  readonly size: number;
  readonly config: {
    readonly user: string;
    readonly workingDir: string;
    readonly entrypoint: readonly string[];
    readonly command: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly labels: Readonly<Record<string, string>>;
    readonly exposedPorts: readonly number[];
  };
}

export interface CachedImage {
  readonly id: string;
  readonly repository: string;
  readonly digest: string;
  readonly size: number;
  readonly preparedAt: number;
  readonly inUse: boolean;
}

export interface InstanceSpec {
  /** Of Gantry's own making: `ins_…`; the container's name and a label. */
  readonly instanceId: string;
  /** Found again by `list`. */
  readonly labels: InstanceLabels;
  /** `id` of the prepared image. */
  readonly image: string;
  /** In place of the image's entrypoint and command, where given. */
  readonly command: readonly string[] | undefined;
  readonly args: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Cores, such as 0.25. */
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes of the writable layer. */
  readonly disk: number;
  readonly pids: number;
  readonly gpu: { readonly name: string; readonly count: number } | undefined;
  readonly mounts: readonly InstanceMount[];
  /** The network of the instance: instances of one project share one, and no two projects do. */
  readonly network: { readonly projectId: string; readonly egress: EgressRule };
  /** Files that Gantry keeps fresh, such as tokens: path in the container -> path on this machine. */
  readonly files: readonly { readonly path: string; readonly source: string }[];
  readonly hostname: string;
}

/** `public`: the internet, and nothing private. `open`: private networks, too, where the operator allows it. */
export type EgressRule = 'public' | 'open';

export interface InstanceLabels {
  readonly installation: string;
  readonly kind: 'function' | 'sandbox';
  readonly teamId: string;
  readonly projectId: string;
  readonly deploymentId: string;
  readonly service: string;
  /** What it was made of: digest, settings, versions of secrets. Others are not used for it. */
  readonly fingerprint: string;
  readonly createdAt: number;
}

export interface InstanceMount {
  /** Of the volume. */
  readonly volume: string;
  readonly path: string;
  readonly readOnly: boolean;
}

export interface RuntimeInstance {
  /** The engine's own. */
  readonly id: string;
  readonly instanceId: string;
  readonly labels: InstanceLabels;
  readonly state: 'created' | 'running' | 'frozen' | 'ended';
  /** Where it is reached from this machine; undefined while it does not run. */
  readonly address: string | undefined;
  readonly exit: InstanceExit | undefined;
  /** Folders of this machine that are mounted into it; undefined: not told. */
  readonly files?: readonly { readonly path: string; readonly source: string }[];
}

export interface InstanceExit {
  readonly code: number;
  /** The kernel ended it for its memory. False where that was before the engine watched it, just after its start. */
  readonly outOfMemory: boolean;
  /** The grace ran out, and it was killed. */
  readonly killed?: boolean;
}

export type PortProbe =
  | { readonly listening: 'everywhere' }
  | {
      readonly listening: 'loopback-only' | 'nowhere';
      readonly dial: string;
      /** Other ports at which something in it listens for the outside; absent: none, or none can be seen. */
      readonly others?: readonly number[];
    };

export interface RuntimeEvent {
  readonly type: 'started' | 'ended' | 'out-of-memory' | 'removed' | 'disk-full' | 'volume-full';
  readonly id: string;
  readonly instanceId: string;
  readonly at: number;
  readonly exit?: InstanceExit;
}

export interface RuntimeLogLine {
  readonly at: number;
  /** Of the same moment: nanoseconds past the millisecond, where they are known. */
  readonly nanos?: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export interface InstanceStats {
  /** Since its start, in microseconds. */
  readonly cpuMicros: number;
  /** Bytes now. */
  readonly memory: number;
  readonly pids: number;
}

export interface ExecOptions {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  readonly user?: string;
  readonly stdin?: Readable;
  readonly signal?: AbortSignal;
}

export interface RuntimeExec {
  /** As they come; ends with the command. */
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly bytes: Buffer }>;
  /** Resolves with the exit code. */
  readonly exit: Promise<number>;
  /** Ends the command. */
  kill(): Promise<void>;
}

export type RuntimeFailure =
  | 'no-such-image'
  | 'no-such-platform'
  | 'pull-failed'
  | 'disk-full'
  | 'volume-full'
  | 'invalid-spec'
  | 'start-failed'
  | 'no-such-instance'
  | 'no-such-path'
  | 'in-use'
  | 'unavailable';

/** What a driver rejects with. */
export class RuntimeError extends Error {
  readonly failure: RuntimeFailure;
  constructor(failure: RuntimeFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}
