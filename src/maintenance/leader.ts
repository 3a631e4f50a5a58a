import { refuse } from '../oci/errors.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { Lease, LeaseName, Leases } from '../ports/leases.ts';

export interface LeaderDeps {
  readonly name: LeaseName;
  /** Id of this process. */
  readonly holder: string;
  readonly leases: Leases;
  readonly writer: CommandWriter;
  readonly log: { info(message: string, fields?: Readonly<Record<string, unknown>>): void };
  /** Where others reach this process, once it is known. */
  readonly address?: () => string | undefined;
  /** Milliseconds: only differences count. */
  readonly clock?: () => number;
}

export interface LeaseTimes {
  /** How long a lease is good for without being renewed. */
  readonly ttlMs: number;
  /** How often it is renewed, or looked at by those who wait for it. */
  readonly everyMs: number;
}

/** A leader that is killed is followed after 6 s to 8 s; one that stops gives its lease back. */
export const leaseTimes: LeaseTimes = { ttlMs: 6_000, everyMs: 1_500 };

/** What work needs to know of who does it. */
export interface Leading {
  /** Whether this process does it now, as far as it knows. */
  readonly leads: boolean;
  /** Writes of a leader: refused once another took over, whatever this process believes. */
  readonly writer: CommandWriter;
}

/** One process alone: it always leads. */
export function leadsAlone(writer: CommandWriter): Leading {
  return { leads: true, writer };
}

/**
 * Holds a lease, or waits for it. `leads` ends by the local clock before the lease does in the database, and every
 * write checks the epoch, so that even a process that stood still for a minute writes nothing late.
 */
export class Leader implements Leading {
  readonly writer: CommandWriter;
  readonly #deps: LeaderDeps;
  readonly #times: LeaseTimes;
  readonly #clock: () => number;
  readonly #gained: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  #held: { epoch: number; until: number } | undefined;
  #looking: Promise<void> | undefined;
  #stopped = false;
  #standby = false;
  #seen: { lease: Lease; at: number } | undefined;

  constructor(deps: LeaderDeps, times: LeaseTimes = leaseTimes) {
    this.#deps = deps;
    this.#times = times;
    this.#clock = deps.clock ?? (() => performance.now());
    this.writer = {
      run: (name, args) => {
        const held = this.#held;
        if (!held || !this.leads) {
          return Promise.reject(refuse('unavailable', 'Another replica leads now.'));
        }
        return deps.writer.run(name, args, { name: deps.name, epoch: held.epoch });
      },
    };
    this.#timer = setInterval(() => void this.look(), times.everyMs).unref();
  }

  get leads(): boolean {
    return this.#held !== undefined && this.#clock() < this.#held.until;
  }

  /** Whether another process has the lease for sure; false while the database does not answer. */
  get overtaken(): boolean {
    return this.#overtaken;
  }
  #overtaken = false;

  /** Who else has the lease, as far as was last seen, and for how many milliseconds yet; undefined: nobody. */
  get other(): { readonly address: string | undefined; readonly remainingMs: number } | undefined {
    if (!this.#seen || this.#held) return undefined;
    const { lease, at } = this.#seen;
    return { address: lease.address, remainingMs: lease.remainingMs - (this.#clock() - at) };
  }

  /** Gives the lease back, and leaves it to others for as long as `is`. */
  async standBy(is: boolean): Promise<void> {
    this.#standby = is;
    await this.#looking;
    if (is) await this.#giveBack();
    else await this.look();
  }

  /** Called each time this process begins to lead. */
  onGained(listener: () => void): void {
    this.#gained.push(listener);
    if (this.leads) listener();
  }

  /** Renews the lease, or takes it where it is free. Never rejects: without the database nobody leads. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch(() => {})
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  /** Gives the lease back. */
  async close(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#looking;
    await this.#giveBack();
  }

  async #giveBack(): Promise<void> {
    const { name, holder, writer } = this.#deps;
    const held = this.#held;
    this.#held = undefined;
    // Without the database it ends by itself.
    if (held) await writer.run('ReleaseLease', { name, holder }).catch(() => {});
  }

  async #look(): Promise<void> {
    if (this.#stopped) return;
    const { name, holder, leases, writer, log } = this.#deps;
    if (!this.#held) {
      // A look alone writes nothing: those who wait cost the database little.
      const lease = await leases.find(name);
      const another = lease && lease.holder !== holder;
      this.#seen = another ? { lease, at: this.#clock() } : undefined;
      if (another && lease.remainingMs > 0) {
        this.#overtaken = true;
        return;
      }
      if (this.#standby) return;
    }
    const { ttlMs } = this.#times;
    // Of before the question: the database counts from later on.
    const until = this.#clock() + ttlMs;
    const led = this.leads;
    const address = this.#deps.address?.();
    const got = await writer.run('AcquireLease', { name, holder, ttlMs, address });
    if (!got) {
      if (this.#held) log.info('another replica leads now', { lease: name });
      this.#held = undefined;
      this.#overtaken = true;
      return;
    }
    const isNew = this.#held?.epoch !== got.epoch;
    this.#held = { epoch: got.epoch, until };
    this.#overtaken = false;
    if (isNew) log.info('this replica leads', { lease: name, epoch: got.epoch });
    if (isNew || !led) for (const listener of this.#gained) listener();
  }
}
