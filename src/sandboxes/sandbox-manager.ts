import type { Readable } from 'node:stream';
import { refuse } from '../oci/errors.ts';
import type { ExecOptions, RuntimeExec, RuntimeInstance } from '../ports/runtime-driver.ts';
import type { Sandbox } from '../ports/sandboxes.ts';
import { admit } from './admit.ts';
import { LiveSandbox } from './live-sandbox.ts';
import { ended, exited, reasonOf, toRefusal } from './refusals.ts';
import type { NewSandbox, SandboxDeps } from './sandbox-deps.ts';
import { newLabel } from './sandbox-hosts.ts';
import { sandboxSpec } from './sandbox-spec.ts';

/** Between two looks at what runs and what should. */
const lookEveryMs = 15_000;
/** How long a command waits for a sandbox that starts. */
const startWaitMs = 120_000;

/**
 * Makes sandboxes, and ends them at their time. What should be there is in the database; the row is written before
 * the container is made, and ends before it is removed, so that after a crash nothing is left that no row names.
 */
export class SandboxManager {
  readonly #deps: SandboxDeps;
  readonly #live = new Map<string, LiveSandbox>();
  readonly #timer: NodeJS.Timeout;
  #expiry: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;

  constructor(deps: SandboxDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.look(), lookEveryMs).unref();
  }

  /** Rejects with `quota`, `invalid`, `denied` or `unavailable`. What it is made of is brought after the answer. */
  async create(wanted: NewSandbox): Promise<Sandbox> {
    const { limits, clock, writer, newId } = this.#deps;
    const machine = await admit(this.#deps, wanted);
    const { repository, repositoryId, digest } = wanted.image;
    const now = clock.now();
    const sandbox: Sandbox = {
      ...{ id: newId(), projectId: wanted.project.id, state: 'starting', reason: undefined },
      spec: {
        ...{ repository, repositoryId, digest, machineType: machine.name },
        ports: wanted.ports.map((port) => ({ port, label: newLabel() })),
      },
      ...{ createdAt: now, createdBy: wanted.actor, endedAt: undefined },
      expiresAt: now + Math.min(wanted.timeMs ?? limits.timeMs, limits.longestMs),
    };
    const live = new LiveSandbox(sandbox.id, sandbox.projectId);
    this.#live.set(sandbox.id, live);
    try {
      await writer.run('CreateSandbox', { sandbox, most: limits.perProject });
    } catch (error) {
      this.#live.delete(sandbox.id);
      throw error;
    }
    void this.#start(live, sandbox, wanted);
    this.#plan();
    return sandbox;
  }

  /** Rejects with `conflict` where it has ended, `too-many-requests`, or as the driver refuses. */
  async exec(sandbox: Sandbox, options: ExecOptions): Promise<RuntimeExec> {
    const { live, runtime } = await this.#running(sandbox);
    if (live.commands >= this.#deps.limits.commands) {
      throw refuse(
        'too-many-requests',
        `${live.commands} commands run in the sandbox already, as many as may.`,
        'Wait for one to end.',
      );
    }
    live.commands += 1;
    const done = () => {
      live.commands -= 1;
    };
    try {
      const exec = await this.#deps.driver.exec(runtime.id, options);
      exec.exit.then(done, done);
      return exec;
    } catch (error) {
      done();
      throw toRefusal(error);
    }
  }

  async readFiles(sandbox: Sandbox, path: string): Promise<Readable> {
    const { runtime } = await this.#running(sandbox);
    return this.#deps.driver.readFiles(runtime.id, path).catch((error: unknown) => {
      throw toRefusal(error);
    });
  }

  async writeFiles(sandbox: Sandbox, path: string, tar: Readable): Promise<void> {
    const { runtime } = await this.#running(sandbox);
    await this.#deps.driver.writeFiles(runtime.id, path, tar).catch((error: unknown) => {
      throw toRefusal(error);
    });
  }

  /** The same address again for a port that has one. */
  async expose({ id }: Sandbox, port: number): Promise<Sandbox> {
    const { limits, writer, sandboxes } = this.#deps;
    const sandbox = await this.#open(id);
    if (sandbox.spec.ports.some((one) => one.port === port)) return sandbox;
    if (sandbox.spec.ports.length >= limits.ports) {
      throw refuse('quota', `A sandbox has at most ${limits.ports} ports that are reached.`);
    }
    const ports = [...sandbox.spec.ports, { port, label: newLabel() }];
    const spec = { ...sandbox.spec, ports };
    await writer.run('UpdateSandbox', { id, from: ['starting', 'running'], spec });
    return (await sandboxes.find(id)) ?? sandbox;
  }

  /** From now on it has `ms`, but never more in all than the longest time. */
  async extend({ id }: Sandbox, ms: number): Promise<Sandbox> {
    const { limits, writer, sandboxes, clock } = this.#deps;
    const { createdAt } = await this.#open(id);
    const expiresAt = Math.min(clock.now() + ms, createdAt + limits.longestMs);
    await writer.run('UpdateSandbox', { id, from: ['starting', 'running'], expiresAt });
    this.#plan();
    return (await sandboxes.find(id)) ?? (await this.#open(id));
  }

  async stop({ id }: Sandbox): Promise<void> {
    await this.#end(id, 'stopped');
  }

  /** The container of one that runs, for requests to its ports. */
  instanceOf(id: string): RuntimeInstance | undefined {
    return this.#live.get(id)?.runtime;
  }

  /**
   * Makes what runs agree with what should: after a start, now and then, and at the end of a sandbox's time. Never
   * rejects.
   */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => {
        this.#deps.log.warn('sandboxes could not be looked after', { cause: String(error) });
      })
      .finally(() => {
        this.#looking = undefined;
        this.#plan();
      });
    return this.#looking;
  }

  /** Sandboxes stand still without this process, and the next one takes them over. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#expiry);
    await this.#looking;
    await Promise.all(
      [...this.#live.values()].map(async (live) => {
        live.abort.abort();
        if (live.runtime) await this.#deps.driver.freeze(live.runtime.id).catch(() => {});
      }),
    );
  }

  async #look(): Promise<void> {
    const { sandboxes, driver, clock, writer, limits } = this.#deps;
    const now = clock.now();
    const before = await sandboxes.open();
    for (const { id, expiresAt } of before) {
      if (expiresAt <= now) await this.#end(id, 'time limit');
    }
    const listed = (await driver.list()).filter(({ labels }) => labels.kind === 'sandbox');
    const byId = new Map(listed.map((instance) => [instance.instanceId, instance]));
    // Read after the list: a container's row is older than itself.
    const open = new Map((await sandboxes.open()).map((sandbox) => [sandbox.id, sandbox]));
    for (const instance of listed) {
      if (!open.has(instance.instanceId)) await driver.remove(instance.id);
    }
    for (const { id, state, projectId } of before) {
      const sandbox = open.get(id);
      if (!sandbox) continue;
      const instance = byId.get(id);
      const known = this.#live.get(id);
      if (state === 'starting') {
        if (!known) await this.#end(id, 'the server stopped while it was started');
      } else if (!instance) await this.#end(id, 'its container is gone');
      else if (instance.state === 'ended') await this.#end(id, exited(instance.exit?.code));
      else if (!known) {
        if (instance.state === 'frozen') await driver.thaw(instance.id);
        const live = new LiveSandbox(id, projectId);
        this.#live.set(id, live);
        live.started(instance);
        this.#watch(live, instance);
      }
    }
    await writer.run('PruneSandboxes', { before: now - limits.keptMs, limit: 1000 });
  }

  async #start(live: LiveSandbox, sandbox: Sandbox, wanted: NewSandbox): Promise<void> {
    const { driver, pullCredentials, writer, checkImage } = this.#deps;
    const { signal } = live.abort;
    let instance: RuntimeInstance | undefined;
    try {
      await checkImage?.(sandbox, signal);
      const { repository, repositoryId, digest, teamId } = wanted.image;
      const credentials = await pullCredentials.mint({ teamId, repositoryId, repository, digest });
      const prepared = await driver.prepare({ repository, digest, credentials }, { signal });
      signal.throwIfAborted();
      instance = await driver.create(await sandboxSpec(this.#deps, sandbox, wanted, prepared));
      instance = await driver.start(instance.id);
      const { changed } = await writer.run('UpdateSandbox', {
        ...{ id: sandbox.id, from: ['starting'], state: 'running' },
      });
      if (!changed) throw ended(undefined);
      live.started(instance);
      this.#watch(live, instance);
    } catch (error) {
      if (instance) await this.#remove(instance);
      await this.#end(sandbox.id, `it could not be started: ${reasonOf(error)}`, error);
    }
  }

  #watch(live: LiveSandbox, instance: RuntimeInstance): void {
    const { driver } = this.#deps;
    driver.wait(instance.id, live.abort.signal).then(
      ({ code, outOfMemory }) =>
        this.#end(live.id, outOfMemory ? 'it used more memory than it has' : exited(code)),
      // A lost connection says nothing: the next look does.
      () => {},
    );
  }

  /** Never rejects: a container that cannot be removed now is removed at a later look. */
  async #end(id: string, reason: string, cause?: unknown): Promise<void> {
    const { writer, clock, log } = this.#deps;
    if (this.#closed) return;
    try {
      const { changed } = await writer.run('UpdateSandbox', {
        ...{ id, from: ['starting', 'running'], state: 'ended', reason, endedAt: clock.now() },
      });
      if (changed) log.info('sandbox ended', { sandbox: id, reason });
    } catch (error) {
      log.warn('a sandbox could not be ended', { sandbox: id, cause: String(error) });
      return;
    }
    const live = this.#live.get(id);
    this.#live.delete(id);
    live?.failed(cause === undefined ? ended(reason) : toRefusal(cause));
    live?.abort.abort();
    this.#deps.ended?.(id);
    if (live?.runtime) await this.#remove(live.runtime);
  }

  async #remove(instance: RuntimeInstance): Promise<void> {
    await this.#deps.driver.remove(instance.id).catch((error: unknown) => {
      const { instanceId: sandbox } = instance;
      this.#deps.log.warn('a container is left for later', { sandbox, cause: String(error) });
    });
  }

  async #open(id: string): Promise<Sandbox> {
    const sandbox = await this.#deps.sandboxes.find(id);
    if (!sandbox || sandbox.state === 'ended') throw ended(sandbox?.reason);
    return sandbox;
  }

  async #running({ id, state, reason }: Sandbox) {
    if (state === 'ended') throw ended(reason);
    let live = this.#live.get(id);
    if (!live) {
      // Of an earlier process, and not found yet.
      await this.look();
      live = this.#live.get(id);
    }
    if (!live) throw ended(undefined);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const seconds = startWaitMs / 1000;
      const message = `The sandbox has not started within ${seconds} seconds.`;
      timer = setTimeout(() => reject(refuse('unavailable', message, 'Try again.')), startWaitMs);
    });
    try {
      return { live, runtime: await Promise.race([live.running, late]) };
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next end of a time. */
  #plan(): void {
    void Promise.resolve(this.#deps.sandboxes.open()).then(
      (open) => {
        clearTimeout(this.#expiry);
        if (this.#closed || open.length === 0) return;
        const soonest = Math.min(...open.map(({ expiresAt }) => expiresAt));
        const wait = Math.max(0, soonest - this.#deps.clock.now());
        if (wait < lookEveryMs) this.#expiry = setTimeout(() => void this.look(), wait).unref();
      },
      () => {},
    );
  }
}
