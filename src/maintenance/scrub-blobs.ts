import type { Digest } from '../oci/digest.ts';
import { describe, refuse } from '../oci/errors.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { Damage, ScrubCandidate, ScrubStore } from '../ports/scrub.ts';
import { Halted } from './halted.ts';
import { type Reading, verifyBlob } from './verify-blob.ts';

const firstPauseMs = 30_000;
const longestPauseMs = 10 * 60_000;

type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

export interface BlobReaderDeps {
  readonly scrub: Pick<ScrubStore, 'note'>;
  readonly store: BlobStore;
  /** The leader's. */
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly reading: Reading;
  /** Rejects where the work is to end. */
  readonly pause: (ms: number) => Promise<void>;
  readonly log: { readonly error: Log; readonly warn: Log; readonly info: Log };
  readonly counted: {
    bytes(count: number): void;
    blob(outcome: 'whole' | 'damaged' | 'unreadable'): void;
    manifest(outcome: 'whole' | 'damaged'): void;
  };
}

/** Reads blobs one by one, and writes down what they are. */
export class BlobReader {
  readonly #deps: BlobReaderDeps;
  #verified: { digest: Digest; key: string; size: number; faulty: boolean }[] = [];
  #failures = 0;
  #asked = false;

  constructor(deps: BlobReaderDeps) {
    this.#deps = deps;
  }

  /** Rejects with what `reading.take` and `pause` reject with, and where nothing can be written down. */
  async read(blob: ScrubCandidate, runId: string | undefined): Promise<void> {
    const { counted } = this.#deps;
    const outcome = await this.#outcome(blob);
    await this.#storeAnswers();
    if (outcome === 'whole') {
      const { digest, key, size, quarantined, unreadable } = blob;
      this.#verified.push({ digest, key, size, faulty: quarantined || unreadable });
      if (quarantined) await this.flush(runId);
    } else if (typeof outcome === 'string') await this.#quarantine(blob, outcome, runId);
    else await this.#unreadable(blob, outcome.cause, runId);
    counted.blob(
      outcome === 'whole' ? outcome : typeof outcome === 'string' ? 'damaged' : 'unreadable',
    );
  }

  /** Writes down which blobs are whole. */
  async flush(runId: string | undefined): Promise<void> {
    if (this.#verified.length === 0) return;
    const blobs = this.#verified;
    this.#verified = [];
    const { writer, clock, log } = this.#deps;
    const { repaired } = await writer.run('RecordVerified', { blobs, now: clock.now(), runId });
    if (repaired === 0) return;
    const digests = blobs.filter(({ faulty }) => faulty).map(({ digest }) => digest);
    log.info('quarantined blobs are whole again, and can be pulled', { digests });
  }

  /** A store that does not answer says nothing of a blob: it is waited for. */
  async #outcome(blob: ScrubCandidate): Promise<Damage | 'whole' | { readonly cause: unknown }> {
    for (let tries = 0; ; ) {
      try {
        const damage = await this.#damage(blob);
        return damage ?? 'whole';
      } catch (cause) {
        if (cause instanceof Halted) throw cause;
        const store = await storeFailure(this.#deps.store, blob.key);
        if (store !== undefined) await this.#storeFails(store);
        else if (++tries === 2) return { cause };
      }
    }
  }

  /** What is damaged is read twice, so that a fault on the way does not pass for one of the store. */
  async #damage(blob: ScrubCandidate): Promise<Damage | undefined> {
    const { reading, store, log } = this.#deps;
    const first = await verifyBlob(reading, blob);
    // Where nothing is there at all, the file system is not mounted, or the bucket is another one.
    if (first === 'missing' && (await isEmpty(store))) throw nothingThere();
    if (first === undefined) return undefined;
    const second = await verifyBlob(reading, blob);
    if (second === undefined) {
      const { digest, key } = blob;
      log.warn('a blob was damaged when it was read first, and whole the second time', {
        ...{ digest, key },
      });
    }
    return second;
  }

  async #quarantine(
    { digest, key, size }: ScrubCandidate,
    damage: Damage,
    runId: string | undefined,
  ): Promise<void> {
    const { writer, clock, log } = this.#deps;
    const args = { digest, key, size, damage, now: clock.now(), runId };
    const { state, repositories } = await writer.run('QuarantineBlob', args);
    if (state !== 'new') return;
    log.error(
      'the stored bytes of a blob are damaged: it is quarantined until it is pushed again',
      {
        ...{ digest, key, size, damage, repositories },
      },
    );
  }

  async #unreadable(
    { digest, key, size }: ScrubCandidate,
    cause: unknown,
    runId: string | undefined,
  ): Promise<void> {
    const { writer, clock, log } = this.#deps;
    const reason = String((cause as Error)?.message ?? cause).slice(0, 500);
    await writer.run('RecordUnreadable', { digest, key, size, reason, now: clock.now(), runId });
    log.warn('a blob cannot be read, and is tried again later', {
      ...{ digest, key, cause: describe(cause) },
    });
  }

  async #storeFails(cause: unknown): Promise<void> {
    const { writer, log, pause } = this.#deps;
    const value = String((cause as Error)?.message ?? cause).slice(0, 500);
    if (this.#failures === 0) {
      log.warn('the blob store cannot be read: the scrub waits for it', { cause: describe(cause) });
      await writer.run('NoteScrub', { notes: [{ name: 'store-failure', value }] });
    }
    const ms = Math.min(firstPauseMs * 2 ** this.#failures, longestPauseMs);
    this.#failures += 1;
    await pause(ms);
  }

  async #storeAnswers(): Promise<void> {
    const { scrub, writer } = this.#deps;
    // What another process noted before is asked for once, with the first blob.
    if (this.#failures === 0 && this.#asked) return;
    this.#asked = true;
    this.#failures = 0;
    if ((await scrub.note('store-failure')) === undefined) return;
    await writer.run('NoteScrub', { notes: [{ name: 'store-failure', value: undefined }] });
  }
}

/** Undefined: it answers, so what failed is about one blob. */
async function storeFailure(store: BlobStore, key: string): Promise<unknown> {
  try {
    if (await store.stat(key)) return undefined;
    return (await isEmpty(store)) ? nothingThere() : undefined;
  } catch (error) {
    return error;
  }
}

async function isEmpty(store: BlobStore): Promise<boolean> {
  for await (const _ of store.list()) return false;
  return true;
}

function nothingThere(): Error {
  return refuse(
    'unavailable',
    'The blob store holds nothing at all.',
    'Is its disk mounted, and is it the right bucket and prefix?',
  );
}
