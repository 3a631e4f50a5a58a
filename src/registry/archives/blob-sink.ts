import { pipeline, Readable } from 'node:stream';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import { countLimits, type Plan } from '../../config/plans.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { layerTooLarge } from '../../policy/layer-size.ts';
import type { Blobs } from '../../ports/blobs.ts';
import type { Repository } from '../../ports/repositories.ts';
import type { BlobPush } from '../push-blob.ts';

export interface BlobSinkDeps {
  readonly blobs: Blobs;
  readonly blobPush: BlobPush;
}

/** Blobs into one repository, as a push would bring them. */
export class BlobSink {
  readonly #deps: BlobSinkDeps;
  readonly #repository: Repository;
  readonly #subject: string;
  readonly #plan: Plan;

  constructor(deps: BlobSinkDeps, repository: Repository, subject: string, plan: Plan) {
    this.#deps = deps;
    this.#repository = repository;
    this.#subject = subject;
    this.#plan = plan;
  }

  /** Which of `digests` are there already. */
  async held(digests: readonly Digest[]): Promise<ReadonlySet<Digest>> {
    const rows = await this.#deps.blobs.findMany(this.#repository.id, digests);
    return new Set(rows.map(({ digest }) => digest));
  }

  /** Rejects with `digest-mismatch` where `source` is not what `digest` says. */
  async put(digest: Digest, source: Readable): Promise<void> {
    await this.#within(source, async (row) => {
      await this.#deps.blobPush.finish(row, digest, source, this.#options());
    });
  }

  /** Of bytes whose digest is known only at their end. `check` is called then, and may throw: nothing is stored. */
  async putUnnamed(source: Readable, check: () => void): Promise<{ digest: Digest; size: number }> {
    const { blobPush } = this.#deps;
    return this.#within(source, async (row) => {
      await blobPush.append(row, source, this.#options());
      check();
      const { digestSoFar } = await blobPush.find(row.id, this.#repository.id, this.#subject);
      const { size } = await blobPush.finish(row, digestSoFar!, undefined, this.#options());
      return { digest: digestSoFar!, size };
    });
  }

  async #within<T>(
    source: Readable,
    work: (row: Awaited<ReturnType<BlobPush['start']>>) => Promise<T>,
  ): Promise<T> {
    const { blobPush } = this.#deps;
    const row = await blobPush.start(this.#repository.id, this.#subject, 'sha256');
    try {
      return await work(row);
    } catch (error) {
      source.destroy();
      // Nobody else knows of the session.
      await blobPush.cancel(row).catch(() => {});
      throw error;
    }
  }

  #options() {
    const plan = this.#plan;
    return {
      range: undefined,
      limit: plan.layer,
      limits: countLimits(plan),
      tooLarge: () => new RegistryError(layerTooLarge(plan)),
    };
  }
}

/** One thread, no time and no name in the header: the same layer gives the same bytes, and is stored once. */
export function compressed(source: Readable, compression: 'gzip' | 'zstd'): Readable {
  const packer =
    compression === 'gzip'
      ? createGzip({ level: 6, chunkSize: 256 * 1024 })
      : createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  // Whoever reads the end of it hears of failures.
  return pipeline(source, packer, () => {});
}

/** `source`, each chunk of which is seen by `observe` as it is read; what that throws fails the stream. */
export function observed(source: Readable, observe: (chunk: Buffer) => void): Readable {
  async function* chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      observe(chunk);
      yield chunk;
    }
  }
  return Readable.from(chunks(), { objectMode: false });
}
