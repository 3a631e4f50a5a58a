import type { Digest } from '../oci/digest.ts';
import type { Awaitable } from './awaitable.ts';

/** All of a repository that retention looks at, in pages by key. */
export interface RetentionStore {
  /** Ids of repositories that have rules of retention, or whose projects do, by id. */
  repositories(after: string | undefined, limit: number): Awaitable<string[]>;
  manifests(
    repositoryId: string,
    after: Digest | undefined,
    limit: number,
  ): Awaitable<
    {
      readonly digest: Digest;
      readonly size: number;
      readonly subject: Digest | undefined;
      readonly pushedAt: number;
      readonly usedAt: number | undefined;
    }[]
  >;
  tags(
    repositoryId: string,
    after: string | undefined,
    limit: number,
  ): Awaitable<{ readonly name: string; readonly digest: Digest; readonly setAt: number }[]>;
  /** What manifests name. `size`: of a blob that is stored. */
  parts(
    repositoryId: string,
    after: { readonly digest: Digest; readonly child: Digest; readonly kind: string } | undefined,
    limit: number,
  ): Awaitable<
    {
      readonly digest: Digest;
      readonly child: Digest;
      readonly kind: 'blob' | 'manifest';
      readonly size: number;
    }[]
  >;
  /** What environments run and deployments under way are about to. */
  pinned(repositoryId: string): Awaitable<Digest[]>;
}

export interface ManifestUse {
  readonly repositoryId: string;
  readonly digest: Digest;
  readonly at: number;
}

export interface RetentionCommands {
  /** When manifests were last used, in batches. */
  TouchManifests: { args: { uses: readonly ManifestUse[] }; result: null };
}
