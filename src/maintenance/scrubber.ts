import type { Digest } from '../oci/digest.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { ScrubCandidate, ScrubRun, ScrubStore } from '../ports/scrub.ts';
import { Halted } from './halted.ts';
import type { Leading } from './leader.ts';
import { Pacer } from './pacer.ts';
import { BlobReader, type BlobReaderDeps } from './scrub-blobs.ts';
import { ManifestReader } from './scrub-manifests.ts';

const page = 32;
/** What is not written down yet when the process is killed is read again. */
const writeEveryMs = 2_000;
/** A blob that could not be read is tried again after this. */
const retryAfterMs = 3_600_000;
const busyPauseMs = 1_000;
const mostBusyPauses = 10;

export interface ScrubberDeps extends Pick<BlobReaderDeps, 'log'> {
  readonly counted: BlobReaderDeps['counted'] & {
    /** What is damaged now, in all. */
    found(counts: Awaited<ReturnType<ScrubStore['counts']>>): void;
  };
  readonly scrub: ScrubStore;
  readonly store: BlobStore;
  readonly leading: Leading;
  readonly clock: Clock;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Bytes a second. */
  readonly rate: number;
  /** How often each blob is read anew; undefined: only when somebody asks. */
  readonly intervalMs: number | undefined;
  /** Whether the process has better things to do. */
  readonly busy?: () => boolean;
  readonly failed: (cause: unknown) => void;
}

/**
 * Reads what is stored anew, slowly, and compares it with its digest: by itself what was not read for
 * `intervalMs`, the oldest first; at once what somebody asks for. What does not hash is quarantined. Where it
 * stopped is in the database. Only the leader reads.
 */
export class Scrubber {
  readonly #deps: ScrubberDeps;
  readonly #blobs: BlobReader;
  readonly #manifests: ManifestReader;
  readonly #pacer: Pacer;
  readonly #stopping = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #working: Promise<void> | undefined;
  #again = false;
  /** For `take`, which is called between chunks. */
  #run: ScrubRun | undefined;
  #askedAt = 0;

  /** `everyMs`: how often it looks whether there is something to do. */
  constructor(deps: ScrubberDeps, everyMs: number) {
    this.#deps = deps;
    this.#pacer = new Pacer(deps);
    const reading = { take: (bytes: number) => this.#take(bytes), store: deps.store };
    const { writer } = deps.leading;
    const pause = (ms: number) => this.#sleep(ms);
    this.#blobs = new BlobReader({ ...deps, writer, reading, pause });
    this.#manifests = new ManifestReader({ ...deps, writer, take: reading.take });
    this.#timer = setInterval(() => {
      // Not the leader alone: each process tells of it in its own metrics.
      void this.#count();
      this.wake();
    }, everyMs).unref();
    void this.#count();
  }

  /** Looks soon; many calls make one look. */
  wake(): void {
    if (this.#stopping.signal.aborted || !this.#deps.leading.leads) return;
    if (this.#working) {
      this.#again = true;
      return;
    }
    this.#working = this.#work()
      .catch((error: unknown) => {
        const cause = error instanceof Halted ? error.cause : error;
        if (cause !== undefined) this.#deps.failed(cause);
      })
      .finally(() => {
        this.#working = undefined;
        void this.#count();
        const again = this.#again;
        this.#again = false;
        if (again) this.wake();
      });
  }

  /** Resolves when there is nothing to do, or nothing more can be done. */
  async idle(): Promise<void> {
    while (this.#working) await this.#working;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    await this.idle();
  }

  async #count(): Promise<void> {
    const { scrub, counted } = this.#deps;
    try {
      counted.found(await scrub.counts());
    } catch {
      // Without the database the last figures stand.
    }
  }

  async #work(): Promise<void> {
    const { scrub, clock, intervalMs } = this.#deps;
    for (;;) {
      const run = await scrub.running();
      this.#run = run;
      if (run) {
        await this.#asked(run);
        continue;
      }
      if (intervalMs === undefined) return;
      const now = clock.now();
      const found = await scrub.due(now - intervalMs, now - retryAfterMs, page);
      if (found.length > 0) await this.#read(found);
      else if (await this.#manifests.isDue(intervalMs)) await this.#manifests.readAll(undefined);
      else return;
    }
  }

  /** Goes on where it was: what it read is marked as verified since it began. */
  async #asked(run: ScrubRun): Promise<void> {
    const { scrub, leading, clock } = this.#deps;
    const { id, repositoryId, startedAt } = run;
    for (let after: Digest | undefined; ; ) {
      const found =
        repositoryId === undefined
          ? await scrub.due(startedAt, startedAt, page)
          : await scrub.dueIn(repositoryId, after, startedAt, startedAt, page);
      if (found.length === 0) break;
      await this.#read(found);
      after = found.at(-1)?.digest;
    }
    await this.#manifests.readAll(run);
    await leading.writer.run('EndScrub', { id, state: 'done', now: clock.now() });
  }

  async #read(found: readonly ScrubCandidate[]): Promise<void> {
    const { clock } = this.#deps;
    const runId = this.#run?.id;
    let since = clock.now();
    try {
      for (const blob of found) {
        await this.#check();
        await this.#blobs.read(blob, runId);
        if (clock.now() - since < writeEveryMs) continue;
        await this.#blobs.flush(runId);
        since = clock.now();
      }
    } finally {
      // What was read is known, whoever does the rest; a former leader is refused.
      await this.#blobs.flush(runId).catch((error: unknown) => {
        if (this.#deps.leading.leads) throw error;
      });
    }
  }

  /** Between chunks: at the rate, not while the process is busy, and not for what nobody wants any more. */
  async #take(bytes: number): Promise<void> {
    const { counted, busy, clock } = this.#deps;
    counted.bytes(bytes);
    await this.#paced(bytes);
    for (let pauses = 0; pauses < mostBusyPauses && busy?.(); pauses += 1) {
      await this.#sleep(busyPauseMs);
    }
    if (!this.#deps.leading.leads) throw new Halted();
    if (Math.abs(clock.now() - this.#askedAt) >= writeEveryMs) await this.#check();
  }

  /** Throws where this process does not lead any more, the run was cancelled, or one begins. */
  async #check(): Promise<void> {
    const { scrub, leading, clock } = this.#deps;
    if (this.#stopping.signal.aborted || !leading.leads) throw new Halted();
    this.#askedAt = clock.now();
    let running: ScrubRun | undefined;
    try {
      running = await scrub.running();
    } catch (cause) {
      // Of the database: not to be taken for a failure of the blob store.
      throw new Halted('the database cannot be read', { cause });
    }
    if (running?.id === this.#run?.id) return;
    this.#again = true;
    throw new Halted();
  }

  async #paced(bytes: number): Promise<void> {
    const { signal } = this.#stopping;
    await this.#pacer.take(bytes, signal).catch(() => {});
    if (signal.aborted) throw new Halted();
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    await this.#deps.sleep(ms, signal).catch(() => {});
    if (signal.aborted || !this.#deps.leading.leads) throw new Halted();
  }
}
