import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import {
  decideRetention,
  type RetentionSubject,
  type RetentionVerdict,
  removalOrder,
} from '../policy/retention.ts';
import type { Awaitable } from '../ports/awaitable.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import { effectiveRules, type ImageRuleStore } from '../ports/image-rules.ts';
import type { RetentionStore } from '../ports/retention.ts';

const page = 1_000;
/** Manifests of one run. */
const mostAtOnce = 1_000;
const firstAfterMs = 10 * 60_000;

export interface RetainerDeps {
  readonly retention: RetentionStore;
  readonly imageRules: ImageRuleStore;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  /** Milliseconds for which what goes can be restored; 0: it cannot. */
  readonly undeleteForMs: number;
  /** Writes down what this process knows of last uses. */
  readonly flushUses: () => Promise<void>;
  /** False: another replica does it when it is time; who asks for a run gets one anyway. */
  readonly leads?: () => boolean;
  readonly failed: (cause: unknown) => void;
}

export interface RetentionItem extends RetentionVerdict {
  readonly tags: readonly string[];
  /** Of its own and of blobs that nothing kept names; 0 where it stays. Blobs that two name count at both. */
  readonly bytes: number;
}

export interface RetentionRun {
  readonly dryRun: boolean;
  /** What goes, or went, first. */
  readonly items: readonly RetentionItem[];
  readonly kept: number;
  readonly removed: number;
  /** Of all that goes, each blob once: freed when it can be restored no more. */
  readonly bytes: number;
  /** What was left for another run. */
  readonly left: number;
}

interface Plan {
  readonly items: readonly RetentionItem[];
  readonly order: readonly RetentionSubject[];
  /** Of each digest, blobs that nothing kept names. */
  readonly blobs: ReadonlyMap<Digest, ReadonlyMap<Digest, number>>;
  readonly sizes: ReadonlyMap<Digest, number>;
}

/** Lets go what the rules of repositories keep no longer: by hand, and by itself now and then. */
export class Retainer {
  readonly #deps: RetainerDeps;
  readonly #timers: NodeJS.Timeout[] = [];
  #running: Promise<void> | undefined;
  #stopped = false;

  /** `everyMs` undefined: only when it is asked to. */
  constructor(deps: RetainerDeps, everyMs: number | undefined) {
    this.#deps = deps;
    if (everyMs === undefined) return;
    const wake = () => {
      if (deps.leads?.() !== false) this.runAll().catch(deps.failed);
    };
    // Soon after a start, too: who restarts it every day would never see a run.
    this.#timers.push(setTimeout(wake, Math.min(firstAfterMs, everyMs)).unref());
    this.#timers.push(setInterval(wake, everyMs).unref());
  }

  async dryRun(repositoryId: string): Promise<RetentionRun> {
    const plan = await this.#plan(repositoryId);
    return runOf(plan, new Set(plan.order.map(({ digest }) => digest)), { dryRun: true, left: 0 });
  }

