import type { Digest } from '../oci/digest.ts';
import type { RepositoryPath } from '../oci/reference.ts';
import type { Manifests, Referrer } from '../ports/manifests.ts';
import type { CatalogScope, Repositories } from '../ports/repositories.ts';
import type { Tags } from '../ports/tags.ts';
import type { Teams } from '../ports/teams.ts';

/** A page of a list, and whether more follows. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly more: boolean;
}

/** The most that one page holds, whatever was asked for. */
export const largestPage = 1000;

/** Referrers carry annotations: pages stay below what clients take as a manifest. */
const referrersPage = 500;

export class Listing {
  readonly #tags: Tags;
  readonly #manifests: Manifests;
  readonly #repositories: Repositories;
  readonly #teams: Teams;

  constructor(deps: {
    tags: Tags;
    manifests: Manifests;
    repositories: Repositories;
    teams: Teams;
  }) {
    this.#tags = deps.tags;
    this.#manifests = deps.manifests;
    this.#repositories = deps.repositories;
    this.#teams = deps.teams;
  }

  async tags(repositoryId: string, last: string | undefined, n: number): Promise<Page<string>> {
    return toPage(await this.#tags.list(repositoryId, last, n + 1), n);
  }

  /** Full names over all `scopes`: by team, project and repository, each in byte order. */
  async catalog(
    scopes: readonly CatalogScope[],
    last: RepositoryPath | undefined,
    n: number,
  ): Promise<Page<string>> {
    const byTeam = new Map<string, Set<string>>();
    for (const scope of scopes) {
      const slug = await this.#slugOf(scope.teamId);
      if (slug === undefined || (last && slug < last.team)) continue;
      const after = last?.team === slug ? last : undefined;
      const names = byTeam.get(slug) ?? new Set();
      for (const name of await this.#repositories.listNames(scope, after, n + 1)) names.add(name);
      byTeam.set(slug, names);
    }
    const found = [...byTeam.values()].flatMap((names) => [...names]).sort(byParts);
    return toPage(found, n);
  }

  async #slugOf(teamId: string): Promise<string | undefined> {
    return (await this.#teams.findById(teamId))?.slug;
  }

  async referrers(
    repositoryId: string,
    subject: Digest,
    artifactType: string | undefined,
    last: string | undefined,
  ): Promise<Page<Referrer>> {
    const limit = referrersPage + 1;
    const found = await this.#manifests.referrers(repositoryId, subject, {
      artifactType,
      last,
      limit,
    });
    return toPage(found, referrersPage);
  }
}

function byParts(a: string, b: string): number {
  // '/' sorts after '-' and '.', which names may hold: compared below all of them it keeps the parts' order.
  const [left, right] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')];
  return left < right ? -1 : left > right ? 1 : 0;
}

function toPage<T>(found: readonly T[], n: number): Page<T> {
  return { items: found.slice(0, n), more: n > 0 && found.length > n };
}
