import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  BlobKeepers,
  CollectionPlanner,
  CollectionPlanPage,
  CollectionPlanStore,
  CollectionRecord,
  CollectionSummary,
  DeletedPart,
  PlannedNode,
  PlannedRoot,
  RepositoryPlan,
} from '../ports/collection-plan.ts';

/** Rows of one read. */
const page = 1_000;
/** Repositories that are looked at for one page of the plan. */
const mostLooked = 2_000;
const runsShown = 20;

/** Tells what collections would free, by repository, with the trees of deleted images. Changes nothing. */
export class CollectionPlans implements CollectionPlanner {
  readonly #store: CollectionPlanStore;
  readonly #clock: Clock;

  constructor(store: CollectionPlanStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async plan(args: Parameters<CollectionPlanner['plan']>[0]): Promise<CollectionPlanPage> {
    const { limit, roots, repositoryId } = args;
    const plans: RepositoryPlan[] = [];
    let { after } = args;
    if (repositoryId !== undefined) {
      const one = await this.#store.repository(repositoryId);
      const plan = one && (await this.#of(one, roots));
      return { repositories: plan ? [plan] : [], next: undefined };
    }
    for (let looked = 0; looked < mostLooked; ) {
      const found = await this.#store.repositories(after, Math.min(page, mostLooked - looked));
      for (const one of found) {
        after = one.id;
        looked += 1;
        const plan = await this.#of(one, roots);
        if (plan) plans.push(plan);
        if (plans.length === limit) return { repositories: plans, next: after };
        await letOthersThrough();
      }
      if (found.length === 0) return { repositories: plans, next: undefined };
    }
    return { repositories: plans, next: after };
  }

  async summary(args: Parameters<CollectionPlanner['summary']>[0]): Promise<CollectionSummary> {
    const { repositories: most, roots, repositoryId } = args;
    const totals = { repositories: 0, roots: 0, blobs: 0, bytes: 0, loose: { blobs: 0, bytes: 0 } };
    let top: RepositoryPlan[] = [];
    for (let after: string | undefined; ; ) {
      const found = await this.plan({ after, limit: 100, roots, repositoryId });
      for (const plan of found.repositories) {
        totals.repositories += 1;
        totals.roots += plan.rootCount;
        totals.blobs += plan.blobs;
        totals.bytes += plan.bytes;
        totals.loose.blobs += plan.loose.blobs;
        totals.loose.bytes += plan.loose.bytes;
      }
      top = [...top, ...found.repositories].sort((a, b) => b.bytes - a.bytes).slice(0, most);
      if (found.next === undefined) return { totals, repositories: top };
      after = found.next;
    }
  }

  async runs(): Promise<CollectionRecord[]> {
    return this.#store.runs(runsShown);
  }

  /** Undefined: nothing of it would go. */
  async #of(
    { id, name }: { id: string; name: string },
    shown: number,
  ): Promise<RepositoryPlan | undefined> {
    const deleted = await this.#deleted(id);
    const { digests, ...looseTotals } = await this.#loose(id);
    if (deleted.length === 0 && digests === 0) return undefined;
    const keepers = await this.#keepers(
      id,
      deleted.flatMap(({ blobs }) => blobs),
    );
    const { roots, blobs, bytes } = planRoots(deleted, keepers, shown);
    return {
      ...{ id, repository: name, rootCount: roots.count, roots: roots.shown },
      blobs: blobs + looseTotals.blobs,
      bytes: bytes + looseTotals.bytes,
      loose: looseTotals,
      links: digests - looseTotals.blobs,
    };
  }

  async #deleted(id: string): Promise<DeletedPart[]> {
    const all: DeletedPart[] = [];
    for (;;) {
      const rows = await this.#store.deleted(id, all.at(-1)?.digest, page);
      all.push(...rows);
      if (rows.length < page) return all;
      await letOthersThrough();
    }
  }

  /** Counted page by page, since a repository may link any number. */
  async #loose(id: string): Promise<{ digests: number; blobs: number; bytes: number }> {
    const sums = { digests: 0, blobs: 0, bytes: 0 };
    for (let after: Digest | undefined; ; ) {
      const { last, digests } = await this.#store.loose(id, after, this.#clock.now(), page);
      if (digests.length > 0) {
        for (const { size, kept } of await this.#store.keepers(id, digests)) {
          sums.digests += 1;
          if (kept) continue;
          sums.blobs += 1;
          sums.bytes += size;
        }
      }
      if (last === undefined) return sums;
      after = last;
      await letOthersThrough();
    }
  }

  async #keepers(id: string, digests: readonly Digest[]): Promise<Map<Digest, BlobKeepers>> {
    const unique = [...new Set(digests)];
    const found = new Map<Digest, BlobKeepers>();
    for (let at = 0; at < unique.length; at += page) {
      const rows = await this.#store.keepers(id, unique.slice(at, at + page));
      for (const row of rows) found.set(row.digest, row);
      await letOthersThrough();
    }
    return found;
  }
}

