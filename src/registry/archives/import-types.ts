import type { Plan } from '../../config/plans.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { LayerCompression } from '../../oci/media-types.ts';
import type { Project } from '../../ports/projects.ts';
import type { Repository } from '../../ports/repositories.ts';

export interface ImportTarget {
  /** Undefined: there is none of that name yet, and `ensure` makes it. */
  readonly repository: Repository | undefined;
  readonly ensure: () => Promise<Repository>;
  readonly project: Project;
  readonly plan: Plan;
  readonly overwrite: boolean;
  readonly mayDeploy?: boolean | undefined;
  /** Whose upload sessions the blobs come by. */
  readonly subject: string;
  readonly actor: string;
}

export interface ImportOptions {
  /** None: those that the archive gives the image. */
  readonly tags: readonly string[];
  /** Which image, where the archive holds several. */
  readonly name: string | undefined;
  /** How layers that come uncompressed are stored; undefined: gzip, where the project takes it. */
  readonly compression: LayerCompression | undefined;
  progress(step: ImportProgress): void;
  readonly signal: AbortSignal;
}

/** `bytes` of the `size` that one layer (or other blob), the `index`th of `count` from 1, has in the archive. */
export interface ImportProgress {
  readonly index: number;
  readonly count: number;
  readonly bytes: number;
  readonly size: number;
}

export interface Imported {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly tags: readonly string[];
  /** All that was put, the image itself last of those that it names. */
  readonly manifests: readonly Digest[];
  readonly layers: readonly Descriptor[];
  readonly warnings: readonly string[];
}
