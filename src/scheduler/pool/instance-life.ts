import { type InstanceExit, RuntimeError } from '../../ports/runtime-driver.ts';
import type { RoleCredentials } from '../contracts/contract.ts';
import { killedCode } from '../contracts/start-failure.ts';
import { pause, withDeadline } from '../timers.ts';
import { BringUp, bringUp } from './bring-up.ts';
import { Connections } from './connections.ts';
import { InstanceEnd } from './end-instance.ts';
import type { EngineHealth } from './engine-health.ts';
import { engineLimits } from './engine-limits.ts';
import type { Instance } from './instance-record.ts';
import type { PoolDeps } from './pool-deps.ts';
import { isEngineFailure } from './refusals.ts';
import type { CreatedContainer, Starter } from './start-instance.ts';

/** Who holds the instance: told of what becomes of it. */
export interface InstanceOwner {
  /** From nothing or from created, in milliseconds. */
  started(ms: number): void;
  /** Of its role. */
  credentials(): RoleCredentials | Promise<RoleCredentials>;
  /** It takes requests, or does not any more, or was frozen. */
  changed(instance: Instance): void;
  startFailed(instance: Instance, error: unknown): void;
  /** It ended by itself, having been ready for so long; `outside`: somebody removed or killed its container. */
  died(instance: Instance, livedMs: number, outside: boolean): void;
  /** Nothing is left of it. */
  gone(instance: Instance): void;
}

/** The engine's word that a container ended comes within this after its connections broke. Milliseconds. */
const endToldMs = 500;
const readyStages = { queue: 0, pull: 0, create: 0, boot: 0 } as const;

/** What is done to one instance: start, freeze, thaw, look, end. Each is one step of its `work`. */
export class InstanceLife {
  readonly #deps: PoolDeps;
  readonly starter: Starter;
  readonly #engine: EngineHealth;
  readonly #connections: Connections;
  readonly #ends: InstanceEnd;
  readonly #up: BringUp;
  #freezes = true;

  constructor(deps: PoolDeps, starter: Starter, engine: EngineHealth) {
    this.#deps = deps;
    this.starter = starter;
    this.#engine = engine;
    this.#connections = new Connections(deps);
    this.#up = new BringUp(deps, starter, engine, this.#connections);
    this.#ends = new InstanceEnd(deps, engine, this.#connections);
  }

  /** Whether this engine can freeze, as far as is known. */
  get freezes(): boolean {
    return this.#freezes;
  }

  /** Settles when it takes requests, or is over. `created`: its container was made ahead. */
  start(instance: Instance, owner: InstanceOwner, created?: CreatedContainer): Promise<void> {
    const work = this.#start(instance, owner, created);
    instance.work = work;
    return work;
  }

  async #start(instance: Instance, owner: InstanceOwner, ahead?: CreatedContainer): Promise<void> {
    if (await bringUp(this.#up, this.#engine, instance, owner, ahead)) {
      this.ready(instance);
      owner.changed(instance);
    } else await this.#ends.dispose(instance, owner);
  }

  /** A container that is there, running or not. */
  keep(instance: Instance, created: CreatedContainer): void {
    instance.runtime = created.runtime;
    instance.fingerprint = created.fingerprint;
  }

  /** One that an earlier process left running or frozen, and that was found to listen. */
  adopt(instance: Instance, port: number, frozen: boolean): void {
    instance.at = this.#connections.address(instance, port);
    if (frozen) {
      instance.activeAt = this.#deps.timers.now();
      instance.move('frozen');
      return;
    }
    this.#connections.open(instance);
    instance.stages = { from: 'created', ...readyStages };
    this.ready(instance);
  }

  ready(instance: Instance): void {
    const now = this.#deps.timers.now();
    instance.readyAt = now;
    instance.bornAt ??= now;
    instance.activeAt = now;
    instance.move('idle');
  }

  /** From idle; requests that come meanwhile wait for its end. */
  freeze(instance: Instance, owner: InstanceOwner): void {
    instance.changing = 'freezing';
    instance.work = this.#freeze(instance, owner);
  }

