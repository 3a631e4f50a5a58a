import type { Plan } from '../../config/plans.ts';
import { refuse } from '../../oci/errors.ts';
import type { Archive } from './archive.ts';
import { createImageImport, type ImportDeps } from './import-image.ts';
import { archiveTooLarge, receiveArchive } from './receive-archive.ts';
import { type Passed, Spool } from './spool.ts';

/** Archives on disk at one time: each holds a few MB of memory, and what it is long on disk. */
const mostAtOnce = 16;

/** What a request is given to work with: one archive, gone when the request is. */
export interface Intake {
  /** Rejects as `receiveArchive` does. */
  receive(
    source: AsyncIterable<Buffer>,
    plan: Plan,
    received: (bytes: number) => void,
  ): Promise<Archive>;
  close(): Promise<void>;
}

/** Takes image archives in: received to disk, then stored as a push would store what they hold. */
export class ImageIntake {
  readonly import: ReturnType<typeof createImageImport>;
  readonly #spool: Spool;

  private constructor(spool: Spool, deps: ImportDeps) {
    this.#spool = spool;
    this.import = createImageImport(deps);
  }

  /** `folder`: of this process alone; what it holds is removed. */
  static async open(
    folder: string,
    deps: ImportDeps & { readonly passed: Passed },
  ): Promise<ImageIntake> {
    return new ImageIntake(await Spool.open(folder, deps.passed), deps);
  }

  /**
   * Room for an archive of `expected` bytes as it is sent (0: unknown). Rejects with `image-too-large`,
   * `storage-full`, or `unavailable` where too many are under way.
   */
  async begin(expected: number, plan: Plan): Promise<Intake> {
    if (expected > plan.image) throw archiveTooLarge(plan);
    if (this.#spool.size >= mostAtOnce) {
      throw refuse(
        'unavailable',
        'Too many archives are being taken in.',
        'Try again in a moment.',
        {
          retryAfter: 30,
        },
      );
    }
    const file = await this.#spool.create(expected);
    return {
      receive: (source, to, received) => receiveArchive(source, file, to, received),
      close: () => file.remove(),
    };
  }

  close(): Promise<void> {
    return this.#spool.close();
  }
}
