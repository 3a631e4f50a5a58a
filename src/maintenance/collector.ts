import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../ports/clock.ts';
import type { Collection, CollectionRun } from '../ports/collection.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { LinkKey } from '../ports/commands-collection.ts';
import { Kept } from '../ports/kept.ts';

/** Rows of one read, and of one write: pushes never wait long behind either. */
const page = 1_000;
const batch = 100;

export interface CollectorDeps {
  readonly collection: Collection;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  /** False: another replica collects when it is time; who asks for a run gets one anyway. */
  readonly leads?: () => boolean;
  /** Milliseconds from the end of a blob to the end of its bytes: longer than a backup takes. */
  readonly delayMs: number;
  /** Bytes of blobs are to be removed. */
  readonly discarded: () => void;
  readonly failed: (cause: unknown) => void;
  /** Runs that take something away are written down with it. */
  readonly newId?: () => string;
  /** What a run freed. */
  readonly freed?: (bytes: number) => void;
}

export type Unreferenced = Omit<Awaited<ReturnType<Collection['unreferenced']>>, 'seen'>;

/**
 * Takes away what nothing names, while pushes and pulls go on: first the links of blobs that no manifest of their
 * repository names and whose lease is over, then blobs that no repository links. Each is looked at once more in
 * the transaction that takes it away, so what a push claims in between stays. There is no read-only mode.
 */
export class Collector {
  readonly #deps: CollectorDeps;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #unreferenced: Kept<Unreferenced>;
  #running: Promise<CollectionRun> | undefined;
  #last: CollectionRun | undefined;
  #stopped = false;

  /** `everyMs` undefined: only when it is asked to. */
  constructor(deps: CollectorDeps, everyMs: number | undefined) {
    this.#deps = deps;
    this.#unreferenced = new Kept(async () => {
      const { seen, ...value } = await deps.collection.unreferenced();
      return { value, rows: seen };
    });
    if (everyMs === undefined) return;
    this.#timer = setInterval(() => {
      if (deps.leads?.() !== false) this.run().catch(deps.failed);
    }, everyMs).unref();
  }

  /** The last run that took something away, or could have. */
  get last(): CollectionRun | undefined {
    return this.#last;
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** One at a time: who asks during a run gets that one. */
  run(): Promise<CollectionRun> {
    this.#running ??= this.#collect(false)
      .then(async (run) => {
        await this.#record(run);
        this.#unreferenced.forget();
        this.#last = run;
        return run;
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  /** What a run would take away now; nothing changes. Blobs that would lose their last link count, too. */
  dryRun(): Promise<CollectionRun> {
    return this.#collect(true);
  }

  /** What a run would find without a link, and keys that wait. One count serves all that ask meanwhile, and soon after. */
  unreferenced(): Promise<Unreferenced> {
    return this.#unreferenced.get();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running?.catch(() => {});
  }

  async #collect(dryRun: boolean): Promise<CollectionRun> {
    const startedAt = this.#deps.clock.now();
    const freed = new Map<Digest, number>();
    const links = await this.#links(dryRun, freed);
    const blobs = await this.#blobs(dryRun, freed);
    if (blobs.collected > 0 && !dryRun) {
      this.#deps.discarded();
      this.#deps.freed?.(blobs.bytes);
    }
    return { dryRun, startedAt, endedAt: this.#deps.clock.now(), links, blobs };
  }

  async #record({ startedAt, endedAt, links, blobs }: CollectionRun): Promise<void> {
    const { writer, newId, failed } = this.#deps;
    if (!newId || links.collected + blobs.collected === 0) return;
    const counts = { links: links.collected, blobs: blobs.collected, bytes: blobs.bytes };
    // It is done all the same.
    await writer
      .run('RecordCollection', { id: newId(), startedAt, endedAt, ...counts })
      .catch(failed);
  }

  /** `lost` of a dry run: digests that would lose a link, and how many. */
  async #links(dryRun: boolean, lost: Map<Digest, number>) {
    const { collection, writer, clock } = this.#deps;
    let [seen, collected] = [0, 0];
    for (let after: LinkKey | undefined; !this.#stopped; ) {
      const now = clock.now();
      const rows = await collection.links(after, now, page);
      seen += rows.length;
      const found = rows.filter((row) => row.collectable);
      if (dryRun) {
        collected += found.length;
        for (const { digest } of found) lost.set(digest, (lost.get(digest) ?? 0) + 1);
      } else {
        for (let at = 0; at < found.length; at += batch) {
          const part = found
            .slice(at, at + batch)
            .map(({ repositoryId, digest }) => ({ repositoryId, digest }));
          collected += (await writer.run('CollectLinks', { links: part, now })).count;
        }
      }
      after = rows.at(-1);
      if (rows.length < page) break;
      await letOthersThrough();
    }
    return { seen, collected };
  }

  async #blobs(dryRun: boolean, lost: ReadonlyMap<Digest, number>) {
    const { collection, writer, clock, delayMs } = this.#deps;
    let [seen, collected, bytes] = [0, 0, 0];
    let enough = 1;
    for (const links of lost.values()) enough = Math.max(enough, links + 1);
    for (let after: Digest | undefined; !this.#stopped; ) {
      const rows = await collection.blobs(after, page, enough);
      seen += rows.length;
      if (dryRun) {
        const found = rows.filter((row) => row.links <= (lost.get(row.digest) ?? 0));
        collected += found.length;
        for (const { size } of found) bytes += size;
      } else {
        const found = rows.filter((row) => row.links === 0).map(({ digest }) => digest);
        for (let at = 0; at < found.length; at += batch) {
          const digests = found.slice(at, at + batch);
          const done = await writer.run('CollectBlobs', { digests, now: clock.now(), delayMs });
          collected += done.count;
          bytes += done.bytes;
        }
      }
      after = rows.at(-1)?.digest;
      if (rows.length < page) break;
      await letOthersThrough();
    }
    return { seen, collected, bytes };
  }
}

/** Reads of an embedded database do not wait: page after page of them would keep every request waiting. */
function letOthersThrough(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