  async #freeze(instance: Instance, owner: InstanceOwner): Promise<void> {
    const { driver, timers } = this.#deps;
    // Connections to a frozen one would look alive and answer nothing.
    await this.#connections.close(instance);
    let failure: unknown;
    if (!instance.over) {
      const work = driver.freeze(instance.runtime!.id);
      await withDeadline(timers, engineLimits.freeze, 'freeze', work).catch((error: unknown) => {
        failure = error;
      });
    }
    instance.changing = undefined;
    if (instance.over) return;
    if (failure instanceof RuntimeError && failure.failure === 'no-such-instance') {
      this.died(instance, owner, undefined, gone);
      return;
    }
    if (failure === undefined || isEngineFailure(failure)) {
      // Where the engine did not answer it may be frozen or not: a thaw settles it.
      if (failure !== undefined) this.#engine.failed(failure);
      instance.move('frozen');
    } else {
      this.#freezes = false;
      this.#deps.log.warn('the engine cannot freeze: instances stay awake until they end', {
        error: String(failure),
      });
      this.#connections.open(instance);
    }
    owner.changed(instance);
  }

  thaw(instance: Instance, owner: InstanceOwner): void {
    instance.changing = 'thawing';
    instance.work = this.#thaw(instance, owner);
  }

  async #thaw(instance: Instance, owner: InstanceOwner): Promise<void> {
    const { driver, timers, environment, log } = this.#deps;
    const began = timers.now();
    instance.startBegan = began;
    // Beside the thaw: its settings may have changed while it was frozen.
    const now = Promise.resolve(environment.fingerprint(instance.target)).catch(
      () => instance.fingerprint,
    );
    const work = driver.thaw(instance.runtime!.id);
    const failure = await withDeadline(timers, engineLimits.freeze, 'thaw', work).then(
      () => undefined,
      (error: unknown) => error ?? new Error('thaw failed'),
    );
    instance.outdated ||= (await now) !== instance.fingerprint;
    instance.changing = undefined;
    if (instance.over) return;
    if (failure instanceof RuntimeError && failure.failure === 'no-such-instance') {
      this.died(instance, owner, undefined, gone);
      return;
    }
    if (failure !== undefined) {
      if (isEngineFailure(failure)) this.#engine.failed(failure);
      else {
        log.warn('an instance could not be thawed', {
          instance: instance.id,
          error: String(failure),
        });
        void this.end(instance, owner, 'it could not be thawed');
      }
    } else if (instance.ending === undefined) {
      this.#engine.answered();
      this.#connections.open(instance);
      instance.stages = { from: 'frozen', ...readyStages, boot: timers.now() - began };
      this.ready(instance);
    }
    owner.changed(instance);
  }

  /** It ended by itself. Its connections break now, so that requests on it fail instead of waiting. */
  died(
    instance: Instance,
    owner: InstanceOwner,
    exit: InstanceExit | undefined,
    why?: string,
  ): void {
    if (instance.over) return;
    instance.exit ??= exit;
    if (instance.ending !== undefined) {
      // What it was to finish never will.
      if (instance.state === 'draining') this.#connections.break(instance);
      return;
    }
    // Its start is told by itself.
    if (!instance.idleOrBusy && instance.state !== 'frozen') return;
    instance.timer?.cancel();
    instance.move('dead', {
      reason: why ?? (exit ? exitReason(exit) : 'it ended'),
      ...(exit ? { exit } : {}),
    });
    this.#connections.break(instance);
    instance.dispatcher = undefined;
    const killed = why === undefined && exit?.code === killedCode && !exit.outOfMemory;
    const outside = killed || why === gone || why === removed;
    owner.died(instance, this.#deps.timers.now() - (instance.bornAt ?? 0), outside);
    instance.work = this.#ends.dispose(instance, owner);
  }

  /** Asked of one that a request could not reach. */
  async look(instance: Instance, owner: InstanceOwner): Promise<void> {
    if (instance.suspect || !instance.idleOrBusy || instance.ending) return;
    instance.suspect = true;
    const { driver, timers } = this.#deps;
    try {
      const probing = driver.probe(instance.runtime!.id, instance.at!.port);
      const probe = await withDeadline(timers, engineLimits.probe, 'probe', probing);
      if (probe.listening === 'everywhere') instance.suspect = false;
      else {
        // Where it ended, the engine is about to say why: out of memory, say.
        await pause(timers, endToldMs);
        this.died(instance, owner, undefined, `it does not listen any more: ${probe.dial}`);
      }
    } catch (error) {
      if (isEngineFailure(error)) {
        // Only the engine knows: asked again until it does.
        if (error instanceof RuntimeError) this.#engine.failed(error);
        timers.after(1_000, () => {
          instance.suspect = false;
          void this.look(instance, owner);
        });
        return;
      }
      this.died(instance, owner, undefined, gone);
    }
    if (!instance.over) owner.changed(instance);
  }

  /** Requests on it finish, then SIGTERM, the grace, SIGKILL. Resolves when nothing is left. */
  end(instance: Instance, owner: InstanceOwner, reason: string): Promise<void> {
    return this.#ends.end(instance, owner, reason);
  }
}

/** Reasons of ends that no image is to blame for. */
export const gone = 'its container is gone';
export const removed = 'its container was removed';

export function exitReason(exit: InstanceExit): string {
  if (exit.outOfMemory) return 'out of memory: the kernel ended it';
  return exit.killed ? 'killed' : `it ended with exit code ${exit.code}`;
}