/** The trees of what was deleted, and what each frees: pure. */
export function planRoots(
  deleted: readonly DeletedPart[],
  keepers: ReadonlyMap<Digest, BlobKeepers>,
  shown: number,
): { roots: { shown: PlannedRoot[]; count: number }; blobs: number; bytes: number } {
  const byDigest = new Map(deleted.map((one) => [one.digest, one]));
  const referrers = Map.groupBy(
    deleted.filter(({ subject }) => subject !== undefined && byDigest.has(subject)),
    ({ subject }) => subject!,
  );
  const named = new Set(deleted.flatMap(({ manifests }) => manifests));
  const tops = deleted.filter(
    ({ digest, subject }) =>
      !named.has(digest) && !(subject !== undefined && byDigest.has(subject)),
  );
  const sizeOf = (blob: Digest): number => {
    const found = keepers.get(blob);
    return found && !found.kept ? found.size : 0;
  };
  const below = (one: DeletedPart): DeletedPart[] => [
    ...one.manifests.flatMap((child) => byDigest.get(child) ?? []),
    ...(referrers.get(one.digest) ?? []),
  ];
  const trees = tops.map((top) => ({ top, parts: reachable(top, below) }));
  // Of each digest, in how many trees it is: what is in one alone goes with it.
  const uses = new Map<Digest, number>();
  const sizes = new Map<Digest, number>();
  const contents = trees.map(({ parts }) => {
    const own = new Map<Digest, number>();
    for (const part of parts) {
      own.set(part.digest, part.size);
      for (const blob of part.blobs) if (sizeOf(blob) > 0) own.set(blob, sizeOf(blob));
    }
    for (const [digest, size] of own) {
      uses.set(digest, (uses.get(digest) ?? 0) + 1);
      sizes.set(digest, size);
    }
    return own;
  });
  const weighed = trees.map(({ top, parts }, at) => {
    let [bytes, shared] = [0, 0];
    for (const [digest, size] of contents[at]!) {
      if (uses.get(digest) === 1) bytes += size;
      else shared += size;
    }
    return { top, parts, bytes, shared };
  });
  weighed.sort((a, b) => b.bytes - a.bytes || (a.top.digest < b.top.digest ? -1 : 1));
  const roots = weighed.slice(0, shown).map(({ top, parts, bytes, shared }): PlannedRoot => {
    const nodes = nodesOf(top, byDigest, referrers, sizeOf);
    return {
      ...{ digest: top.digest, tags: top.tags, bytes, shared, nodes },
      goesAt: Math.max(...[...parts].map(({ expiresAt }) => expiresAt)),
      more: Math.max(0, parts.size - new Set(nodes.map(({ digest }) => digest)).size),
    };
  });
  let [blobs, bytes] = [0, 0];
  for (const [digest, size] of sizes) {
    bytes += size;
    if (!byDigest.has(digest)) blobs += 1;
  }
  return { roots: { shown: roots, count: tops.length }, blobs, bytes };
}

function reachable(
  top: DeletedPart,
  below: (one: DeletedPart) => DeletedPart[],
): ReadonlySet<DeletedPart> {
  const found = new Set([top]);
  // A set is walked on while it grows.
  for (const one of found) for (const next of below(one)) found.add(next);
  return found;
}

/** Of one tree, so that an answer stays bounded. */
const mostNodes = 200;

function nodesOf(
  top: DeletedPart,
  byDigest: ReadonlyMap<Digest, DeletedPart>,
  referrers: ReadonlyMap<Digest, readonly DeletedPart[]>,
  sizeOf: (blob: Digest) => number,
): PlannedNode[] {
  const nodes: PlannedNode[] = [];
  const add = (part: DeletedPart, relation: PlannedNode['relation'], depth: number): void => {
    if (nodes.length >= mostNodes) return;
    const { digest, tags, mediaType, artifactType, platform } = part;
    const blobs = new Set(part.blobs);
    const bytes = [...blobs].reduce((sum, blob) => sum + sizeOf(blob), part.size);
    nodes.push({ digest, relation, depth, tags, mediaType, artifactType, platform, bytes });
    for (const child of part.manifests) {
      const found = byDigest.get(child);
      if (found) add(found, 'child', depth + 1);
    }
    for (const one of referrers.get(digest) ?? []) add(one, 'referrer', depth + 1);
  };
  add(top, 'root', 0);
  return nodes;
}

/** Reads of an embedded database do not wait. */
function letOthersThrough(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
