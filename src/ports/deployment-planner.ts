import type { DeploymentReservation } from './commands-functions.ts';
import type { Project } from './projects.ts';

/** What a push is, for whether it deploys. */
export interface PlannedPush {
  readonly project: Project;
  /** The repository's name in the project. */
  readonly repository: string;
  readonly tags: readonly string[];
  /** Whether what was pushed is an image that can run, or an index of such. */
  readonly runnable: boolean;
  /** Whether who pushes may deploy. */
  readonly mayDeploy: boolean;
}

/** What a push deploys, decided before its transaction. Undefined: nothing. */
export interface DeploymentPlanner {
  /** Whether this installation runs functions now, or another process of it does. */
  enabled(): boolean;
  plan(push: PlannedPush): DeploymentReservation | undefined;
}
