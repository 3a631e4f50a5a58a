import { RegistryError } from '../oci/errors.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { TrashStore } from '../ports/trash.ts';
import type { UploadRow, Uploads } from '../ports/uploads.ts';

const page = 100;
/** A store on the network answers late. */
const removedAtOnce = 8;

type DiscardedKey = Awaited<ReturnType<Blobs['discardedKeys']>>[number];

interface Done {
  readonly done: number;
  readonly failures: readonly unknown[];
}
const none: Done = { done: 0, failures: [] };

export interface SweeperDeps {
  readonly store: BlobStore;
  readonly blobs: Blobs;
  readonly uploads: Uploads;
  readonly trash: Pick<TrashStore, 'isDue'>;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  /** Keys whose bytes are removed at once, and then forgotten by one write; 8 unless given. */
  readonly removedAtOnce?: number;
  /** False: another replica sweeps now. */
  readonly leads?: () => boolean;
  /** Cancels a session; rejects with `upload-conflict` where a request is writing to it. */
  readonly cancel: (row: UploadRow) => Promise<void>;
  readonly failed: (cause: unknown) => void;
}

/**
 * Ends uploads that were abandoned, empties the trash of what can come back no more, and removes bytes that nothing names: those of ended sessions, and of
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
    if (this.#stopped || this.#deps.leads?.() === false) return;
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
    const { uploads, blobs, trash, writer, clock } = this.#deps;
    const atOnce = this.#deps.removedAtOnce ?? removedAtOnce;
    const now = clock.now();
    if (await trash.isDue(now)) {
      const { removed } = await writer.run('EmptyTrash', { now, limit: page });
      if (removed === page) this.#again = true;
    }
    await this.#each(await uploads.expired(now, page), 1, (rows) =>
      this.#endAbandoned(rows[0]!, now),
    );
    await this.#each(await blobs.discardedKeys(page, now), atOnce, (keys) =>
      this.#removeDiscarded(keys),
    );
  }

  /**
   * Some after others; one that fails does not keep the others waiting. A full page is followed by the
   * next one, but only where something was done: what is left may be the same again.
   */
  async #each<T>(
    found: readonly T[],
    atOnce: number,
    work: (items: readonly T[]) => Promise<Done>,
  ): Promise<void> {
    const failures: unknown[] = [];
    let done = 0;
    for (let at = 0; at < found.length; at += atOnce) {
      if (this.#stopped) return;
      try {
        const some = await work(found.slice(at, at + atOnce));
        done += some.done;
        failures.push(...some.failures);
      } catch (error) {
        failures.push(error);
      }
    }
    if (found.length === page && done > 0) this.#again = true;
    if (failures.length > 0) this.#deps.failed(failures[0]);
  }

  /** None where the upload is in use, or was meanwhile: what was read in a page may be old. */
  async #endAbandoned({ id }: UploadRow, now: number): Promise<Done> {
    const row = await this.#deps.uploads.find(id);
    if (!row || row.expiresAt > now) return none;
    try {
      await this.#deps.cancel(row);
      return { done: 1, failures: [] };
    } catch (error) {
      if (error instanceof RegistryError && error.kind === 'upload-conflict') return none;
      throw error;
    }
  }

  async #removeDiscarded(found: readonly DiscardedKey[]): Promise<Done> {
    const { store, writer } = this.#deps;
    const keys: string[] = [];
    const failures: unknown[] = [];
    await Promise.all(
      found.map(async ({ key, state }) => {
        try {
          await (state === undefined ? store.delete(key) : store.abandon(key, state));
          keys.push(key);
        } catch (error) {
          failures.push(error);
        }
      }),
    );
    if (keys.length > 0) await writer.run('ForgetKeys', { keys });
    return { done: keys.length, failures };
  }
}
