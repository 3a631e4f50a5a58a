/** One replica at a time runs functions: compose.ts alone uses it. */
import { type Functions, type FunctionsDeps, openFunctions } from './compose-functions.ts';
import type { Owner, Owners } from './gateway/forwarding/owner.ts';
import type { Leader } from './maintenance/leader.ts';
import { describe } from './oci/errors.ts';
import { dockerAnswers } from './runtimes/docker/open-docker.ts';

const lookEveryMs = 500;
/** How often an engine is looked for: one that was not there at the start, as after a reboot, or that hangs. */
const findEveryMs = 5_000;
/** For how long an engine is away before another replica is let run functions, if there is one that can. */
const handOverAfterMs = 30_000;

/** Functions as they are now: they change when this replica begins to run them, or another took them over. */
export interface OwnedFunctions {
  readonly current: Functions;
  /** Who runs them. */
  readonly owners: Owners;
  /** Whether this process is about to end. */
  readonly leaving: boolean;
  /** Once the server listens. */
  start(): Promise<void>;
  drain(): Promise<void>;
  /** No function is run any more; another replica may take over. */
  close(): Promise<void>;
  /** Once nobody asks for what is left of them: the engine, records. */
  release(): Promise<void>;
}

/** The leases of who runs functions, and of who could. */
export interface EngineLeases {
  readonly engine: Leader;
  readonly next: Leader;
}

/**
 * `leases`: undefined: this process is alone. A replica that does not run functions knows the services and takes
 * pushes; requests go to the one that does. One that takes it over finds what runs on the engine and goes on with it;
 * one that lost it leaves all that runs to the other. A replica competes for as long as its engine answers. Undefined:
 * functions are off.
 */
export async function openOwnedFunctions(
  deps: FunctionsDeps,
  leases: EngineLeases | undefined,
): Promise<OwnedFunctions | undefined> {
  const { functions: settings } = deps.config;
  if (settings.mode === 'off') {
    await Promise.all([leases?.engine.close(), leases?.next.close()]);
    return undefined;
  }
  const owned = new Owned(deps, leases);
  await owned.open();
  return owned;
}

class Owned implements OwnedFunctions {
  readonly #deps: FunctionsDeps;
  readonly #leases: EngineLeases | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  #closers: (() => Promise<unknown> | unknown)[] = [];
  #current: Functions | undefined;
  #owns = true;
  /** Whether the engine answered when it was last asked, and since when it does not. */
  #able = true;
  #awaySince: number | undefined;
  /** Alone: an engine is there that was not. */
  #engineCame = false;
  #started = false;
  #closed = false;
  #changing: Promise<void> | undefined;
  #finding = false;
  #noneSince: number | undefined;
  /** Why this replica can run none; undefined: it can. */
  #missing: string | undefined;

  constructor(deps: FunctionsDeps, leases: EngineLeases | undefined) {
    this.#deps = deps;
    this.#leases = leases;
  }

  get current(): Functions {
    return this.#current!;
  }

  get leaving(): boolean {
    return this.#closed;
  }

  readonly owners: Owners = {
    now: () => {
      const owner = this.#owner();
      if (!('none' in owner)) this.#noneSince = undefined;
      return owner;
    },
    look: async () => {
      await this.#leases?.engine.look();
      this.#step();
    },
  };

