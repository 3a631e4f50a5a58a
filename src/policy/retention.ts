import type { Digest } from '../oci/digest.ts';
import { matchesTag, matchingPattern } from '../oci/tag-pattern.ts';
import type { EffectiveRules, RetentionRule } from '../ports/image-rules.ts';

const day = 24 * 3_600_000;
/** What is pushed piece by piece has no tag yet, nor what names it. */
const graceMs = day;

/** A manifest as rules see it. Times are UTC milliseconds. */
export interface RetentionSubject {
  readonly digest: Digest;
  readonly pushedAt: number;
  /** Last pulled, asked for by digest, or pushed again. */
  readonly usedAt: number | undefined;
  readonly subject: Digest | undefined;
  /** Manifests that it names. */
  readonly children: readonly Digest[];
  readonly tags: readonly { readonly name: string; readonly setAt: number }[];
}

export interface RetentionFacts {
  readonly manifests: readonly RetentionSubject[];
  readonly rules: Pick<EffectiveRules, 'immutableTags' | 'tagDeletion' | 'retention'>;
  /** What deployments run, or are about to. */
  readonly pinned: ReadonlySet<Digest>;
  readonly now: number;
}

/** Why a manifest stays, or goes (`expired`, `with-index`, `with-subject`). */
export type RetentionReason =
  | 'deployed'
  | 'immutable-tag'
  | 'tag-deletion-off'
  | 'no-rule'
  | 'newest'
  | 'pushed'
  | 'pulled'
  | 'recent'
  | 'part-of'
  | 'refers-to'
  | 'expired'
  | 'with-index'
  | 'with-subject';

export interface RetentionVerdict {
  readonly digest: Digest;
  readonly keep: boolean;
  readonly reason: RetentionReason;
  /** The tag or the digest that the reason is about. */
  readonly by: string | undefined;
}

type Why = Pick<RetentionVerdict, 'reason' | 'by'>;

/**
 * What rules keep and what they let go: pure. A tag that no rule is about keeps its manifest. What a kept manifest
 * names is kept, and what refers to it; what deployments run, immutable tags and what is being pushed are kept
 * whatever the rules say. In the order given.
 */
export function decideRetention(facts: RetentionFacts): RetentionVerdict[] {
  const graph = graphOf(facts.manifests);
  const kept = new Map<Digest, Why>();
  const newest = newestOf(facts, graph);
  const queue: RetentionSubject[] = [];
  const keep = (manifest: RetentionSubject | undefined, why: Why) => {
    if (!manifest || kept.has(manifest.digest)) return;
    kept.set(manifest.digest, why);
    queue.push(manifest);
  };
  for (const manifest of facts.manifests) {
    const why = ownReason(manifest, facts, graph, newest);
    if (why) keep(manifest, why);
  }
  let walked = 0;
  const keepWhatBelongs = () => {
    for (; walked < queue.length; walked++) {
      const by = queue[walked]!.digest;
      for (const child of queue[walked]!.children) {
        keep(graph.byDigest.get(child), { reason: 'part-of', by });
      }
      for (const one of graph.referrers.get(by) ?? []) keep(one, { reason: 'refers-to', by });
    }
  };
  // Only what expired takes others with it: those that merely belong to each other stay.
  for (let before = -1; before < kept.size; ) {
    keepWhatBelongs();
    before = kept.size;
    const going = expiring(facts.manifests, kept, graph);
    for (const manifest of facts.manifests) {
      if (!going.has(manifest.digest)) keep(manifest, { reason: 'no-rule', by: undefined });
    }
  }
  return facts.manifests.map((manifest) => {
    const why = kept.get(manifest.digest);
    const { digest } = manifest;
    return why ? { digest, keep: true, ...why } : { digest, keep: false, ...goes(manifest, graph) };
  });
}

