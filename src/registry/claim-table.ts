import { LRUCache } from 'lru-cache';
import type { Claim, Claims } from './upload-claims.ts';
import { busyUpload } from './upload-refusals.ts';

/** What a process that takes a claim may build on. */
export interface Taken {
  readonly untouched: boolean;
  readonly moved: boolean;
}

/** Forgetting one costs its next request a look at the store. */
const mostRemembered = 100_000;

/**
 * Who writes to which upload, among processes that all end when this one does: no time limit is needed, and no row.
 * What a process leaves behind that dies in the middle of a chunk is cut off by the next that goes on.
 */
export class ClaimTable {
  readonly #held = new Map<string, string>();
  /** Who wrote last; empty: nobody yet. */
  readonly #last = new LRUCache<string, string>({ max: mostRemembered });

  begun(id: string): void {
    if (!this.#last.has(id)) this.#last.set(id, '');
  }

  /** Throws `upload-conflict` where a request of any process writes to it. */
  take(id: string, owner: string): Taken {
    if (this.#held.has(id)) throw busyUpload();
    const last = this.#last.get(id);
    this.#held.set(id, owner);
    this.#last.set(id, owner);
    return { untouched: last === '', moved: last !== owner };
  }

  release(id: string, owner: string): void {
    if (this.#held.get(id) === owner) this.#held.delete(id);
  }

  /** A process is gone, and all that it had asked for is done. */
  forget(owner: string): void {
    for (const [id, holder] of this.#held) if (holder === owner) this.#held.delete(id);
  }
}

/** How a process reaches the table. */
export interface ClaimDesk {
  begun(id: string): void;
  take(id: string): Promise<Taken>;
  /** Resolves once another may take it: a client that has its answer goes on at once, at any process. */
  release(id: string): Promise<void>;
}

/** The table as uploads ask it. */
export class TableClaims implements Claims {
  readonly #desk: ClaimDesk;

  constructor(desk: ClaimDesk) {
    this.#desk = desk;
  }

  begun(id: string): void {
    this.#desk.begun(id);
  }

  async take(id: string): Promise<Claim> {
    const taken = await this.#desk.take(id);
    return {
      ...{ holder: undefined, ...taken },
      // Held for as long as its process lives.
      onLost() {},
      end() {},
      release: () => this.#desk.release(id),
    };
  }
}

/** For the process that has the table. */
export function claimsOf(table: ClaimTable, owner: string): Claims {
  return new TableClaims({
    begun: (id) => table.begun(id),
    take: async (id) => table.take(id, owner),
    release: async (id) => table.release(id, owner),
  });
}