  async open(): Promise<void> {
    try {
      const leases = this.#leases;
      if (leases) {
        this.#able = await this.#answers();
        await leases.next.standBy(true);
        await leases.engine.standBy(!this.#able);
        await leases.engine.look();
        // Nobody else runs them either: the start says what is missing, or fails.
        this.#owns = leases.engine.leads || (!this.#able && !leases.engine.other);
      }
      await this.#open();
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  async start(): Promise<void> {
    await this.current.start();
    this.#started = true;
    const { engine } = this.#leases ?? {};
    // Where this replica is reached is known by now.
    if (engine?.leads) await engine.look();
    engine?.onGained(() => this.#step());
    this.#timers.push(
      setInterval(() => this.#step(), lookEveryMs).unref(),
      setInterval(() => void this.#find(), findEveryMs).unref(),
    );
    if (!this.#owns && this.#able) await this.#leases?.next.standBy(false);
  }

  async drain(): Promise<void> {
    await this.#leave();
    await this.#current?.drain();
  }

  async close(): Promise<void> {
    await this.#leave();
    await this.#current?.close();
    await Promise.all([this.#leases?.engine.close(), this.#leases?.next.close()]);
  }

  async release(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
    this.#closers = [];
  }

  async #leave(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#changing;
  }

  #owner(): Owner {
    const { engine } = this.#leases ?? {};
    if (!engine) return { here: true };
    // While the database does not answer, whoever runs functions goes on: nobody can take them over.
    const runs = this.#owns && this.#able && !engine.overtaken && this.#current?.driver;
    if (runs && this.#started && !this.#changing) return { here: true };
    if (engine.leads) return this.#nobody('Functions change to this replica now.');
    const { other } = engine;
    if (!other) return this.#nobody('No replica that has a container engine runs functions now.');
    if (other.address) return { address: { origin: other.address } };
    const unknown =
      'The replica that runs functions has not said where others reach it: set its GANTRY_PEER_URL.';
    return this.#nobody(unknown);
  }

  #nobody(none: string): Owner {
    const now = performance.now();
    this.#noneSince ??= now;
    return { none, sinceMs: now - this.#noneSince };
  }

  /** Functions are opened anew where they have changed hands. */
  #step(): void {
    if (!this.#started || this.#closed || this.#changing) return;
    this.owners.now();
    const { engine } = this.#leases ?? {};
    const lost = engine && this.#owns && (engine.overtaken || (!this.#able && !engine.leads));
    const gained = engine && !this.#owns && engine.leads;
    if (!lost && !gained && !this.#engineCame) return;
    this.#engineCame = false;
    this.#changing = this.#change(engine ? !this.#owns : true)
      .catch((error: unknown) => {
        this.#deps.logger.error('functions could not change hands', { cause: describe(error) });
      })
      .finally(() => {
        this.#changing = undefined;
      });
  }

  async #change(owns: boolean): Promise<void> {
    await this.#current?.close({ keep: true });
    await this.release();
    this.#owns = owns;
    const { next } = this.#leases ?? {};
    if (owns) await next?.standBy(true);
    try {
      await this.#open();
    } catch (error) {
      this.#deps.logger.error('functions could not be taken over', { cause: describe(error) });
      await this.release();
      await this.#standBy();
      await this.#open();
    }
    await this.#current?.start();
    if (!this.#owns && this.#able) await next?.standBy(false);
  }

  async #open(): Promise<void> {
    this.#closers = [];
    if (!this.#leases) this.#current = await openFunctions(this.#deps, this.#closers);
    else if (this.#owns) await this.#openHere();
    else await this.#openElsewhere();
  }

  async #openHere(): Promise<void> {
    this.#current = await openFunctions(this.#deps, this.#closers);
    this.#missing = this.#current?.missing;
    if (this.#current?.driver) return;
    // Others may have an engine; this one competes again once it has.
    this.#deps.logger.warn('this replica can run no functions now', { missing: this.#missing });
    await this.release();
    await this.#standBy();
    await this.#openElsewhere();
  }

  async #openElsewhere(): Promise<void> {
    const { engine } = this.#leases!;
    const missing = this.#missing ?? 'Functions run at another replica now: try again.';
    const elsewhere = { runs: () => engine.leads || engine.other !== undefined, missing };
    this.#current = await openFunctions({ ...this.#deps, elsewhere }, this.#closers);
  }

  async #standBy(): Promise<void> {
    this.#owns = this.#leases === undefined;
    this.#able = false;
    await this.#leases?.engine.standBy(true);
    await this.#leases?.next.standBy(true);
  }

  #answers(): Promise<boolean> {
    const { dockerHost } = this.#deps.config.functions;
    return dockerAnswers({ dockerHost, env: process.env });
  }

  async #find(): Promise<void> {
    if (this.#finding || this.#closed || this.#changing) return;
    if (!this.#leases && this.#current?.driver) return;
    this.#finding = true;
    try {
      const answers = await this.#answers();
      if (this.#closed || this.#changing) return;
      const now = performance.now();
      this.#awaySince = answers ? undefined : (this.#awaySince ?? now);
      const leases = this.#leases;
      if (!leases) this.#engineCame = answers && !this.#current?.driver;
      else if (!this.#owns) await this.#compete(leases, answers);
      else if (now - (this.#awaySince ?? now) >= handOverAfterMs) await this.#handOver(leases);
    } finally {
      this.#finding = false;
    }
  }

  async #compete({ engine, next }: EngineLeases, answers: boolean): Promise<void> {
    if (answers === this.#able) return;
    this.#able = answers;
    if (answers) this.#missing = undefined;
    await next.standBy(!answers);
    await engine.standBy(!answers);
    this.#step();
  }

  /** To another replica whose engine answers; without one, this one waits for its own. */
  async #handOver({ engine, next }: EngineLeases): Promise<void> {
    await next.look();
    if (!next.other) return;
    this.#deps.logger.warn(
      'the container engine is away: another replica runs functions from here on',
    );
    this.#able = false;
    await engine.standBy(true);
    this.#step();
  }
}