/** What goes for itself, with all that belongs to it. */
function expiring(
  manifests: readonly RetentionSubject[],
  kept: ReadonlyMap<Digest, Why>,
  graph: Graph,
): ReadonlySet<Digest> {
  const going = new Set<Digest>();
  const add = (digest: Digest) => {
    if (!kept.has(digest)) going.add(digest);
  };
  for (const one of manifests) if (goes(one, graph).reason === 'expired') add(one.digest);
  // Grows while it is walked.
  for (const digest of going) {
    for (const child of graph.byDigest.get(digest)?.children ?? []) add(child);
    for (const one of graph.referrers.get(digest) ?? []) add(one.digest);
  }
  return going;
}

interface Graph {
  readonly byDigest: ReadonlyMap<Digest, RetentionSubject>;
  readonly referrers: ReadonlyMap<Digest, readonly RetentionSubject[]>;
  readonly parents: ReadonlyMap<Digest, Digest>;
  /** Of a manifest, the one in the repository that it refers to. */
  readonly subjects: ReadonlyMap<Digest, Digest>;
}

function graphOf(manifests: readonly RetentionSubject[]): Graph {
  const byDigest = new Map(manifests.map((one) => [one.digest, one]));
  const referrers = new Map<Digest, RetentionSubject[]>();
  const parents = new Map<Digest, Digest>();
  const subjects = new Map<Digest, Digest>();
  for (const manifest of manifests) {
    const { digest } = manifest;
    for (const child of manifest.children) if (child !== digest) parents.set(child, digest);
    const named = [manifest.subject, ...manifest.tags.map(({ name }) => subjectOfTag(name))];
    for (const subject of named) {
      if (subject === undefined || subject === digest || !byDigest.has(subject)) continue;
      subjects.set(digest, subject);
      const list = referrers.get(subject);
      if (list) list.push(manifest);
      else referrers.set(subject, [manifest]);
    }
  }
  return { byDigest, referrers, parents, subjects };
}

/** `sha256-<hex>.sig` and the like: how signatures are tied to images where there are no referrers. */
function subjectOfTag(name: string): Digest | undefined {
  const found = /^(sha256|sha512)-([0-9a-f]{64}|[0-9a-f]{128})(\.[a-z]+)?$/.exec(name);
  return found ? (`${found[1]}:${found[2]}` as Digest) : undefined;
}

const followed = ({ byDigest }: Graph, name: string): boolean => {
  const subject = subjectOfTag(name);
  return subject !== undefined && byDigest.has(subject);
};

/** No tag, and nothing in the repository that it belongs to. */
function isLoose({ digest, tags }: RetentionSubject, graph: Graph): boolean {
  return tags.length === 0 && !graph.parents.has(digest) && !graph.subjects.has(digest);
}

/** By rule: the digests among its newest. */
function newestOf(
  { manifests, rules }: RetentionFacts,
  graph: Graph,
): ReadonlyMap<RetentionRule, ReadonlySet<Digest>> {
  const found = new Map<RetentionRule, ReadonlySet<Digest>>();
  for (const rule of rules.retention ?? []) {
    if (!rule.keepNewest) continue;
    const dated: { digest: Digest; at: number }[] = [];
    for (const manifest of manifests) {
      const at = dateFor(rule, manifest, graph);
      if (at !== undefined) dated.push({ digest: manifest.digest, at });
    }
    dated.sort((a, b) => b.at - a.at || (a.digest < b.digest ? -1 : 1));
    found.set(rule, new Set(dated.slice(0, rule.keepNewest).map(({ digest }) => digest)));
  }
  return found;
}

/** When what the rule is about was set or pushed; undefined: it is not about this manifest. */
function dateFor(rule: RetentionRule, manifest: RetentionSubject, graph: Graph) {
  const { tags } = rule;
  if (!tags) return isLoose(manifest, graph) ? manifest.pushedAt : undefined;
  let latest: number | undefined;
  for (const { name, setAt } of manifest.tags) {
    if (followed(graph, name) || matchingPattern(tags, name) === undefined) continue;
    latest = Math.max(latest ?? setAt, setAt);
  }
  return latest;
}

