import { RuntimeError } from '../../ports/runtime-driver.ts';
import { withDeadline } from '../timers.ts';
import type { Connections } from './connections.ts';
import type { EngineHealth } from './engine-health.ts';
import { engineLimits } from './engine-limits.ts';
import { initializeInstance } from './initialize-instance.ts';
import type { InstanceOwner } from './instance-life.ts';
import { type Instance, placeOf } from './instance-record.ts';
import type { PoolDeps } from './pool-deps.ts';
import { isEngineFailure, StartRefused } from './refusals.ts';
import type { Booted, CreatedContainer, Starter } from './start-instance.ts';

/** From a record to an instance that takes requests. */
export class BringUp {
  readonly #deps: PoolDeps;
  readonly #starter: Starter;
  readonly #engine: EngineHealth;
  readonly #connections: Connections;

  constructor(deps: PoolDeps, starter: Starter, engine: EngineHealth, connections: Connections) {
    this.#deps = deps;
    this.#starter = starter;
    this.#engine = engine;
    this.#connections = connections;
  }

  /** It takes requests after this, but for `ready`. Rejects as `Starter` does; what was made is its `runtime`. */
  async run(instance: Instance, owner: InstanceOwner, ahead?: CreatedContainer): Promise<void> {
    const { timers } = this.#deps;
    instance.startBegan = timers.now();
    const { created, booted } =
      (ahead && (await this.#fromAhead(instance, ahead))) ?? (await this.#anew(instance));
    this.#engine.answered();
    instance.runtime = booted.runtime;
    const began = timers.now();
    await this.#open(instance, owner, booted.port);
    const fromAhead = created === ahead;
    instance.stages = {
      from: fromAhead ? 'created' : created.from,
      queue: fromAhead ? 0 : created.queueMs,
      pull: fromAhead ? 0 : created.pullMs,
      create: fromAhead ? 0 : created.createMs,
      boot: booted.bootMs + (timers.now() - began),
    };
    instance.givenUp.signal.throwIfAborted();
    owner.started(timers.now() - instance.startBegan);
  }

  async #anew(instance: Instance): Promise<{ created: CreatedContainer; booted: Booted }> {
    const created = await this.#starter.create(instance);
    this.#engine.answered();
    instance.runtime = created.runtime;
    instance.fingerprint = created.fingerprint;
    instance.givenUp.signal.throwIfAborted();
    if (instance.state !== 'starting') instance.move('starting');
    return { created, booted: await this.#starter.boot(instance, created) };
  }

  /** Undefined: it is of no use, and gone. */
  async #fromAhead(
    instance: Instance,
    created: CreatedContainer,
  ): Promise<{ created: CreatedContainer; booted: Booted } | undefined> {
    const { driver, timers, environment, log } = this.#deps;
    const present = await environment.fingerprint(instance.target).catch(() => created.fingerprint);
    try {
      if (present === created.fingerprint) {
        instance.givenUp.signal.throwIfAborted();
        instance.move('starting');
        return { created, booted: await this.#starter.boot(instance, created) };
      }
    } catch (error) {
      // What the engine had for it, such as its network, went since: a new one gets all of that.
      const useless =
        (error instanceof RuntimeError && error.failure === 'no-such-instance') ||
        (error instanceof StartRefused && error.failure.reason === 'start-failed');
      if (!useless) throw error;
      log.debug('a container that was created ahead could not be started', {
        error: error.message,
      });
    }
    instance.givenUp.signal.throwIfAborted();
    const removing = driver.remove(created.runtime.id);
    await withDeadline(timers, engineLimits.remove, 'remove', removing);
    instance.runtime = undefined;
    return undefined;
  }

  async #open(instance: Instance, owner: InstanceOwner, port: number): Promise<void> {
    instance.at = this.#connections.address(instance, port);
    const dispatcher = this.#connections.open(instance);
    const { target } = instance;
    if (!target.service.settings.initialize) return;
    const { contracts, region } = this.#deps;
    const { signal } = instance.givenUp;
    const initializing = initializeInstance({
      ...{ id: instance.id, origin: instance.at.origin, dispatcher, signal },
      contract: contracts.contractOf(target.service),
      place: placeOf(instance, region),
      credentials: await owner.credentials(),
    });
    const limit = target.service.settings.startTimeoutMs ?? this.#deps.settings.startTimeoutMs;
    try {
      await withDeadline(this.#deps.timers, limit, 'initialize', initializing);
    } catch (error) {
      signal.throwIfAborted();
      throw await this.#starter.refuse(instance, 'start-failed', (error as Error).message);
    }
  }
}

/** Ends in state idle, or dead, or terminating where it was given up. */
export async function bringUp(
  up: BringUp,
  engine: EngineHealth,
  instance: Instance,
  owner: InstanceOwner,
  ahead?: CreatedContainer,
): Promise<boolean> {
  try {
    await up.run(instance, owner, ahead);
    return true;
  } catch (error) {
    if (isEngineFailure(error)) engine.failed(error);
    instance.failure = error;
    if (instance.givenUp.signal.aborted) {
      instance.move('terminating');
      return false;
    }
    const exit = instance.exit;
    const reason = error instanceof Error ? error.message : String(error);
    instance.move('dead', { reason, ...(exit ? { exit } : {}) });
    owner.startFailed(instance, error);
    return false;
  }
}
