import type { Digest } from '../oci/digest.ts';
import type { Awaitable } from './awaitable.ts';

/** `starting`: its image is brought and its container made; `ended`: its container is gone, or about to go. */
export type SandboxState = 'starting' | 'running' | 'ended';

/** What a sandbox is made of. Its environment is told to the container alone, and kept nowhere else. */
export interface SandboxSpec {
  /** `team/project/repository`, as it was named then. */
  readonly repository: string;
  readonly repositoryId: string;
  readonly digest: Digest;
  /** A name of the table in the configuration. */
  readonly machineType: string;
  /** Ports that are reached from outside, each at a name of its own under the functions domain. */
  readonly ports: readonly { readonly port: number; readonly label: string }[];
}

/** A container that people and programs work in, for a time. */
export interface Sandbox {
  readonly id: string;
  readonly projectId: string;
  readonly spec: SandboxSpec;
  readonly state: SandboxState;
  /** Why it ended: `stopped`, `time limit`, or what went wrong. */
  readonly reason: string | undefined;
  readonly createdAt: number;
  readonly createdBy: string;
  /** It ends then. */
  readonly expiresAt: number;
  readonly endedAt: number | undefined;
}

export interface Sandboxes {
  find(id: string): Awaitable<Sandbox | undefined>;
  /** Newest first, before `before` (an id), at most `limit`. */
  page(
    scope: { readonly projectId: string; readonly state?: SandboxState | undefined },
    before: string | undefined,
    limit: number,
  ): Awaitable<Sandbox[]>;
  /** All that have not ended, over all projects: there are few. */
  open(): Awaitable<Sandbox[]>;
}

/** Writes of sandboxes. */
export interface SandboxCommands {
  /** Rejects with `quota` where the project has `most` already that have not ended. */
  CreateSandbox: { args: { sandbox: Sandbox; most: number }; result: null };
  /** What is given replaces, where it is in one of `from`. */
  UpdateSandbox: {
    args: {
      id: string;
      from: readonly SandboxState[];
      spec?: SandboxSpec | undefined;
      state?: SandboxState | undefined;
      reason?: string | undefined;
      expiresAt?: number | undefined;
      endedAt?: number | undefined;
    };
    result: { changed: boolean };
  };
  /** Those that ended before, at most `limit`. */
  PruneSandboxes: { args: { before: number; limit: number }; result: { pruned: number } };
}
