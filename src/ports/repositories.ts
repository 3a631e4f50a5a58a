import type { RepositoryPath } from '../oci/reference.ts';
import type { Awaitable } from './awaitable.ts';

export type Visibility = 'private' | 'public';

export interface Repository {
  readonly id: string;
  readonly teamId: string;
  readonly projectId: string;
  readonly name: string;
  readonly visibility: Visibility;
}

/** Whose repositories a listing may show. */
export interface CatalogScope {
  readonly teamId: string;
  /** Project ids, or undefined for all projects of the team. */
  readonly projectIds?: readonly string[] | undefined;
}

export interface Repositories {
  find(path: RepositoryPath): Awaitable<Repository | undefined>;
  /**
   * Full names (`team/project/repository`) of the repositories in `scope`, by project and then by name
   * in byte order, those after `last`'s project and name, at most `limit`.
   */
  listNames(
    scope: CatalogScope,
    last: Pick<RepositoryPath, 'project' | 'repository'> | undefined,
    limit: number,
  ): Awaitable<string[]>;
}
