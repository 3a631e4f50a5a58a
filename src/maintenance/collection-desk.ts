import type { CollectionRun, CollectionState } from '../ports/collection.ts';

/** Whose end can still be asked for. */
const kept = 20;

/** Collections that operators begin: each can be asked for until it is forgotten. */
export class CollectionDesk {
  readonly #run: () => Promise<CollectionRun>;
  readonly #newId: () => string;
  readonly #failed: (cause: unknown) => void;
  readonly #states = new Map<string, CollectionState>();
  readonly #ends = new Map<string, Promise<void>>();
  /** Whether this process goes on after the call that begins one. */
  readonly goesOn: boolean;

  constructor(deps: {
    readonly run: () => Promise<CollectionRun>;
    readonly newId: () => string;
    readonly failed: (cause: unknown) => void;
    readonly goesOn: boolean;
  }) {
    this.#run = deps.run;
    this.#newId = deps.newId;
    this.#failed = deps.failed;
    this.goesOn = deps.goesOn;
  }

  /** Or joins the one that is under way. */
  begin(): CollectionState {
    const id = this.#newId();
    const state: CollectionState = { id, state: 'running' };
    this.#states.set(id, state);
    const end = this.#run().then(
      (run) => void this.#states.set(id, { id, state: 'done', run }),
      (cause: unknown) => {
        this.#states.set(id, { id, state: 'failed' });
        this.#failed(cause);
      },
    );
    this.#ends.set(
      id,
      end.finally(() => this.#ends.delete(id)),
    );
    for (const old of this.#states.keys()) {
      if (this.#states.size <= kept) break;
      if (!this.#ends.has(old)) this.#states.delete(old);
    }
    return state;
  }

  state(id: string): CollectionState | undefined {
    return this.#states.get(id);
  }

  /** Once it has ended, however it did. */
  async ended(id: string): Promise<void> {
    await this.#ends.get(id);
  }
}
