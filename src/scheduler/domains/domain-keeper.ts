import type { Clock } from '../../ports/clock.ts';
import type { CommandWriter } from '../../ports/commands.ts';
import type { DomainClaim, DomainClaims } from '../../ports/domains.ts';
import type { Timer, Timers } from '../timers.ts';
import { isTrusted, missingProof, type TxtResolver } from './domain-proof.ts';

export interface DomainKeeperDeps {
  readonly domains: DomainClaims;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly resolver: TxtResolver;
  /** Names that everyone here may claim without a proof. */
  readonly trusted: readonly string[];
  /** A name leads to a function now. */
  readonly verified: () => void;
  readonly failed: (cause: unknown) => void;
}

const lookEveryMs = 60_000;
/** Asked for so long; then by hand alone. */
const patienceMs = 3 * 24 * 3_600_000;
/** Domains of one look, and how many at once. */
const page = 100;
const atOnce = 8;

/** Looks for the proofs of domains that wait for one: at once when asked, and again by itself. */
export class DomainKeeper {
  readonly #deps: DomainKeeperDeps;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;

  constructor(deps: DomainKeeperDeps) {
    this.#deps = deps;
  }

  isTrusted(host: string): boolean {
    return isTrusted(host, this.#deps.trusted);
  }

  /** Asks DNS now. Undefined: the claim went meanwhile. */
  async check(claim: DomainClaim): Promise<DomainClaim | undefined> {
    const { writer, clock, resolver, verified } = this.#deps;
    const { host, projectId, token } = claim;
    const trusted = this.isTrusted(host);
    const missing = trusted ? undefined : await missingProof(resolver, host, token);
    const now = clock.now();
    const last = now - claim.createdAt > patienceMs;
    const args = { host, projectId, token, missing, last, now };
    const found = await writer.run('CheckDomain', args);
    if (found?.state === 'verified' && claim.state !== 'verified') verified();
    return found;
  }

  /** In one process of all. */
  start(): void {
    this.#arm();
  }

  /** All that are pending, once. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#looking?.catch(() => {});
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer = this.#deps.timers.after(lookEveryMs, () => {
      this.look()
        .catch(this.#deps.failed)
        .finally(() => this.#arm());
    });
  }

  async #look(): Promise<void> {
    const { domains, clock, failed } = this.#deps;
    const before = clock.now();
    let broken = false;
    const fail = (cause: unknown): void => {
      broken = true;
      failed(cause);
    };
    for (;;) {
      const claims = await domains.pending(before, page);
      const waiting = claims[Symbol.iterator]();
      const one = async (): Promise<void> => {
        for (const claim of waiting) {
          if (this.#closed) return;
          await this.check(claim);
        }
      };
      await Promise.all(Array.from({ length: atOnce }, () => one().catch(fail)));
      // What could not be written down would be found again, at once.
      if (claims.length < page || broken || this.#closed) return;
    }
  }
}
