import type { DeploymentReason } from '../../ports/functions.ts';
import type { ActivationTarget } from '../activation.ts';

/** Starts what is about to take requests, and sees whether it would. */
export interface InstanceProber {
  /**
   * An instance of the target that listens on its port: one that runs, else a new one, which stays for the first
   * requests as any other. The deployment is not ready yet. Rejects with `ProbeError`, or what `signal` is aborted
   * with.
   */
  ensure(target: ActivationTarget, signal: AbortSignal): Promise<void>;
}

/** Why no instance listens. */
export class ProbeError extends Error {
  /** Of the function itself; undefined where the engine cannot be had just now. */
  readonly reason: DeploymentReason | undefined;

  constructor(message: string, reason: DeploymentReason | undefined, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
