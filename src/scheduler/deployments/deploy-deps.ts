import type { Logger } from '../../observability/logger.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CommandWriter } from '../../ports/commands.ts';
import type { Deployments, Services } from '../../ports/functions.ts';
import type { Projects } from '../../ports/projects.ts';
import type { RuntimeCapabilities } from '../../ports/runtime-driver.ts';
import type { CheckDeps } from './checks.ts';
import type { PrepareImage } from './prepare-image.ts';
import type { InstanceProber } from './prober.ts';

/** What deploying needs of the rest. */
export interface DeployDeps extends CheckDeps {
  readonly deployments: Deployments;
  readonly services: Services;
  readonly projects: Pick<Projects, 'findByIds'>;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly log: Logger;
  onCommit(listener: () => void): void;
  /** What the host is and can do; rejects with `RuntimeError` `unavailable` where the engine is away. */
  capabilities(): Promise<RuntimeCapabilities>;
  readonly prepare: PrepareImage;
  readonly prober: InstanceProber;
  /**
   * A deployment takes requests in place of `replaced`; or (`activated` undefined) `replaced` never will, and what
   * was started for it can go. Returns at once.
   */
  changed(change: { activated: string | undefined; replaced: string | undefined }): void;
  /** The functions domain as clients reach it, with its port where they need one. */
  address(): string;
  /** Resolves after `ms`, or at once when `signal` is aborted. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
  /** How many deployments are worked on at once; absent: 8. */
  readonly parallel?: number | undefined;
}
