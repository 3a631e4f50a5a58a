import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../observability/logger.ts';
import type { Clock } from '../../ports/clock.ts';
import type { MeteringEvent } from '../../ports/commands-functions.ts';
import { dayOf, type FunctionRecords, firstIdAt } from '../../ports/function-records.ts';
import type { RuntimeDriver } from '../../ports/runtime-driver.ts';
import type { ActivationTarget, RequestObserver } from '../activation.ts';
import type { InstanceObserver } from '../instance.ts';
import { byDay, Meter, type MeteredMachine } from './meter.ts';
import type { RecordsObserver, RequestLeft } from './observers.ts';

export interface MeteringDeps {
  /** Undefined while there is none: then CPU time is not known, and counts as none. */
  readonly driver: () => Pick<RuntimeDriver, 'stats'> | undefined;
  readonly stored: Pick<FunctionRecords, 'storedByProject'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  readonly newId: () => string;
  readonly record: (event: MeteringEvent) => void;
  readonly machineOf: (target: ActivationTarget) => MeteredMachine;
  /** What an instance uses now, each time it is looked at. */
  readonly seen?: (
    target: ActivationTarget,
    instanceId: string,
    now: { readonly cpuMicros: number; readonly memory: number },
  ) => void;
}

export interface MeteringTimes {
  /** From one look at a busy instance to the next. */
  readonly lookMs: number;
  /** The least between two looks: requests may begin and end far oftener. */
  readonly leastMs: number;
  /** The longest span of one event: what a crash loses at most. */
  readonly spanMs: number;
  readonly storageMs: number;
  /** How long looks are waited for before events are written. */
  readonly patienceMs: number;
}

const usual: MeteringTimes = {
  ...{ lookMs: 5000, leastMs: 50, spanMs: 50_000, storageMs: 3_600_000, patienceMs: 2000 },
};

interface Metered {
  readonly instanceId: string;
  readonly target: ActivationTarget;
  readonly meter: Meter;
  /** The engine's id. */
  runtimeId: string | undefined;
  looking: Promise<void> | undefined;
  lookedAt: number;
  /** One that came too soon after the last. */
  due: NodeJS.Timeout | undefined;
  gone: boolean;
}

const megabyte = 2 ** 20;
const day = 86_400_000;

/** Meters instances, pulls and what projects store, and writes it down at least every minute. */
export class Metering implements RecordsObserver {
  readonly #deps: MeteringDeps;
  readonly #times: MeteringTimes;
  readonly #metered = new Map<string, Metered>();
  readonly #timers: NodeJS.Timeout[];

