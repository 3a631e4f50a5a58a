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

/** A repository with what is counted of it. */
export interface RepositoryDetails extends Repository {
  readonly imageCount: number;
  readonly tagCount: number;
  /** Bytes of the blobs that it links. */
  readonly storedBytes: number;
  readonly createdAt: number;
  readonly pushedAt: number | undefined;
  readonly pulledAt: number | undefined;
}

export interface RepositoryListing {
  /** `name` in byte order, or the time of the last push (never: before all), then the name. */
  readonly sort: 'name' | 'pushed';
  readonly order: 'asc' | 'desc';
  /** The last one of the page before. */
  readonly after?: { readonly name: string; readonly pushedAt: number } | undefined;
  /** Only those whose name has this in it. */
  readonly namePart?: string | undefined;
  readonly visibility?: Visibility | undefined;
  readonly limit: number;
}

/** Whose repositories a listing may show. */
export interface CatalogScope {
  readonly teamId: string;
  /** Project ids, or undefined for all projects of the team. */
  readonly projectIds?: readonly string[] | undefined;
}

export interface Repositories {
  find(path: RepositoryPath): Awaitable<Repository | undefined>;
  details(id: string): Awaitable<RepositoryDetails | undefined>;
  list(projectId: string, listing: RepositoryListing): Awaitable<RepositoryDetails[]>;
  /** How many repositories the project holds. */
  count(projectId: string): Awaitable<number>;
  hasPublic(projectId: string): Awaitable<boolean>;
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
