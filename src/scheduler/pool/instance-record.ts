import type { Dispatcher } from 'undici';
import type { InstanceExit, RuntimeInstance } from '../../ports/runtime-driver.ts';
import type { ActivationTarget, StartStages } from '../activation.ts';
import type { ContractPlace } from '../contracts/contract.ts';
import type { InstanceObserver, InstanceState, InstanceView } from '../instance.ts';
import type { Timer } from '../timers.ts';

/** Where each state may lead. */
const next: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  pending: ['pulling', 'starting', 'idle', 'frozen', 'dead', 'terminating'],
  pulling: ['pending', 'starting', 'dead', 'terminating'],
  starting: ['idle', 'dead', 'terminating'],
  idle: ['running', 'frozen', 'terminating', 'dead'],
  running: ['idle', 'draining', 'dead'],
  frozen: ['idle', 'terminating', 'dead'],
  draining: ['terminating', 'dead'],
  terminating: ['terminated'],
  terminated: [],
  dead: ['crash-backoff', 'terminated'],
  'crash-backoff': ['terminated'],
};

export interface InstanceTold {
  readonly observer: InstanceObserver;
  /** UTC milliseconds. */
  readonly utc: () => number;
}

/** Where requests reach it. */
export interface InstanceAddress {
  readonly address: string;
  readonly port: number;
  readonly origin: string;
}

/**
 * One instance and what is known of it. Its `state` and `changing` are the lock of acquire and freeze: both are
 * read and set in one turn of the event loop, so a request is either in before freezing begins, or waits.
 */
export class Instance {
  readonly id: string;
  readonly target: ActivationTarget;
  /** UTC milliseconds. */
  readonly createdAt: number;
  readonly memory: number;
  readonly #told: InstanceTold;
  #state: InstanceState = 'pending';
  reason: string | undefined;
  /** Created ahead: it is not started until it is needed, and counts for nothing. */
  ahead = false;
  /** Freezing or thawing: no request is placed. */
  changing: 'freezing' | 'thawing' | undefined;
  /** A request could not reach it: none is placed until it was looked at. */
  suspect = false;
  /** Its fingerprint is not that of its service any more: it ends once others are there. */
  outdated = false;
  runtime: RuntimeInstance | undefined;
  fingerprint: string | undefined;
  at: InstanceAddress | undefined;
  dispatcher: Dispatcher | undefined;
  inFlight = 0;
  /** Monotonic: of the last start or thaw, and of the last request's end. */
  startBegan = 0;
  bootBegan = 0;
  readyAt = 0;
  /** Monotonic: when it first listened; a thaw does not change it. */
  bornAt: number | undefined;
  activeAt = 0;
  lastRequestAt: number | undefined;
  stages: StartStages | undefined;
  /** Why its start failed. */
  failure: unknown;
  /** The next look at how long it was idle. */
  timer: Timer | undefined;
  /** Monotonic: when that is. */
  timerAt = 0;
  /** Aborted where its start is given up. */
  readonly givenUp = new AbortController();
  /** Its end, once that has begun. */
  ending: Promise<void> | undefined;
  /** Called when the last request of one that drains has ended. */
  drained: (() => void) | undefined;
  /** Settles with its start, and with each freeze and thaw: its end waits for them. */
  work: Promise<unknown> = Promise.resolve();
  /** That the engine told of. */
  exit: InstanceExit | undefined;

  constructor(
    told: InstanceTold,
    info: { id: string; target: ActivationTarget; memory: number; createdAt?: number },
  ) {
    this.#told = told;
    this.id = info.id;
    this.target = info.target;
    this.memory = info.memory;
    this.createdAt = info.createdAt ?? told.utc();
  }

  get state(): InstanceState {
    return this.#state;
  }

  /** Takes requests, or would if it had room. */
  get serves(): boolean {
    const up = this.#state === 'idle' || this.#state === 'running';
    return up && this.changing === undefined && !this.suspect && this.ending === undefined;
  }

  /** On its way to taking requests. */
  get coming(): boolean {
    if (this.ahead || this.ending !== undefined) return false;
    const starts =
      this.#state === 'pending' || this.#state === 'pulling' || this.#state === 'starting';
    return starts || this.changing !== undefined;
  }

  /** Counts towards the most that there may be: all but those that end, or will once another is there. */
  get counts(): boolean {
    if (this.ahead || this.outdated || this.ending !== undefined) return false;
    return this.coming || this.idleOrBusy || this.#state === 'frozen';
  }

  get idleOrBusy(): boolean {
    return this.#state === 'idle' || this.#state === 'running';
  }

  get over(): boolean {
    const state = this.#state;
    return state === 'dead' || state === 'terminated' || state === 'crash-backoff';
  }

  move(to: InstanceState, more: { reason?: string; exit?: InstanceExit } = {}): void {
    const from = this.#state;
    if (!next[from].includes(to)) throw new Error(`instance ${this.id}: ${from} -> ${to}`);
    this.#state = to;
    this.reason = more.reason ?? this.reason;
    this.#tell(from, more.exit);
  }

  /** Of a new one, as `pending`. */
  announce(): void {
    this.#tell(undefined, undefined);
  }

  begin(): void {
    this.inFlight++;
    this.lastRequestAt = this.#told.utc();
    if (this.#state === 'idle') this.move('running');
  }

  /** Whether it is without requests now. */
  finish(now: number): boolean {
    this.inFlight--;
    this.activeAt = now;
    if (this.inFlight > 0) return false;
    if (this.#state === 'running') this.move('idle');
    this.drained?.();
    return true;
  }

  view(): InstanceView {
    return {
      instanceId: this.id,
      target: this.target,
      state: this.#state,
      reason: this.reason,
      inFlight: this.inFlight,
      createdAt: this.createdAt,
      lastRequestAt: this.lastRequestAt,
    };
  }

  #tell(from: InstanceState | undefined, exit: InstanceExit | undefined): void {
    this.#told.observer.changed({
      view: this.view(),
      from,
      runtime: this.runtime,
      at: this.#told.utc(),
      ...(exit ? { exit } : {}),
    });
  }
}

/** What contracts are told of where a request runs. */
export function placeOf({ id, target, memory, at }: Instance, region: string): ContractPlace {
  const { service, teamId, teamSlug, projectId, projectSlug, deploymentId, environment, host } =
    target;
  return {
    ...{ service, teamId, teamSlug, projectId, projectSlug, deploymentId, environment, host },
    ...{ instanceId: id, region, memory, port: at!.port },
  };
}
