/** What is metered of an instance. */
export interface MeteredMachine {
  /** Cores. */
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
}

/** What was used in one span of time, in whole units: what is left over goes into the next span. */
export interface Used {
  /** UTC milliseconds; no span goes over midnight. */
  readonly from: number;
  readonly to: number;
  readonly activeCpuMs: number;
  readonly memoryMbMs: number;
  readonly invocations: number;
}

const day = 86_400_000;
const megabyte = 2 ** 20;

/**
 * Adds up what one instance uses while requests are in flight on it: the union of their times, not their sum.
 * Knows no clock and no engine: it is told when requests start and end, and what the CPU counter showed when.
 *
 * CPU time between two looks at the counter counts as far as requests were in flight between them: all of it
 * where they were throughout, and never more than that time on all cores. Looks are taken where requests begin
 * and end, so what the instance does by itself between requests is left out.
 */
export class Meter {
  readonly #machine: MeteredMachine;
  #from: number;
  /** Up to which in-flight time is counted. */
  #at: number;
  #inFlight = 0;
  #invocations = 0;
  /** In-flight milliseconds: in all, and of the span. */
  #busyInAll = 0;
  #busy = 0;
  #cpuMicros = 0;
  #memory = 0;
  #look: { readonly cpuMicros: number; readonly busyInAll: number } | undefined;
  #done: Used[] = [];

  constructor(machine: MeteredMachine, at: number) {
    this.#machine = machine;
    this.#from = at;
    this.#at = at;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Milliseconds since the span began. */
  ageAt(now: number): number {
    return now - this.#from;
  }

  /** True: it is the first, and the counter should be looked at. */
  started(at: number): boolean {
    this.#advance(at);
    // Time in which nothing happened is no part of a span.
    if (this.#inFlight === 0 && this.#isEmpty()) this.#from = this.#at;
    this.#inFlight += 1;
    this.#invocations += 1;
    return this.#inFlight === 1;
  }

  /** True: it was the last, and the counter should be looked at. */
  ended(at: number): boolean {
    this.#advance(at);
    if (this.#inFlight === 0) return false;
    this.#inFlight -= 1;
    return this.#inFlight === 0;
  }

  /** What the counter shows, in microseconds since the instance's start. */
  looked(at: number, cpuMicros: number): void {
    this.#advance(at);
    const before = this.#look;
    this.#look = { cpuMicros, busyInAll: this.#busyInAll };
    // A counter that is less than before began anew.
    if (!before || cpuMicros < before.cpuMicros) return;
    const most = (this.#busyInAll - before.busyInAll) * 1000 * this.#machine.cpus;
    this.#cpuMicros += Math.min(cpuMicros - before.cpuMicros, most);
  }

  /** Ends the span; what was used in it, and in those that ended at midnight, where anything was. */
  cut(at: number): readonly Used[] {
    this.#advance(at);
    this.#close(this.#at);
    const done = this.#done;
    this.#done = [];
    return done;
  }

  #advance(at: number): void {
    // Clocks of several observers may differ a little; time does not go back here.
    for (let midnight = nextDay(this.#at); midnight < at; midnight += day) {
      this.#count(midnight);
      if (!this.#isEmpty()) this.#close(midnight);
      this.#from = midnight;
    }
    this.#count(Math.max(at, this.#at));
  }

  #isEmpty(): boolean {
    return this.#busy === 0 && this.#invocations === 0 && this.#cpuMicros < 1000;
  }

  #count(at: number): void {
    if (this.#inFlight > 0) {
      this.#busy += at - this.#at;
      this.#busyInAll += at - this.#at;
      this.#memory += ((at - this.#at) * this.#machine.memory) / megabyte;
    }
    this.#at = at;
  }

  #close(to: number): void {
    const activeCpuMs = Math.floor(this.#cpuMicros / 1000);
    const memoryMbMs = Math.floor(this.#memory);
    const invocations = this.#invocations;
    if (activeCpuMs + memoryMbMs + invocations > 0) {
      this.#done.push({ from: this.#from, to, activeCpuMs, memoryMbMs, invocations });
    }
    this.#cpuMicros -= activeCpuMs * 1000;
    this.#memory -= memoryMbMs;
    this.#invocations = 0;
    this.#busy = 0;
    this.#from = to;
  }
}

const nextDay = (at: number): number => (Math.floor(at / day) + 1) * day;

/** The parts of a span by UTC days. */
export function byDay(from: number, to: number): { from: number; to: number }[] {
  const parts: { from: number; to: number }[] = [];
  for (let at = from; at < to; ) {
    const end = Math.min(to, nextDay(at));
    parts.push({ from: at, to: end });
    at = end;
  }
  return parts;
}
