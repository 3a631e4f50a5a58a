import type { Clock } from '../ports/clock.ts';

export interface Use {
  readonly id: string;
  readonly at: number;
}

/** Remembers when things were used, and writes it down now and then: neither a login nor a pull waits for it. */
export class LastUse {
  readonly #uses = new Map<string, number>();
  readonly #write: (uses: readonly Use[]) => Promise<unknown>;
  readonly #clock: Clock;
  readonly #timer: NodeJS.Timeout;

  constructor(deps: {
    write: (uses: readonly Use[]) => Promise<unknown>;
    clock: Clock;
    everyMs: number;
  }) {
    this.#write = deps.write;
    this.#clock = deps.clock;
    this.#timer = setInterval(() => void this.flush().catch(() => {}), deps.everyMs);
    this.#timer.unref();
  }

  note(id: string): void {
    this.#uses.set(id, this.#clock.now());
  }

  async flush(): Promise<void> {
    if (this.#uses.size === 0) return;
    const uses = [...this.#uses].map(([id, at]) => ({ id, at }));
    this.#uses.clear();
    try {
      await this.#write(uses);
    } catch (error) {
      // For the next time, unless it was used again meanwhile.
      for (const { id, at } of uses) if (!this.#uses.has(id)) this.#uses.set(id, at);
      throw error;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
