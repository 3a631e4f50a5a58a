import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';

/** Remembers when tokens were used, and writes it down now and then: a login must not wait for it. */
export class LastUse {
  readonly #uses = new Map<string, number>();
  readonly #writer: CommandWriter;
  readonly #clock: Clock;
  readonly #timer: NodeJS.Timeout;

  constructor(deps: { writer: CommandWriter; clock: Clock; everyMs: number }) {
    this.#writer = deps.writer;
    this.#clock = deps.clock;
    this.#timer = setInterval(() => void this.flush().catch(() => {}), deps.everyMs);
    this.#timer.unref();
  }

  note(tokenId: string): void {
    this.#uses.set(tokenId, this.#clock.now());
  }

  async flush(): Promise<void> {
    if (this.#uses.size === 0) return;
    const uses = [...this.#uses].map(([id, at]) => ({ id, at }));
    this.#uses.clear();
    try {
      await this.#writer.run('TouchTokens', { uses });
    } catch (error) {
      // For the next time, unless a token was used again meanwhile.
      for (const { id, at } of uses) if (!this.#uses.has(id)) this.#uses.set(id, at);
      throw error;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
