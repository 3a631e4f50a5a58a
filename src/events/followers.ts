import { refuse } from '../oci/errors.ts';

/** One who follows the events. Aborted: the stream must end now. */
export interface Follower {
  readonly signal: AbortSignal;
  end(): void;
}

/** Who follows the events now: bounded, over all and by identity, and ended together. */
export class Followers {
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #open = new Map<AbortController, string>();
  #closed = false;

  constructor(limits: { most: number; mostOfOne: number } = { most: 1000, mostOfOne: 50 }) {
    this.#most = limits.most;
    this.#mostOfOne = limits.mostOfOne;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Throws `too-many-requests`, or `unavailable` while the server drains. */
  begin(identityId: string): Follower {
    if (this.#closed) {
      throw refuse('unavailable', 'The server is about to stop.', 'Connect again in a moment.');
    }
    const own = [...this.#open.values()].filter((id) => id === identityId).length;
    if (this.#open.size >= this.#most || own >= this.#mostOfOne) {
      throw refuse(
        'too-many-requests',
        own >= this.#mostOfOne
          ? `The caller follows ${own} event streams already.`
          : `${this.#open.size} event streams are open already.`,
        'End one that is not needed; one stream can carry the events of all teams.',
      );
    }
    const controller = new AbortController();
    this.#open.set(controller, identityId);
    return {
      signal: controller.signal,
      end: () => {
        this.#open.delete(controller);
        controller.abort();
      },
    };
  }

  /** Ends all, and lets no more begin. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#open.keys()) controller.abort();
  }
}
