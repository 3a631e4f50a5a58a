import type { EventRow, Events } from '../ports/events.ts';

/** Rows that are kept in memory for those who follow: all of them read the same ones. */
const tailLength = 1000;

/** The published events, to be read and waited for. */
export class EventLog {
  readonly #events: Events;
  #tail: readonly EventRow[] = [];
  #last = 0;
  #moved = Promise.withResolvers<void>();

  constructor(events: Events) {
    this.#events = events;
  }

  /** Of the oldest event that can be read, and of the last that there ever was; 0 where there is none. */
  async positions(): Promise<{ first: number; last: number }> {
    const { first, last } = await this.#events.positions();
    const remembered = this.#tail[0]?.position ?? first;
    return { first: first === 0 ? remembered : Math.min(first, remembered), last };
  }

  /** The relay has published up to `position`. */
  async publish(position: number): Promise<void> {
    if (position <= this.#last) return;
    const from = Math.max(this.#last, position - tailLength);
    const fresh = await this.#events.after(from, tailLength);
    // What came meanwhile was published by a later call.
    if (position <= this.#last) return;
    this.#last = fresh.at(-1)?.position ?? position;
    const kept = from > 0 && this.#tail.at(-1)?.position === from ? this.#tail : [];
    this.#tail = [...kept, ...fresh].slice(-tailLength);
    const moved = this.#moved;
    this.#moved = Promise.withResolvers<void>();
    moved.resolve();
  }

  /** In order, at most `limit` behind `position`. */
  async read(position: number, limit: number): Promise<readonly EventRow[]> {
    const first = this.#tail[0];
    if (first && position >= first.position - 1) {
      const start = this.#tail.findIndex((row) => row.position > position);
      return start < 0 ? [] : this.#tail.slice(start, start + limit);
    }
    return this.#events.after(position, limit);
  }

  /** Resolves when there may be events behind `position`. */
  async changed(position: number): Promise<void> {
    if (this.#last <= position) await this.#moved.promise;
  }
}
