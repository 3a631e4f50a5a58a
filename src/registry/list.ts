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

/** Referrers carry annotations: a page stays below the 4 MiB that clients take as a manifest. */
const referrersPageBytes = 3 << 20;
const referrersPage = 500;
/** Read at once: each may have annotations as large as a manifest. */
const referrersBatch = 16;

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
    const items: Referrer[] = [];
    let bytes = 0;
    let after = last;
    for (;;) {
      const batch = await this.#manifests.referrers(repositoryId, subject, {
        artifactType,
        last: after,
        limit: referrersBatch,
      });
      for (const referrer of batch) {
        bytes += sizeOf(referrer);
        const full = items.length === referrersPage || bytes > referrersPageBytes;
        // One that is larger than a page by itself still has to be shown.
        if (full && items.length > 0) return { items, more: true };
        items.push(referrer);
      }
      if (batch.length < referrersBatch) return { items, more: false };
      after = batch.at(-1)!.digest;
    }
  }
}

function byParts(a: string, b: string): number {
  // '/' sorts after '-' and '.', which names may hold: compared below all of them it keeps the parts' order.
  const [left, right] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** About how many bytes of the list it takes. */
function sizeOf({ annotations }: Referrer): number {
  return 400 + (annotations ? Buffer.byteLength(JSON.stringify(annotations)) : 0);
}

function toPage<T>(found: readonly T[], n: number): Page<T> {
  return { items: found.slice(0, n), more: n > 0 && found.length > n };
}