  constructor(deps: MeteringDeps, times: Partial<MeteringTimes> = {}) {
    this.#deps = deps;
    this.#times = { ...usual, ...times };
    const { lookMs, storageMs } = this.#times;
    const store = () =>
      this.meterStorage().catch((cause: unknown) =>
        deps.log.warn('storage is not metered', { cause: String(cause) }),
      );
    this.#timers = [
      setInterval(() => void this.tick(), lookMs).unref(),
      setInterval(store, storageMs).unref(),
    ];
    void store();
  }

  changed({ view, runtime, at }: Parameters<InstanceObserver['changed']>[0]): void {
    const { instanceId, target, state } = view;
    if (state === 'terminated' || state === 'dead' || state === 'crash-backoff') {
      const metered = this.#metered.get(instanceId);
      this.#metered.delete(instanceId);
      if (!metered) return;
      metered.gone = true;
      clearTimeout(metered.due);
      this.#write(metered, at);
      return;
    }
    if (!runtime) return;
    const metered = this.#of(instanceId, target, at);
    const known = metered.runtimeId !== undefined;
    metered.runtimeId = runtime.id;
    // What it used before its first request is not counted: the first look is the line.
    if (!known && (state === 'idle' || state === 'running')) this.#look(metered, true);
  }

  pulled(event: Parameters<InstanceObserver['pulled']>[0]): void {
    const { target, instanceId, memory, from, to, cached } = event;
    if (cached) return;
    const { projectId, deploymentId, service } = target;
    for (const part of byDay(from, to)) {
      const memoryMbMs = Math.round(((part.to - part.from) * memory) / megabyte);
      this.#deps.record({
        ...{ id: this.#deps.newId(), projectId, deploymentId, service: service.name, instanceId },
        ...{ ...part, kind: 'pull', activeCpuMs: 0, memoryMbMs, invocations: 0 },
      });
    }
  }

  started({ target, instanceId, at }: Parameters<RequestObserver['started']>[0]): void {
    const metered = this.#of(instanceId, target, at);
    if (metered.meter.started(at)) this.#look(metered, false);
  }

  left({ instanceId, at }: RequestLeft): void {
    const metered = this.#metered.get(instanceId);
    if (metered?.meter.ended(at)) this.#look(metered, false);
  }

  ended(): void {}

  /** Looks at what is busy, and writes down what is old enough. */
  async tick(): Promise<void> {
    const now = this.#deps.clock.now();
    const looks: Promise<void>[] = [];
    for (const metered of this.#metered.values()) {
      if (metered.meter.inFlight > 0) looks.push(this.#look(metered, true));
    }
    await this.#patiently(looks);
    for (const metered of this.#metered.values()) {
      if (metered.meter.ageAt(now) >= this.#times.spanMs) this.#write(metered, now);
    }
  }

  /**
   * What each project stores, once a day: the first look of a day counts for all of it. Events of one project
   * and day have one id, so that a restart counts nothing twice.
   */
  async meterStorage(): Promise<void> {
    const from = Math.floor(this.#deps.clock.now() / day) * day;
    for (const { projectId, bytes } of await this.#deps.stored.storedByProject()) {
      const hash = createHash('sha256')
        .update(`${dayOf(from)} ${projectId}`)
        .digest('hex');
      this.#deps.record({
        id: `${firstIdAt('mtr', from)}8${hash.slice(0, 3)}8${hash.slice(3, 18)}`,
        ...{ projectId, deploymentId: '', service: '', instanceId: undefined, kind: 'storage' },
        ...{ from, to: from + day, activeCpuMs: 0, invocations: 0 },
        memoryMbMs: Math.round((bytes / megabyte) * day),
      });
    }
  }

  /** Writes down everything until now. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const all = [...this.#metered.values()];
    for (const { due } of all) clearTimeout(due);
    await this.#patiently(all.map((metered) => this.#look(metered, metered.meter.inFlight > 0)));
    for (const metered of all) this.#write(metered, this.#deps.clock.now());
    this.#metered.clear();
  }

  /** An engine that hangs keeps nothing from being written down: its looks count with the next event. */
  async #patiently(looks: readonly Promise<void>[]): Promise<void> {
    const stop = new AbortController();
    const late = delay(this.#times.patienceMs, undefined, { signal: stop.signal });
    await Promise.race([Promise.all(looks), late.catch(() => {})]);
    stop.abort();
  }

  #of(instanceId: string, target: ActivationTarget, at: number): Metered {
    let metered = this.#metered.get(instanceId);
    if (!metered) {
      const meter = new Meter(this.#deps.machineOf(target), at);
      const unknown = { runtimeId: undefined, looking: undefined, due: undefined, gone: false };
      const lookedAt = Number.NEGATIVE_INFINITY;
      metered = { instanceId, target, meter, lookedAt, ...unknown };
      this.#metered.set(instanceId, metered);
    }
    return metered;
  }

  /** At once, or where one was taken just now a moment later; `now`: in any case. */
  async #look(metered: Metered, now: boolean): Promise<void> {
    if (metered.looking) {
      if (!now) this.#lookLater(metered);
      return metered.looking;
    }
    const { clock } = this.#deps;
    if (!now && clock.now() - metered.lookedAt < this.#times.leastMs) {
      this.#lookLater(metered);
      return;
    }
    metered.looking = this.#ask(metered).finally(() => {
      metered.looking = undefined;
    });
    await metered.looking;
  }

  #lookLater(metered: Metered): void {
    metered.due ??= setTimeout(() => {
      metered.due = undefined;
      if (!metered.gone) void this.#look(metered, false);
    }, this.#times.leastMs).unref();
  }

  async #ask(metered: Metered): Promise<void> {
    const { driver, clock, seen } = this.#deps;
    const runs = driver();
    if (!runs || metered.runtimeId === undefined) return;
    metered.lookedAt = clock.now();
    try {
      const { cpuMicros, memory } = await runs.stats(metered.runtimeId);
      if (metered.gone) return;
      metered.meter.looked(clock.now(), cpuMicros);
      seen?.(metered.target, metered.instanceId, { cpuMicros, memory });
    } catch {
      // It has ended, or the engine is away: the next look counts for this one as well.
    }
  }

  #write({ instanceId, target, meter }: Metered, at: number): void {
    const { newId, record } = this.#deps;
    const { projectId, deploymentId, service } = target;
    for (const used of meter.cut(at)) {
      record({
        ...{ id: newId(), projectId, deploymentId, service: service.name, instanceId },
        ...{ ...used, kind: 'run' },
      });
    }
  }
}
