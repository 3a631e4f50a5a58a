import type { Timer, Timers } from '../timers.ts';

interface Due {
  readonly at: number;
  readonly order: number;
  readonly call: () => void;
  cancelled: boolean;
}

/** Time that moves when it is told to: everything that waits on it runs in its order, promises between included. */
export class SimulatedTime implements Timers {
  #now = 0;
  #order = 0;
  // A binary heap: thousands of functions have a timer each.
  readonly #heap: Due[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, call: () => void): Timer {
    const at = this.#now + Math.max(0, ms);
    const due: Due = { at, order: this.#order++, call, cancelled: false };
    this.#push(due);
    return {
      cancel: () => {
        due.cancelled = true;
      },
    };
  }

  /** Runs all that is due within `ms`. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.settle();
    for (let due = this.#heap[0]; due && due.at <= until; due = this.#heap[0]) {
      this.#pop();
      if (due.cancelled) continue;
      this.#now = Math.max(this.#now, due.at);
      due.call();
      await this.settle();
    }
    this.#now = until;
  }

  /** Resolves when nothing can go on without time. */
  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(due, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
