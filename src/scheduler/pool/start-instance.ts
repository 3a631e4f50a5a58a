import { LRUCache } from 'lru-cache';
import {
  type PortProbe,
  type PreparedImage,
  RuntimeError,
  type RuntimeInstance,
} from '../../ports/runtime-driver.ts';
import type { ActivationTarget, StartStages } from '../activation.ts';
import type { StartFailure } from '../contracts/contract.ts';
import { DeadlineError, pause, withDeadline } from '../timers.ts';
import { engineLimits } from './engine-limits.ts';
import type { Instance } from './instance-record.ts';
import { instanceSpec } from './instance-spec.ts';
import type { PoolDeps } from './pool-deps.ts';
import { StartRefused } from './refusals.ts';
import { Slots } from './slots.ts';

/** A server that still listens on 127.0.0.1 alone after this long will not change its mind. */
const loopbackMs = 5_000;
const logLines = 20;

/** How an instance came to run. Milliseconds. */
export interface Booted {
  readonly runtime: RuntimeInstance;
  readonly port: number;
  readonly bootMs: number;
}

export interface CreatedContainer {
  readonly runtime: RuntimeInstance;
  readonly port: number;
  readonly fingerprint: string;
  readonly from: StartStages['from'];
  readonly pullMs: number;
  /** Waited for others that were being made. */
  readonly queueMs: number;
  readonly createMs: number;
}

/** Makes containers and starts them, a bounded number at once. What it leaves unfinished it removes. */
export class Starter {
  readonly #deps: PoolDeps;
  readonly #slots: Slots;
  /** By digest and repository: what was prepared, or is being. */
  readonly #images = new LRUCache<string, Promise<PreparedImage>>({ max: 10_000 });

  constructor(deps: PoolDeps) {
    this.#deps = deps;
    this.#slots = new Slots(deps.settings.parallelStarts);
  }

