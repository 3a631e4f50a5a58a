import type { DeploymentWatch } from '../../scheduler/deployments/deployment-watch.ts';
import type { InstanceView } from '../../scheduler/instance.ts';

/** What the API's handlers ask of functions, beside the database. Made in compose.ts. */
export interface FunctionServices {
  readonly watch: DeploymentWatch;
  /** Those that there are of a project. */
  instances(projectId: string): readonly InstanceView[];
  /** What this installation runs and what it lacks. */
  status(): Promise<FunctionStatus>;
  /** Without port: below it, names are given by Gantry. */
  readonly domain: string;
  /** Names of the installation itself, which lead to no function. */
  ownNames(): readonly string[];
}

export interface FunctionStatus {
  readonly enabled: boolean;
  /** Such as `Docker 29.0`; undefined: none. */
  readonly engine: string | undefined;
  readonly platforms: readonly string[];
  /** Names of machine types that the host can run. */
  readonly machineTypes: readonly string[];
  readonly networkGuard: boolean;
  /** What is missing and how to get it: one sentence each. */
  readonly missing: readonly string[];
}
