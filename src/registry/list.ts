import type { Digest } from '../oci/digest.ts';
import type { Manifests, Referrer } from '../ports/manifests.ts';
import type { CatalogScope, Repositories } from '../ports/repositories.ts';
import type { Tags } from '../ports/tags.ts';

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

  constructor(deps: { tags: Tags; manifests: Manifests; repositories: Repositories }) {
    this.#tags = deps.tags;
    this.#manifests = deps.manifests;
    this.#repositories = deps.repositories;
  }

  async tags(repositoryId: string, last: string | undefined, n: number): Promise<Page<string>> {
    return toPage(await this.#tags.list(repositoryId, last, n + 1), n);
  }

  /** Full names over all `scopes`, in byte order. */
  async catalog(
    scopes: readonly CatalogScope[],
    last: string | undefined,
    n: number,
  ): Promise<Page<string>> {
    const names = new Set<string>();
    for (const scope of scopes) {
      for (const name of await this.#repositories.listNames(scope, last, n + 1)) names.add(name);
    }
    return toPage([...names].sort(), n);
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

function toPage<T>(found: readonly T[], n: number): Page<T> {
  return { items: found.slice(0, n), more: n > 0 && found.length > n };
}
