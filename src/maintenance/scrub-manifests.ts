import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { ScrubRun, ScrubStore } from '../ports/scrub.ts';
import type { BlobReaderDeps } from './scrub-blobs.ts';

/** Manifests have a few KiB, and 4 MiB at most. */
const page = 16;
/** How many are read before it is written down how far it came. */
const notedEach = 1_024;

export interface ManifestReaderDeps extends Pick<BlobReaderDeps, 'log' | 'counted'> {
  readonly scrub: Pick<ScrubStore, 'manifests' | 'note'>;
  /** The leader's. */
  readonly writer: CommandWriter;
  readonly clock: Clock;
  /** As `Reading.take`. */
  readonly take: (bytes: number) => Promise<void>;
}

/** Compares the bytes of manifests, which are in the database, with their digests. */
export class ManifestReader {
  readonly #deps: ManifestReaderDeps;

  constructor(deps: ManifestReaderDeps) {
    this.#deps = deps;
  }

  async isDue(intervalMs: number): Promise<boolean> {
    const ended = await this.#deps.scrub.note('manifests-ended');
    return ended === undefined || Number(ended) < this.#deps.clock.now() - intervalMs;
  }

  /** `run`: for it, over its repository alone where it names one. Goes on where the same was left. */
  async readAll(run: ScrubRun | undefined): Promise<void> {
    const { scrub, writer, clock, take } = this.#deps;
    const [of, came] = (await scrub.note('manifests-after'))?.split(' ') ?? [];
    const mine = run?.id ?? 'all';
    let after = of === mine ? (came as Digest) : undefined;
    const repositoryId = run?.repositoryId;
    for (let read = 0; ; ) {
      const found = await scrub.manifests(after, page, repositoryId);
      for (const { digest, bytes } of found) {
        await take(bytes.length);
        const whole = digestOf(bytes, algorithmOf(digest)) === digest;
        this.#deps.counted.manifest(whole ? 'whole' : 'damaged');
        if (!whole) await quarantineManifest(this.#deps, digest, bytes);
      }
      read += found.length;
      const last = found.at(-1)?.digest;
      if (last === undefined || read >= notedEach) {
        const now = String(clock.now());
        const value = last && `${mine} ${last}`;
        const notes = [{ name: 'manifests-after', value }] as const;
        const ended = [{ name: 'manifests-ended', value: now }] as const;
        const isEnd = last === undefined && repositoryId === undefined;
        await writer.run('NoteScrub', {
          ...{ notes: isEnd ? [...notes, ...ended] : notes, manifests: read, runId: run?.id },
        });
        read = 0;
      }
      if (last === undefined) return;
      after = last;
      // Reads of an embedded database do not wait, so others must be let through.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Puts the bytes of a damaged manifest aside, so that pushing it again stores it anew. */
export async function quarantineManifest(
  deps: {
    readonly writer: CommandWriter;
    readonly clock: Clock;
    readonly log: Pick<BlobReaderDeps['log'], 'error'>;
  },
  digest: Digest,
  bytes: Buffer,
): Promise<void> {
  const args = { digest, bytes, now: deps.clock.now() };
  const { quarantined, repositories } = await deps.writer.run('QuarantineManifest', args);
  if (!quarantined) return;
  deps.log.error(
    'the stored bytes of a manifest are damaged: it is gone until it is pushed again',
    {
      ...{ digest, repositories },
    },
  );
}
