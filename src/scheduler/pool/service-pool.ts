import type { ActivationTarget } from '../activation.ts';
import type { InstanceView } from '../instance.ts';
import { MovingAverage } from './average.ts';
import { chooseInstance, countInstances } from './choose-instance.ts';
import { CreatedAhead } from './created-ahead.ts';
import { Failures } from './failures.ts';
import { IdleLadder } from './idle-ladder.ts';
import type { InstanceOwner } from './instance-life.ts';
import { Instance } from './instance-record.ts';
import type { PoolContext } from './pool-context.ts';
import { QueueWatch } from './queue-watch.ts';
import * as refusals from './refusals.ts';
import { replaceOutdated } from './replace-outdated.ts';
import { type ServiceLimits, serviceLimits } from './service-limits.ts';
import { ServiceRequests } from './service-requests.ts';
import { ServiceScaler } from './service-scaler.ts';

export function keyOf({ deploymentId, service }: ActivationTarget): string {
  return `${deploymentId}/${service.name}`;
}

/** Instances of one service of one deployment. */
export class ServicePool implements InstanceOwner {
  readonly key: string;
  readonly target: ActivationTarget;
  readonly limits: ServiceLimits;
  readonly requests: ServiceRequests;
  readonly ahead: CreatedAhead;
  readonly failures: Failures;
  readonly instances = new Set<Instance>();
  /** A pointer names its deployment: its least number is kept running. */
  live = false;
  /** The database had its deployment, once: where it has it no more, it ends. */
  confirmed = false;
  /** It has instances of an earlier process, for which a pointer may have named it. */
  adopted = false;
  /** A pointer named it, and does not any more. */
  retired = false;
  paused = false;
  /** Why it takes no requests any more. */
  closed: Error | undefined;
  readonly #context: PoolContext;
  readonly #scaler: ServiceScaler;
  readonly #ladder: IdleLadder;
  readonly #watch: QueueWatch;
  readonly #startMs = new MovingAverage();

  constructor(context: PoolContext, target: ActivationTarget) {
    const { deps } = context;
    this.#context = context;
    this.key = keyOf(target);
    this.target = target;
    this.limits = serviceLimits(deps, target);
    this.failures = new Failures(deps.timers, deps.settings.backoff);
    this.#scaler = new ServiceScaler(deps.timers.now(), deps.settings.scale);
    this.requests = new ServiceRequests(context, this);
    this.ahead = new CreatedAhead(context, this);
    this.#ladder = new IdleLadder(context, this);
    this.#watch = new QueueWatch(context, this);
  }

  get min(): number {
    return this.live && !this.paused && !this.closed ? this.limits.min : 0;
  }

  /** Instances that count towards the most that there may be. */
  get size(): number {
    return countInstances(this.instances).size;
  }

  /** There may be no more, and all that may be are up. */
  get full(): boolean {
    const { size, coming } = countInstances(this.instances);
    return size - coming >= this.limits.max;
  }

  get usualStartMs(): number {
    return this.#startMs.value ?? this.#context.usualStartMs();
  }

  views(): InstanceView[] {
    const { fallen } = this.failures;
    const all = new Set([...this.instances, ...this.ahead.instances()]);
    if (fallen) all.add(fallen);
    return [...all].map((instance) => instance.view());
  }

  /** Those whose container the engine should have. */
  containers(): Instance[] {
    const all = [...this.instances, ...this.ahead.instances()];
    return all.filter(({ runtime, over, ending }) => runtime && !over && !ending);
  }

