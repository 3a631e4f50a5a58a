import { RuntimeError, type RuntimeInstance } from '../../ports/runtime-driver.ts';
import { withDeadline } from '../timers.ts';
import type { Connections } from './connections.ts';
import type { EngineHealth } from './engine-health.ts';
import { engineLimits } from './engine-limits.ts';
import type { InstanceOwner } from './instance-life.ts';
import type { Instance } from './instance-record.ts';
import type { PoolDeps } from './pool-deps.ts';
import { isEngineFailure } from './refusals.ts';
import { Slots } from './slots.ts';

/** Ends instances, and removes what is left of them. */
export class InstanceEnd {
  readonly #deps: PoolDeps;
  readonly #engine: EngineHealth;
  readonly #connections: Connections;
  // As many ends at once as starts make an engine as slow; but most of an end is its grace.
  readonly #stops: Slots;
  readonly #removals: Slots;

  constructor(deps: PoolDeps, engine: EngineHealth, connections: Connections) {
    this.#deps = deps;
    this.#engine = engine;
    this.#connections = connections;
    this.#stops = new Slots(deps.settings.parallelStarts * 4);
    this.#removals = new Slots(deps.settings.parallelStarts);
  }

  /** Requests on it finish, then SIGTERM, the grace, SIGKILL. Resolves when nothing is left. */
  end(instance: Instance, owner: InstanceOwner, reason: string): Promise<void> {
    if (instance.ending) return instance.ending;
    instance.timer?.cancel();
    instance.timer = undefined;
    // Set before anything is waited for: from now on no request is placed.
    const { promise, resolve } = Promise.withResolvers<void>();
    instance.ending = promise;
    this.#end(instance, owner, reason)
      .catch((error: unknown) => {
        this.#deps.log.error('an instance did not end as it should', {
          instance: instance.id,
          error: String(error),
        });
      })
      .finally(resolve);
    return promise;
  }

  async #end(instance: Instance, owner: InstanceOwner, reason: string): Promise<void> {
    if (instance.over) return;
    instance.reason = reason;
    instance.givenUp.abort(new Error(reason));
    if (instance.state === 'running') {
      instance.move('draining', { reason });
      await this.#drained(instance);
    }
    // A start that is given up, a freeze, a thaw: never two at once.
    await instance.work.catch(() => {});
    if (instance.over || instance.state === 'terminating') return;
    instance.move('terminating', { reason });
    await this.#connections.close(instance);
    // One that was created ahead never ran.
    if (!instance.ahead && instance.runtime) await this.#stop(instance, instance.runtime);
    await this.dispose(instance, owner);
  }

  async #stop(instance: Instance, runtime: RuntimeInstance): Promise<void> {
    const { driver, timers, settings } = this.#deps;
    const grace = instance.target.service.settings.graceMs ?? settings.graceMs;
    const within = grace + engineLimits.stop;
    try {
      instance.exit = await this.#stops.run(() =>
        withDeadline(timers, within, 'stop', driver.stop(runtime.id, grace)),
      );
    } catch (error) {
      this.#failed('an instance could not be stopped', instance, error);
    }
  }

  #drained(instance: Instance): Promise<void> {
    const { timers, settings } = this.#deps;
    const most = instance.target.service.settings.requestTimeoutMs ?? settings.requestTimeoutMs;
    return new Promise((resolve) => {
      // The gateway ends each request by then: one that is left is no request any more.
      const timer = timers.after(most, () => instance.drained?.());
      instance.drained = () => {
        timer.cancel();
        instance.drained = undefined;
        resolve();
      };
    });
  }

  /** What is left of one that is over or ends. What the engine does not do now, the reconciler has it do. */
  async dispose(instance: Instance, owner: InstanceOwner): Promise<void> {
    const { driver, timers, environment } = this.#deps;
    const { runtime } = instance;
    await this.#connections.close(instance);
    if (runtime) {
      await this.#beforeRemove(runtime);
      const remove = () =>
        withDeadline(timers, engineLimits.remove, 'remove', driver.remove(runtime.id));
      await this.#removals
        .run(remove)
        .catch((error: unknown) =>
          this.#failed('a container could not be removed', instance, error),
        );
    }
    environment.release(instance.id);
    if (instance.state === 'terminating') {
      instance.move('terminated', instance.exit ? { exit: instance.exit } : {});
    }
    owner.gone(instance);
  }

  async #beforeRemove(runtime: RuntimeInstance): Promise<void> {
    const { beforeRemove, timers } = this.#deps;
    if (!beforeRemove) return;
    const reading = beforeRemove(runtime);
    await withDeadline(timers, engineLimits.lastLines, 'last lines', reading).catch(() => {});
  }

  #failed(what: string, instance: Instance, error: unknown): void {
    // One that only takes long may have much to do.
    if (error instanceof RuntimeError && isEngineFailure(error)) this.#engine.failed(error);
    this.#deps.log.warn(what, { instance: instance.id, error: String(error) });
  }
}