function ownReason(
  manifest: RetentionSubject,
  { rules, pinned, now }: RetentionFacts,
  graph: Graph,
  newest: ReadonlyMap<RetentionRule, ReadonlySet<Digest>>,
): Why | undefined {
  const { digest, tags, pushedAt, usedAt = 0 } = manifest;
  if (pinned.has(digest)) return { reason: 'deployed', by: undefined };
  const immutable = tags.find(({ name }) => matchingPattern(rules.immutableTags, name));
  if (immutable) return { reason: 'immutable-tag', by: immutable.name };
  const [first] = tags;
  if (first && !rules.tagDeletion) return { reason: 'tag-deletion-off', by: first.name };
  if (Math.max(pushedAt, usedAt) > now - graceMs && tags.length === 0) {
    return { reason: 'recent', by: undefined };
  }
  const retention = rules.retention ?? [];
  const judge = (about: readonly RetentionRule[], at: number, by: string | undefined) => {
    if (about.length === 0) return { reason: 'no-rule', by } as const;
    for (const rule of about) {
      const { keepPushedDays = 0, keepPulledDays = 0 } = rule;
      if (newest.get(rule)?.has(digest)) return { reason: 'newest', by } as const;
      if (at > now - keepPushedDays * day) return { reason: 'pushed', by } as const;
      if (keepPulledDays && usedAt > now - keepPulledDays * day) {
        return { reason: 'pulled', by } as const;
      }
    }
    return undefined;
  };
  for (const { name, setAt } of tags) {
    if (followed(graph, name)) continue;
    const about = retention.filter((rule) => rule.tags?.some((one) => matchesTag(one, name)));
    const why = judge(about, setAt, name);
    if (why) return why;
  }
  if (!isLoose(manifest, graph)) return undefined;
  return judge(
    retention.filter((rule) => !rule.tags),
    pushedAt,
    undefined,
  );
}

function goes({ digest, tags }: RetentionSubject, { parents, subjects }: Graph): Why {
  if (tags.length === 0 && parents.has(digest))
    return { reason: 'with-index', by: parents.get(digest) };
  if (subjects.has(digest)) return { reason: 'with-subject', by: subjects.get(digest) };
  return { reason: 'expired', by: tags[0]?.name };
}

/**
 * What goes, in an order in which each can: an index before what it names, and an image before what refers to it.
 * What goes for itself (`expired`) is followed by what goes with it.
 */
export function removalOrder(
  manifests: readonly RetentionSubject[],
  verdicts: readonly RetentionVerdict[],
): RetentionSubject[] {
  const byDigest = new Map(manifests.map((one) => [one.digest, one]));
  const going = verdicts.filter((one) => !one.keep);
  const wanted = new Set(going.map((one) => one.digest));
  const withSubject = Map.groupBy(
    going.filter(({ reason }) => reason === 'with-subject'),
    ({ by }) => by,
  );
  const done: RetentionSubject[] = [];
  const seen = new Set<Digest>();
  // After what goes with it; turned round at the end.
  const visit = (digest: Digest): void => {
    const manifest = byDigest.get(digest);
    if (!manifest || seen.has(digest) || !wanted.has(digest)) return;
    seen.add(digest);
    for (const one of withSubject.get(digest) ?? []) visit(one.digest);
    for (const child of manifest.children) visit(child);
    done.push(manifest);
  };
  for (const { digest, reason } of going) if (reason === 'expired') visit(digest);
  for (const { digest } of going) visit(digest);
  const order: RetentionSubject[] = [];
  const parents = new Map<Digest, RetentionSubject[]>();
  for (const one of done) {
    for (const child of one.children) {
      if (child !== one.digest) parents.set(child, [...(parents.get(child) ?? []), one]);
    }
  }
  // An index that refers to what it names goes first all the same. Digests make no circles.
  const emitted = new Set<Digest>();
  const emit = (one: RetentionSubject): void => {
    if (emitted.has(one.digest)) return;
    emitted.add(one.digest);
    for (const parent of parents.get(one.digest) ?? []) emit(parent);
    order.push(one);
  };
  for (const one of done.reverse()) emit(one);
  return order;
}