  /**
   * A container that does not run yet. Rejects with `RuntimeError`, `RegistryError` (of the environment) or
   * `DeadlineError`; then nothing is left of it but what the reconciler finds.
   */
  async create(instance: Instance): Promise<CreatedContainer> {
    const { environment, timers } = this.#deps;
    const { target, id } = instance;
    const resolving = environment.resolve(target, id);
    // Awaited below: it may fail first.
    resolving.catch(() => {});
    const image = await this.#prepare(instance);
    const { installation, egressOf } = this.#deps;
    const egress = (await egressOf?.(target)) ?? 'public';
    const asked = timers.now();
    let began = asked;
    const resolved = await resolving;
    const machine = this.#deps.machines.of(target.service);
    if (!machine) {
      const name = target.service.settings.machineType;
      throw new RuntimeError('invalid-spec', `There is no machine type ${name} here.`);
    }
    const make = (prepared: PreparedImage) =>
      this.#slots.run(() => {
        instance.givenUp.signal.throwIfAborted();
        began = timers.now();
        const image = prepared;
        const spec = instanceSpec(instance, { installation, image, resolved, machine, egress });
        const work = this.#deps.driver.create(spec);
        return withDeadline(timers, engineLimits.create, 'create', work);
      });
    let again = image;
    const runtime = await make(image.prepared).catch(async (error: unknown) => {
      if (!(error instanceof RuntimeError && error.failure === 'no-such-image')) throw error;
      // The cache's space went to others since.
      this.#images.delete(imageKey(target));
      again = await this.#prepare(instance);
      return await make(again.prepared);
    });
    return {
      runtime,
      port: this.#deps.contracts.portOf(target.service, resolved.env),
      fingerprint: resolved.fingerprint,
      from: again.cached ? 'image' : 'nothing',
      pullMs: again.cached ? 0 : again.prepared.pullMs,
      queueMs: began - asked,
      createMs: timers.now() - began,
    };
  }

  /** Starts it and waits until it listens. Rejects with `StartRefused`, `RuntimeError` or `DeadlineError`. */
  async boot(instance: Instance, container: CreatedContainer): Promise<Booted> {
    const { driver, timers, settings } = this.#deps;
    const { id } = container.runtime;
    const began = timers.now();
    instance.bootBegan = began;
    const { port } = container;
    const fail = (reason: StartFailure['reason'], dial: string, seen: Partial<StartFailure> = {}) =>
      this.refuse(instance, reason, dial, { port, ...seen });

    let runtime: RuntimeInstance;
    try {
      runtime = await this.#slots.run(() => {
        // Many may have stood in line as it was given up: each would be started only to be ended.
        instance.givenUp.signal.throwIfAborted();
        return withDeadline(timers, engineLimits.start, 'start', driver.start(id));
      });
    } catch (error) {
      if (error instanceof RuntimeError && error.failure === 'start-failed') {
        throw await fail('start-failed', error.message);
      }
      throw error;
    }

    const limit = instance.target.service.settings.startTimeoutMs ?? settings.startTimeoutMs;
    const { signal } = instance.givenUp;
    const over = new AbortController();
    const stop = () => over.abort();
    signal.addEventListener('abort', stop, { once: true });
    let exit: { code: number; outOfMemory: boolean } | undefined;
    // An end is told at once; a lost connection only means that the limit decides.
    driver.wait(id, over.signal).then(
      (ended) => {
        exit = ended;
        over.abort();
      },
      () => {},
    );
    let loopbackSince: number | undefined;
    let last: Exclude<PortProbe, { listening: 'everywhere' }> | undefined;
    let wait = 2;
    try {
      for (;;) {
        const left = limit - (timers.now() - began);
        const probe = await withDeadline(
          timers,
          Math.max(100, Math.min(engineLimits.probe, left)),
          'probe',
          driver.probe(id, container.port),
        ).catch((error: unknown) => {
          // One that has ended has no network to look into.
          if (exit || signal.aborted) return undefined;
          if (error instanceof RuntimeError && error.failure === 'no-such-instance')
            return undefined;
          // Of an engine with much to do, as when many start at once: the start limit decides.
          if (error instanceof DeadlineError) return undefined;
          throw error;
        });
        if (signal.aborted) throw signal.reason;
        exit ??= instance.exit;
        if (exit) {
          instance.exit = exit;
          const why = exit.outOfMemory ? ' (out of memory)' : '';
          throw await fail('exited', `exit code ${exit.code}${why}`, { exitCode: exit.code });
        }
        if (probe?.listening === 'everywhere') break;
        // One that an engine with much to do left unanswered tells nothing new.
        last = probe ?? last;
        const elapsed = timers.now() - began;
        if (probe?.listening === 'loopback-only') {
          loopbackSince ??= timers.now();
          if (timers.now() - loopbackSince >= loopbackMs || elapsed >= limit) {
            throw await fail('loopback-only', probe.dial);
          }
        } else loopbackSince = undefined;
        if (elapsed >= limit) {
          const { dial = 'it could not be probed', others } = last ?? {};
          throw await fail('timeout', dial, { others });
        }
        await pause(timers, Math.min(wait, limit - elapsed), over.signal);
        wait = Math.min(wait * 1.5, elapsed < 2_000 ? 25 : 200);
      }
      return { runtime, port: container.port, bootMs: timers.now() - began };
    } finally {
      signal.removeEventListener('abort', stop);
      over.abort();
    }
  }

  /** What is told of a container that ran, with its last lines. */
  async refuse(
    instance: Instance,
    reason: StartFailure['reason'],
    dial: string,
    { exitCode, port, others }: Partial<StartFailure> = {},
  ): Promise<StartRefused> {
    const ms = this.#deps.timers.now() - instance.bootBegan;
    const durationNs = BigInt(Math.round(ms * 1e6));
    const logs = await this.#lastLines(instance.runtime!.id);
    return new StartRefused({ durationNs, dial, reason, port, others, exitCode, logs });
  }

  async #prepare(instance: Instance): Promise<{ prepared: PreparedImage; cached: boolean }> {
    const { target } = instance;
    const key = imageKey(target);
    const known = this.#images.get(key);
    if (known) {
      const prepared = await known;
      return { prepared, cached: true };
    }
    const work = this.#pull(instance);
    this.#images.set(key, work);
    work.catch(() => {
      if (this.#images.get(key) === work) this.#images.delete(key);
    });
    const prepared = await work;
    return { prepared, cached: prepared.cached };
  }

  async #pull(instance: Instance): Promise<PreparedImage> {
    const { driver, clock, timers, settings, observer, pullCredentials } = this.#deps;
    const { target } = instance;
    const { repository, repositoryId, digest } = target.service;
    const from = clock.now();
    const credentials = await pullCredentials.mint({
      teamId: target.teamId,
      repositoryId,
      repository,
      digest,
    });
    const prepared = await withDeadline(
      timers,
      settings.pullTimeoutMs,
      'pull',
      driver.prepare(
        { repository, digest, credentials },
        {
          progress: () => {
            if (instance.state === 'pending' && !instance.ahead) instance.move('pulling');
          },
        },
      ),
    );
    const { cached } = prepared;
    observer.pulled({
      target,
      instanceId: instance.id,
      memory: instance.memory,
      from,
      to: clock.now(),
      cached,
    });
    return prepared;
  }

  async #lastLines(id: string): Promise<StartFailure['logs']> {
    const { driver, timers } = this.#deps;
    const read = async () => {
      const lines: StartFailure['logs'][number][] = [];
      for await (const line of driver.logs(id, { tail: logLines, follow: false })) {
        lines.push({ at: line.at, nanos: line.nanos ?? 0, text: line.text });
        if (lines.length > logLines) lines.shift();
      }
      return lines;
    };
    return withDeadline(timers, engineLimits.logs, 'logs', read()).catch(() => []);
  }
}

function imageKey(target: ActivationTarget): string {
  return `${target.service.repository}@${target.service.digest}`;
}
