import { RegistryError } from '../oci/errors.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { RateLimiter, RateLimiters } from '../ports/rate-limiter.ts';
import { ClaimTable, claimsOf } from '../registry/claim-table.ts';
import type { Claims } from '../registry/upload-claims.ts';
import type { Answers } from './channel.ts';
import type { LimitArgs, RunArgs } from './messages.ts';

/** What a client is told and can mend is no failure of this process. */
const isRefusal = (error: unknown): boolean =>
  error instanceof RegistryError && !/^(internal|unavailable|storage-full)$/.test(error.kind);

export interface DeskDeps {
  readonly writer: CommandWriter;
  /** Counts in this process. */
  readonly limiters: RateLimiters;
  /** A command of a worker failed, with its stack here: what crosses to the worker has none. */
  readonly failed: (command: string, error: unknown) => void;
  readonly discarded: () => void;
  readonly pushed: () => void;
}

/** One worker's turn at the desk. */
export interface DeskSide {
  readonly answers: Answers;
  /** The worker is gone: resolves once all that it had asked for is done and its uploads are free. */
  gone(): Promise<void>;
}

/** What the primary keeps for all of its workers, and for itself: the writer, counts, who writes to which upload. */
export class Desk {
  /** For this process. */
  readonly claims: Claims;
  /** For this process, before any worker asks. */
  readonly limiters: RateLimiters;
  readonly #deps: DeskDeps;
  readonly #table = new ClaimTable();
  readonly #counts: RateLimiter[] = [];

  constructor(deps: DeskDeps) {
    this.#deps = deps;
    this.claims = claimsOf(this.#table, 'primary');
    this.limiters = (quota, windowSeconds) => {
      const limiter = deps.limiters(quota, windowSeconds);
      this.#counts.push(limiter);
      return limiter;
    };
  }

  /** `owner`: of this life of the worker alone. */
  side(owner: string): DeskSide {
    const { writer, failed, discarded, pushed } = this.#deps;
    const table = this.#table;
    const underWay = new Set<Promise<unknown>>();
    return {
      answers: {
        run({ name, args, fence }: RunArgs) {
          const done = writer.run(name, args, fence);
          underWay.add(done);
          const settled = () => void underWay.delete(done);
          done.then(settled, (error: unknown) => {
            settled();
            if (!isRefusal(error)) failed(name, error);
          });
          return done;
        },
        consume: ({ limiter, key }: LimitArgs) => this.#counts[limiter]!.consume(key),
        peek: ({ limiter, key }: LimitArgs) => this.#counts[limiter]!.peek(key),
        begun: (id: string) => table.begun(id),
        claim: (id: string) => table.take(id, owner),
        release: (id: string) => table.release(id, owner),
        ...{ discarded, pushed },
      },
      async gone() {
        await Promise.allSettled(underWay);
        table.forget(owner);
      },
    };
  }
}
