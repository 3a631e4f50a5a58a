import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';

/** Manifests of one write: no push waits long behind it. */
const batch = 200;

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

/** When manifests were last used, each by its repository; written down likewise. */
export class ManifestUses {
  readonly #uses: LastUse;

  constructor(deps: { writer: CommandWriter; clock: Clock; everyMs: number }) {
    const { writer, ...rest } = deps;
    this.#uses = new LastUse({
      ...rest,
      write: async (uses) => {
        const found = uses.map(({ id, at }) => {
          const [repositoryId = '', digest = ''] = id.split(' ');
          return { repositoryId, digest: digest as Digest, at };
        });
        for (let from = 0; from < found.length; from += batch)
          await writer.run('TouchManifests', { uses: found.slice(from, from + batch) });
      },
    });
  }

  note(repositoryId: string, digest: Digest): void {
    this.#uses.note(`${repositoryId} ${digest}`);
  }

  flush(): Promise<void> {
    return this.#uses.flush();
  }

  close(): Promise<void> {
    return this.#uses.close();
  }
}