  choose(): Instance | undefined {
    return chooseInstance(this.instances, this.limits.concurrency, this.#scaler.desired);
  }

  released(instance: Instance, now: number, broken: boolean): void {
    const idle = instance.finish(now);
    if (broken) void this.#context.life.look(instance, this);
    this.requests.dispatch();
    if (idle && instance.outdated) replaceOutdated(this);
    if (idle) this.#ladder.arm(instance);
    this.#forgetIfEmpty();
  }

  demandIs(requests: number): void {
    this.#scaler.demand(this.#context.deps.timers.now(), requests);
  }

  /** Brings up what those who wait, and the least number, need. */
  wake(): void {
    const { engine, life } = this.#context;
    const { concurrency, max } = this.limits;
    const { size, coming } = countInstances(this.instances);
    let need = this.requests.queue.size - coming * concurrency;
    if (engine.downSince === undefined) {
      for (const instance of this.instances) {
        if (need <= 0) break;
        if (instance.state !== 'frozen' || instance.changing || instance.ending) continue;
        life.thaw(instance, this);
        need -= concurrency;
      }
    }
    const starts = Math.max(Math.ceil(need / concurrency), this.min - size);
    for (let n = Math.min(starts, max - size); n > 0; n--) if (!this.begin()) break;
    if (this.requests.queue.size > 0) this.#watch.begin();
  }

  /** Starts one more; undefined: not now. */
  begin(): Instance | undefined {
    const { engine, memory, life, makeRoom } = this.#context;
    if (this.paused || this.closed || engine.downSince !== undefined) return undefined;
    if (this.failures.remaining !== undefined) return undefined;
    const waiting = this.ahead.take();
    const instance = waiting?.instance ?? this.newInstance();
    if (!memory.take(instance.id, instance.memory)) {
      if (waiting) this.ahead.giveBack(waiting);
      if (!makeRoom(this) && this.size === 0) {
        this.requests.queue.refuse(refusals.noCapacity(instance.memory, memory.limit));
      }
      return undefined;
    }
    this.failures.bury();
    instance.ahead = false;
    this.instances.add(instance);
    if (!waiting) instance.announce();
    void life.start(instance, this, waiting?.created);
    return instance;
  }

  newInstance(): Instance {
    const { deps, told, index } = this.#context;
    const { memory } = this.limits;
    const id = deps.newInstanceId();
    const instance = new Instance(told, { id, target: this.target, memory });
    index.set(id, { pool: this, instance });
    return instance;
  }

  credentials = () => this.requests.credentials();

  started(ms: number): void {
    this.#startMs.add(ms);
    this.#context.started(ms);
  }

  changed(instance: Instance): void {
    this.requests.dispatch();
    replaceOutdated(this);
    this.#ladder.arm(instance);
    this.wake();
  }

  startFailed(instance: Instance, error: unknown): void {
    // Where the engine is away, those who wait are looked after by the watch.
    if (refusals.isEngineFailure(error)) return;
    const refused = refusals.startRefusal(error, this.limits.contract, this.target.service);
    if (refused.code === 'START_FAILED') {
      this.#context.deps.log.error('a start failed', { error: String(error) });
    }
    this.failures.startFailed(instance, refused.message);
    const others = [...this.instances].some((other) => other !== instance && other.counts);
    if (!others) this.requests.queue.refuse(refused);
  }

  died(instance: Instance, livedMs: number, outside: boolean): void {
    const { log } = this.#context.deps;
    log.warn('an instance ended by itself', { instance: instance.id, reason: instance.reason });
    this.failures.died(instance, livedMs, outside);
    const { remaining, reason, count } = this.failures;
    if (this.size === 0 && remaining !== undefined) {
      this.requests.queue.refuse(refusals.inBackoff(reason, count, remaining));
    }
    this.wake();
  }

  gone(instance: Instance): void {
    this.instances.delete(instance);
    if (instance.state === 'dead') instance.move('terminated');
    if (this.#context.memory.free(instance.id)) this.#context.roomCame();
    this.#context.isGone(instance.id);
    // The last one, idle: the next start skips what it can.
    const ended = instance.ending !== undefined && instance.readyAt > 0;
    if (ended && this.size === 0) this.ahead.replenish();
    this.wake();
    this.#forgetIfEmpty();
  }

  tick(now: number): void {
    const { ready, size } = countInstances(this.instances);
    const { min } = this;
    const { concurrency, max } = this.limits;
    const desired = this.#scaler.tick(now, { ready, concurrency, min, max });
    // More than the least number are started for requests that are there, not for those that were.
    const wanted = this.requests.demand > 0 ? desired : min;
    for (let n = wanted - size; n > 0; n--) if (!this.begin()) break;
    this.ahead.age(now);
    this.#forgetIfEmpty();
  }

  becomeLive(): void {
    this.live = true;
    this.retired = false;
    this.wake();
  }

  retire(): void {
    this.live = false;
    this.retired = true;
    void this.ahead.clear('its deployment is not live any more');
    for (const instance of this.instances) this.#ladder.arm(instance);
    this.#forgetIfEmpty();
  }

  async pause(): Promise<void> {
    this.paused = true;
    this.requests.queue.refuse(refusals.pausedService(this.target.service.name));
    await this.#endAll('its service is paused');
  }

  resume(): void {
    this.paused = false;
    this.failures.clear();
    this.wake();
    this.#forgetIfEmpty();
  }

  async close(why: Error): Promise<void> {
    this.closed = why;
    this.live = false;
    this.requests.queue.refuse(why);
    await this.#endAll(why.message);
    this.#context.empty(this);
  }

  /** What was made of other settings is replaced; where it serves requests, once another is there. */
  fingerprintIs(fingerprint: string): void {
    this.ahead.fingerprintIs(fingerprint);
    for (const instance of this.instances) {
      if (instance.fingerprint === undefined || !instance.counts) continue;
      instance.outdated = instance.fingerprint !== fingerprint;
    }
    replaceOutdated(this);
  }

  /** As `InstanceLife.end`. */
  end(instance: Instance, reason: string): Promise<void> {
    return this.#context.life.end(instance, this, reason);
  }

  async giveUpStarts(): Promise<void> {
    const starting = [...this.instances].filter(({ coming, changing }) => coming && !changing);
    await Promise.all(starting.map((instance) => this.end(instance, 'Gantry stops')));
  }

  /** The process goes; its instances stay. */
  disconnect(): void {
    for (const instance of this.instances) {
      instance.timer?.cancel();
      void instance.dispatcher?.destroy().catch(() => {});
    }
  }

  async #endAll(reason: string): Promise<void> {
    this.failures.bury();
    const ends = [...this.instances].map((instance) => this.end(instance, reason));
    await Promise.all([...ends, this.ahead.clear(reason)]);
  }

  #forgetIfEmpty(): void {
    const { requests, failures } = this;
    if (this.instances.size > 0 || requests.demand > 0 || this.min > 0 || this.paused) return;
    if (this.ahead.instances().length > 0 || failures.remembers) return;
    failures.bury();
    this.#context.empty(this);
  }
}