  /** About 1,000 manifests go at most; `left` says how many more would. */
  async run(repositoryId: string): Promise<RetentionRun> {
    const { writer, clock, undeleteForMs } = this.#deps;
    const plan = await this.#plan(repositoryId);
    const gone = new Set<Digest>();
    const items = new Map(plan.items.map((item) => [item.digest as string, item]));
    const stayed = new Set<string>();
    let seen = 0;
    for (const { digest, tags } of plan.order) {
      const { reason, by = '' } = items.get(digest)!;
      // What goes with another goes in the same run: by itself, no rule might be about it.
      if (reason === 'expired' && (seen >= mostAtOnce || this.#stopped)) break;
      seen += 1;
      if (reason === 'with-subject' && stayed.has(by)) {
        stayed.add(digest);
        continue;
      }
      const now = clock.now();
      const restorableUntil = undeleteForMs > 0 ? now + undeleteForMs : undefined;
      const onlyWithTags = tags.map(({ name }) => name);
      try {
        await writer.run('DeleteManifest', {
          ...{ repositoryId, digest, now, restorableUntil, onlyWithTags, actor: 'retention' },
        });
        gone.add(digest);
      } catch (error) {
        // It was tagged, named or deployed meanwhile, or is gone: the next run looks again.
        if (!(error instanceof RegistryError) || error.kind === 'unavailable') throw error;
        stayed.add(digest);
      }
    }
    return runOf(plan, gone, { dryRun: false, left: plan.order.length - seen });
  }

  /** Every repository that has rules; one at a time, and one such run at a time. */
  runAll(): Promise<void> {
    this.#running ??= this.#runAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#running?.catch(() => {});
  }

  async #runAll(): Promise<void> {
    for (let after: string | undefined; !this.#stopped; ) {
      const ids = await this.#deps.retention.repositories(after, page);
      for (const id of ids) {
        for (let left = 1; left > 0 && !this.#stopped; ) {
          const done = await this.run(id).catch(this.#deps.failed);
          left = done && done.removed > 0 ? done.left : 0;
        }
      }
      after = ids.at(-1);
      if (ids.length < page) return;
    }
  }

  async #plan(repositoryId: string): Promise<Plan> {
    const { retention, imageRules, clock, flushUses } = this.#deps;
    await flushUses();
    const { own, ofProject } = await imageRules.ofRepository(repositoryId);
    const rules = effectiveRules(own, ofProject);
    type Rows<K extends 'manifests' | 'tags' | 'parts'> = Awaited<ReturnType<RetentionStore[K]>>;
    const rows = await all<Rows<'manifests'>[number]>((last) =>
      retention.manifests(repositoryId, last?.digest, page),
    );
    // One string for each digest, however many rows name it: tags come by the million.
    const known = new Map(rows.map(({ digest }) => [digest, digest]));
    const shared = (digest: Digest) => {
      const first = known.get(digest) ?? digest;
      known.set(first, first);
      return first;
    };
    const tags = new Map<Digest, { readonly name: string; readonly setAt: number }[]>();
    await each<Rows<'tags'>[number]>(
      (last) => retention.tags(repositoryId, last?.name, page),
      ({ digest, name, setAt }) => add(tags, digest, { name, setAt }),
    );
    const parts = new Map<Digest, Omit<Rows<'parts'>[number], 'digest'>[]>();
    await each<Rows<'parts'>[number]>(
      (last) => retention.parts(repositoryId, last, page),
      ({ digest, child, kind, size }) =>
        add(parts, shared(digest), { child: shared(child), kind, size }),
    );
    const pinned = new Set(await retention.pinned(repositoryId));
    const manifests = rows.map((row) => ({
      ...row,
      tags: tags.get(row.digest) ?? [],
      children: (parts.get(row.digest) ?? [])
        .filter(({ kind }) => kind === 'manifest')
        .map(({ child }) => child),
    }));
    const verdicts = decideRetention({ manifests, rules, pinned, now: clock.now() });
    const needed = new Set<Digest>();
    for (const { digest, keep } of verdicts) {
      if (keep) for (const { child } of parts.get(digest) ?? []) needed.add(child);
    }
    const sizes = new Map(rows.map(({ digest, size }) => [digest, size]));
    const blobs = new Map<Digest, Map<Digest, number>>();
    const items = verdicts.map((verdict): RetentionItem => {
      const { digest, keep } = verdict;
      const names = (tags.get(digest) ?? []).map(({ name }) => name);
      if (keep) return { ...verdict, tags: names, bytes: 0 };
      const loose = (parts.get(digest) ?? []).filter(
        ({ kind, child }) => kind === 'blob' && !needed.has(child),
      );
      const own = new Map(loose.map(({ child, size }) => [child, size]));
      blobs.set(digest, own);
      const bytes = [...own.values()].reduce((sum, size) => sum + size, sizes.get(digest) ?? 0);
      return { ...verdict, tags: names, bytes };
    });
    return { items, order: removalOrder(manifests, verdicts), blobs, sizes };
  }
}

function runOf(
  plan: Plan,
  gone: ReadonlySet<Digest>,
  rest: Pick<RetentionRun, 'dryRun' | 'left'>,
): RetentionRun {
  const freed = new Map<Digest, number>();
  let bytes = 0;
  for (const digest of gone) {
    bytes += plan.sizes.get(digest) ?? 0;
    for (const [blob, size] of plan.blobs.get(digest) ?? []) freed.set(blob, size);
  }
  for (const size of freed.values()) bytes += size;
  const [going, staying] = [
    plan.items.filter(({ digest }) => gone.has(digest)),
    plan.items.filter(({ digest, keep }) => keep && !gone.has(digest)),
  ];
  const kept = plan.items.length - going.length;
  return { ...rest, items: [...going, ...staying], kept, removed: going.length, bytes };
}

/** Page after page: a large repository is never read in one go. */
async function each<T>(
  read: (last: T | undefined) => Awaitable<T[]>,
  take: (row: T) => void,
): Promise<void> {
  for (let last: T | undefined; ; ) {
    const rows = await read(last);
    for (const row of rows) take(row);
    if (rows.length < page) return;
    last = rows.at(-1);
    // Reads of an embedded database do not wait, so others must be let through.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function all<T>(read: (last: T | undefined) => Awaitable<T[]>): Promise<T[]> {
  const found: T[] = [];
  await each(read, (row) => found.push(row));
  return found;
}

function add<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
