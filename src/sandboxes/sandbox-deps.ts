import type { Logger } from '../observability/logger.ts';
import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { PullCredentials } from '../ports/instance-identity.ts';
import type { EgressRule, RuntimeDriver } from '../ports/runtime-driver.ts';
import type { Sandbox, Sandboxes } from '../ports/sandboxes.ts';
import type { MachineTypes } from '../scheduler/machine-types.ts';

export interface SandboxDeps {
  readonly driver: RuntimeDriver;
  readonly sandboxes: Sandboxes;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly pullCredentials: PullCredentials;
  readonly machines: MachineTypes;
  /** The installation's id: what it made is found again by it. */
  readonly installation: string;
  /** `sbx_…`, a new one each time. */
  readonly newId: () => string;
  /** Where the program lies that keeps containers alive: mounted into them. */
  readonly folder: string;
  /** Told of each that has ended. */
  readonly ended?: (id: string) => void;
  readonly limits: SandboxLimits;
  /** Rejects where the image must not run: too large, or not what it says. */
  readonly checkImage?: (
    sandbox: Pick<Sandbox, 'projectId' | 'spec'>,
    signal: AbortSignal,
  ) => Promise<void>;
  readonly egressOf?: (projectId: string) => EgressRule;
}

export interface SandboxLimits {
  readonly perProject: number;
  readonly timeMs: number;
  readonly longestMs: number;
  readonly ports: number;
  readonly commands: number;
  readonly keptMs: number;
}

export interface NewSandbox {
  readonly team: { readonly id: string };
  readonly project: { readonly id: string };
  readonly image: {
    readonly repositoryId: string;
    /** `team/project/repository` */
    readonly repository: string;
    readonly digest: Digest;
    /** Of the image: another's than the project's runs only where the network guard holds. */
    readonly teamId: string;
  };
  readonly machineType: string | undefined;
  readonly diskSize: '512MB' | '10GB' | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** `wait`: a program of ours that waits; `image`: what the image itself runs. */
  readonly process: 'wait' | 'image';
  readonly timeMs: number | undefined;
  readonly ports: readonly number[];
  readonly actor: string;
}
