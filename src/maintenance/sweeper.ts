import { RegistryError } from '../oci/errors.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { UploadRow, Uploads } from '../ports/uploads.ts';

const page = 100;

export interface SweeperDeps {
  readonly store: BlobStore;
  readonly blobs: Blobs;
  readonly uploads: Uploads;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  /** Cancels a session; rejects with `upload-conflict` where a request is writing to it. */
  readonly cancel: (row: UploadRow) => Promise<void>;
  readonly failed: (cause: unknown) => void;
}

/**
 * Ends uploads that were abandoned and removes bytes that nothing names: those of ended sessions, and of
 * the later of two uploads of one digest. What it must do is in rows, so nothing is lost by a crash.
 */
export class Sweeper {
  readonly #deps: SweeperDeps;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(deps: SweeperDeps, everyMs: number) {
    this.#deps = deps;
    this.#timer = setInterval(() => this.wake(), everyMs);
    this.#timer.unref();
  }

  /** Sweeps soon; many calls make one sweep. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = this.#sweep()
      .catch((error: unknown) => this.#deps.failed(error))
      .finally(() => {
        this.#running = undefined;
        if (this.#again) {
          this.#again = false;
          this.wake();
        }
      });
  }

  /** Resolves when no sweep is under way or due. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.idle();
  }

  async #sweep(): Promise<void> {
    await this.#endAbandoned();
    await this.#removeDiscarded();
  }

  async #endAbandoned(): Promise<void> {
    const { uploads, clock, cancel } = this.#deps;
    const expired = await uploads.expired(clock.now(), page);
    for (const row of expired) {
      await cancel(row).catch((error: unknown) => {
        if (!(error instanceof RegistryError && error.kind === 'upload-conflict')) throw error;
      });
    }
    if (expired.length === page) this.#again = true;
  }

  async #removeDiscarded(): Promise<void> {
    const { blobs, store, writer } = this.#deps;
    const discarded = await blobs.discardedKeys(page);
    for (const { key, state } of discarded) {
      if (this.#stopped) return;
      await (state === undefined ? store.delete(key) : store.abandon(key, state));
      await writer.run('ForgetKeys', { keys: [key] });
    }
    if (discarded.length === page) this.#again = true;
  }
}
