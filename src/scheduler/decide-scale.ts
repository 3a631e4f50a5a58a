import type { FunctionEnvironment } from '../ports/functions.ts';

/** As Knative's autoscaler has them. */
export interface ScaleSettings {
  readonly tickMs: number;
  /** Windows over which requests at once are averaged. */
  readonly stableMs: number;
  readonly panicMs: number;
  /** Panic begins where the short window asks for this many times the instances that are there. */
  readonly panicThreshold: number;
  /** Of the requests at once that an instance takes: how many are aimed at. */
  readonly utilisation: number;
  /** A tick goes down to 1/this of the instances at most. */
  readonly maxDownRate: number;
}

export interface PanicState {
  /** When the short window last asked for too many. */
  readonly at: number;
  /** The most that was asked for since it began: panic never goes down. */
  readonly peak: number;
}

export interface ScaleInput {
  readonly now: number;
  /** Requests at once, those that wait included, averaged over each window. */
  readonly stable: number;
  readonly panic: number;
  /** Instances that take requests. */
  readonly ready: number;
  /** Requests at once that an instance takes. */
  readonly concurrency: number;
  readonly min: number;
  readonly max: number;
  readonly panicking: PanicState | undefined;
}

export interface ScaleDecision {
  /** Instances that requests are spread over; those beyond get none while these have room, and so go idle. */
  readonly desired: number;
  readonly panicking: PanicState | undefined;
}

/** How many instances a service needs. Pure. */
export function decideScale(input: ScaleInput, settings: ScaleSettings): ScaleDecision {
  const { now, stable, panic, ready, min, max } = input;
  // One request at once cannot be aimed at by 0.7 of one: two instances for one client would help nobody.
  const target = Math.max(1, input.concurrency * settings.utilisation);
  const slowest = ready > 0 ? Math.floor(ready / settings.maxDownRate) : 0;
  const forStable = Math.max(instancesFor(stable, target), slowest);
  const forPanic = Math.max(instancesFor(panic, target), slowest);

  const over = forPanic >= settings.panicThreshold * Math.max(ready, 1);
  let panicking = input.panicking;
  if (over) panicking = { at: now, peak: Math.max(panicking?.peak ?? ready, forPanic) };
  else if (panicking && now - panicking.at >= settings.stableMs) panicking = undefined;
  else if (panicking) panicking = { ...panicking, peak: Math.max(panicking.peak, forPanic) };

  const wanted = panicking ? Math.max(forStable, panicking.peak) : forStable;
  return { desired: Math.min(Math.max(wanted, min), max), panicking };
}

/** A window's average never quite reaches nothing in floating point: a thousandth of a request is none. */
function instancesFor(requests: number, target: number): number {
  return Math.ceil(requests / target - 0.001);
}

export interface LadderSettings {
  /** 0: never. */
  readonly freezeAfterMs: number;
  readonly idleMs: number;
}

export type Rung =
  | { readonly do: 'freeze' | 'end' }
  | { readonly do: 'wait'; readonly ms: number }
  /** Nothing more happens until a request comes. */
  | { readonly do: 'stay' };

/** What becomes of an instance without requests: run, then frozen, then ended. Pure. */
export function nextRung(
  state: { readonly frozen: boolean; readonly idleForMs: number; readonly mayEnd: boolean },
  settings: LadderSettings,
): Rung {
  const { frozen, idleForMs, mayEnd } = state;
  if (mayEnd && idleForMs >= settings.idleMs) return { do: 'end' };
  const freezes = !frozen && settings.freezeAfterMs > 0;
  if (freezes && idleForMs >= settings.freezeAfterMs) return { do: 'freeze' };
  const waits = [
    ...(freezes ? [settings.freezeAfterMs - idleForMs] : []),
    ...(mayEnd ? [settings.idleMs - idleForMs] : []),
  ];
  return waits.length === 0 ? { do: 'stay' } : { do: 'wait', ms: Math.min(...waits) };
}

/** A service's own times, else its environment's. */
export function ladderOf(
  environment: FunctionEnvironment,
  own: {
    readonly freezeAfterMs?: number;
    readonly idleMs?: { readonly production?: number; readonly preview?: number };
  },
  defaults: {
    readonly freezeAfterMs: number;
    readonly idleMs: Readonly<Record<FunctionEnvironment, number>>;
  },
): LadderSettings {
  return {
    freezeAfterMs: own.freezeAfterMs ?? defaults.freezeAfterMs,
    idleMs: own.idleMs?.[environment] ?? defaults.idleMs[environment],
  };
}
