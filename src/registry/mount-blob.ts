import type { Digest } from '../oci/digest.ts';
import type { BlobRow, Blobs } from '../ports/blobs.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter, CountLimits } from '../ports/commands.ts';
import type { CatalogScope, Repository } from '../ports/repositories.ts';

/** Where a blob is linked, and what its plan lets its team store. */
export interface MountTarget {
  readonly id: string;
  readonly limits?: CountLimits | undefined;
}

/** Links blobs that are stored already into another repository, so that their bytes need not be sent. */
export class BlobMount {
  readonly #blobs: Blobs;
  readonly #writer: CommandWriter;
  readonly #clock: Clock;
  readonly #leaseMs: number | undefined;

  /** `leaseMs`: how long a blob is kept for the manifest that is to name it; the usual time unless given. */
  constructor(deps: { blobs: Blobs; writer: CommandWriter; clock: Clock; leaseMs?: number }) {
    this.#blobs = deps.blobs;
    this.#writer = deps.writer;
    this.#clock = deps.clock;
    this.#leaseMs = deps.leaseMs;
  }

  /** From a repository that the caller may pull from. Undefined: it does not link the blob. */
  async from(
    source: Repository,
    target: MountTarget,
    digest: Digest,
  ): Promise<BlobRow | undefined> {
    const blob = await this.#blobs.find(source.id, digest);
    return blob && this.#link(target, digest);
  }

  /** From any repository in `scopes`, or any public one. Undefined: none links the blob. */
  async fromAny(
    scopes: readonly CatalogScope[],
    target: MountTarget,
    digest: Digest,
  ): Promise<BlobRow | undefined> {
    for (const scope of scopes.length > 0 ? scopes : [undefined]) {
      if (await this.#blobs.findReadable(digest, scope)) return this.#link(target, digest);
    }
    return undefined;
  }

  #link(target: MountTarget, digest: Digest): Promise<BlobRow | undefined> {
    return this.#writer.run('LinkBlob', {
      repositoryId: target.id,
      digest,
      ...{ limits: target.limits, leaseMs: this.#leaseMs },
      now: this.#clock.now(),
    });
  }
}
