import type { Dispatcher } from 'undici';
import type { ScalingConfig } from '../../config/scaling-settings.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Awaitable } from '../../ports/awaitable.ts';
import type { Clock } from '../../ports/clock.ts';
import type { DeployedService } from '../../ports/functions.ts';
import type { InstanceIdentities, PullCredentials } from '../../ports/instance-identity.ts';
import type { EgressRule, RuntimeDriver, RuntimeInstance } from '../../ports/runtime-driver.ts';
import type { ActivationTarget } from '../activation.ts';
import type { Contract } from '../contracts/contract.ts';
import type { ScaleSettings } from '../decide-scale.ts';
import type { EnvironmentSource, InstanceObserver, MachineType } from '../instance.ts';
import type { Timers } from '../timers.ts';

export interface PoolDeps {
  readonly driver: RuntimeDriver;
  /** For what is told and stored; no decision reads it but the age of what an earlier process left. */
  readonly clock: Clock;
  /** For every wait and decision. */
  readonly timers: Timers;
  readonly environment: EnvironmentSource;
  readonly pullCredentials: PullCredentials;
  readonly identities: InstanceIdentities;
  readonly contracts: {
    contractOf(service: DeployedService): Contract;
    /** Where the environment names no PORT. */
    portOf(service: DeployedService, env: Readonly<Record<string, string>>): number;
  };
  readonly machines: Machines;
  /** What the database says should run. */
  readonly deployed: DeployedTargets;
  readonly observer: InstanceObserver;
  readonly log: Logger;
  /** `ins_…`, a new one each time. */
  readonly newInstanceId: () => string;
  /** The installation's id: what it made is found again by it. */
  readonly installation: string;
  /** A label of the installation. */
  readonly region: string;
  readonly settings: PoolSettings;
  /** Where instances of a target may connect to; absent: to the internet alone. */
  readonly egressOf?: (target: ActivationTarget) => Awaitable<EgressRule>;
  /** Connections to an instance; absent: undici's. */
  readonly connect?: (origin: string) => Dispatcher;
  /** Awaited before an ended container goes, so that its last lines are read; for two seconds at most. */
  readonly beforeRemove?: (runtime: RuntimeInstance) => Promise<void>;
}

export interface Machines {
  /** Of the service, by its settings and the table's default; undefined: there is no such. */
  of(service: DeployedService): MachineType | undefined;
}

/** Facts, asked anew each time. */
export interface DeployedTargets {
  /** Services of the deployments that pointers name, but for those that are paused. */
  live(): Awaitable<readonly ActivationTarget[]>;
  /** Of a ready deployment; undefined where it is gone or not ready, or the service is paused or has functions off. */
  find(deploymentId: string, service: string): Awaitable<ActivationTarget | undefined>;
}

/** Milliseconds, bytes and counts. A service's own settings win where it has them. */
export interface PoolSettings {
  readonly freezeAfterMs: number;
  readonly idleMs: { readonly production: number; readonly preview: number };
  readonly startTimeoutMs: number;
  readonly graceMs: number;
  readonly requestTimeoutMs: number;
  /** Of one service of one deployment. */
  readonly maxInstances: number;
  /** Requests that wait, of one service of one deployment. */
  readonly queueLimit: number;
  /** Requests that wait, of all. */
  readonly queueTotal: number;
  /** Containers that are made and started at once. */
  readonly parallelStarts: number;
  /** Of all instances together. */
  readonly memory: number;
  /** Of an image that is not there yet. */
  readonly pullTimeoutMs: number;
  /** How long requests wait for an engine that does not answer. */
  readonly engineWaitMs: number;
  /** Containers that were created and not started: how long one is kept, and how many. 0: none. */
  readonly createdAheadMs: number;
  readonly createdAheadCount: number;
  readonly reconcileMs: number;
  readonly scale: ScaleSettings;
  /** Waits between starts that fail: the first, doubled each time up to the cap; an instance that lived longer than `stableMs` starts anew. */
  readonly backoff: { readonly firstMs: number; readonly capMs: number; readonly stableMs: number };
}

export const defaultPoolSettings: PoolSettings = {
  freezeAfterMs: 5_000,
  idleMs: { production: 300_000, preview: 30_000 },
  startTimeoutMs: 120_000,
  graceMs: 30_000,
  requestTimeoutMs: 300_000,
  maxInstances: 100,
  queueLimit: 1_000,
  queueTotal: 10_000,
  parallelStarts: 16,
  memory: Number.POSITIVE_INFINITY,
  pullTimeoutMs: 900_000,
  engineWaitMs: 10_000,
  createdAheadMs: 3_600_000,
  createdAheadCount: 100,
  reconcileMs: 30_000,
  scale: {
    tickMs: 2_000,
    stableMs: 60_000,
    panicMs: 6_000,
    panicThreshold: 2,
    utilisation: 0.7,
    maxDownRate: 2,
  },
  backoff: { firstMs: 1_000, capMs: 300_000, stableMs: 60_000 },
};

/** The installation's, from its configuration. */
export function poolSettings(config: {
  readonly startTimeout: number;
  readonly scaling: ScalingConfig;
}): PoolSettings {
  const { keepAtStop: _, ...scaling } = config.scaling;
  return { ...defaultPoolSettings, ...scaling, startTimeoutMs: config.startTimeout };
}
