import type { InstanceExit, InstanceMount, RuntimeInstance } from '../ports/runtime-driver.ts';
import type { ActivationTarget } from './activation.ts';

export type InstanceState =
  | 'pending'
  | 'pulling'
  | 'starting'
  | 'idle'
  | 'running'
  | 'frozen'
  | 'draining'
  | 'terminating'
  | 'terminated'
  | 'dead'
  | 'crash-backoff';

/** What the API shows of an instance. */
export interface InstanceView {
  readonly instanceId: string;
  readonly target: ActivationTarget;
  readonly state: InstanceState;
  /** Why it is dead or in backoff. */
  readonly reason: string | undefined;
  readonly inFlight: number;
  readonly createdAt: number;
  readonly lastRequestAt: number | undefined;
}

/** What is told of instances: logs, metrics, metering and the ledger listen. None may throw or wait. */
export interface InstanceObserver {
  /** `runtime` is there once the container is. */
  changed(event: {
    readonly view: InstanceView;
    readonly from: InstanceState | undefined;
    readonly runtime: RuntimeInstance | undefined;
    readonly at: number;
    readonly exit?: InstanceExit;
  }): void;
  /** An image was brought; `pullMs` 0 where it was there. */
  pulled(event: {
    readonly target: ActivationTarget;
    readonly instanceId: string | undefined;
    /** Bytes of the machine type. */
    readonly memory: number;
    readonly from: number;
    readonly to: number;
    readonly cached: boolean;
  }): void;
}

/** A size of machine, from the configuration. */
export interface MachineType {
  readonly name: string;
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  readonly gpu: { readonly name: string; readonly count: number } | undefined;
}

/** What an instance of a target is given, resolved when it is made. */
export interface InstanceEnvironment {
  /** Project's variables, service's own, secrets, the contract's. */
  readonly env: Readonly<Record<string, string>>;
  /** Digest of all that it was made of but tokens: another one means other instances. */
  readonly fingerprint: string;
  readonly mounts: readonly InstanceMount[];
  /** Files of tokens, kept fresh as long as the instance lives. */
  readonly files: readonly { readonly path: string; readonly source: string }[];
}

/** Resolves environments; rejects with `RegistryError` where a secret or volume is not there any more. */
export interface EnvironmentSource {
  /** The fingerprint alone, cheap: asked before an instance is used. */
  fingerprint(target: ActivationTarget): Promise<string>;
  /** `filesAt`: the folder that is mounted into it already, which another process may have made. */
  resolve(
    target: ActivationTarget,
    instanceId: string,
    filesAt?: string,
  ): Promise<InstanceEnvironment>;
  /** The instance is gone: its files are removed. */
  release(instanceId: string): void;
}
