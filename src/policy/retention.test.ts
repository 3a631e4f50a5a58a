import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Digest } from '../oci/digest.ts';
import { matchesTag } from '../oci/tag-pattern.ts';
import type { RetentionRule } from '../ports/image-rules.ts';
import {
  decideRetention,
  type RetentionFacts,
  type RetentionSubject,
  removalOrder,
} from './retention.ts';

const day = 86_400_000;
const now = 1_000 * day;
const id = (name: string) =>
  `sha256:${Buffer.from(name).toString('hex').padEnd(64, '0')}` as Digest;

interface Sketch {
  readonly age: number;
  readonly tags?: Record<string, number>;
  readonly used?: number;
  readonly of?: string;
  readonly names?: readonly string[];
}
/** Ages in days. */
const repository = (sketches: Record<string, Sketch>): RetentionSubject[] =>
  Object.entries(sketches).map(([name, { age, tags = {}, used, of, names = [] }]) => ({
    digest: id(name),
    pushedAt: now - age * day,
    usedAt: used === undefined ? undefined : now - used * day,
    subject: of === undefined ? undefined : id(of),
    children: names.map(id),
    tags: Object.entries(tags).map(([tag, at]) => ({ name: tag, setAt: now - at * day })),
  }));

interface Case {
  readonly title: string;
  readonly rules: readonly RetentionRule[];
  readonly holds: Record<string, Sketch>;
  readonly immutableTags?: readonly string[];
  readonly tagDeletion?: boolean;
  readonly pinned?: readonly string[];
  /** By name: the reason. */
  readonly expected: Record<string, string>;
}

const factsOf = (one: Omit<Case, 'title' | 'expected'>): RetentionFacts => ({
  manifests: repository(one.holds),
  rules: {
    immutableTags: one.immutableTags ?? [],
    tagDeletion: one.tagDeletion ?? true,
    retention: one.rules,
  },
  pinned: new Set((one.pinned ?? []).map(id)),
  now,
});

const cases: readonly Case[] = [
  {
    title: 'without rules, all stays',
    rules: [],
    holds: { a: { age: 900 }, b: { age: 900, tags: { v1: 900 } } },
    expected: { a: 'no-rule', b: 'no-rule' },
  },
  {
    title: 'the newest by their tags stay, of those that the pattern is about',
    rules: [{ tags: ['v*'], keepNewest: 2 }],
    holds: {
      a: { age: 1, tags: { v1: 30 } },
      b: { age: 50, tags: { v2: 20 } },
      c: { age: 50, tags: { v3: 10, other: 10 } },
      d: { age: 50, tags: { latest: 90 } },
      e: { age: 50, tags: { v4: 40, latest2: 99 } },
    },
    expected: { a: 'expired', b: 'newest', c: 'newest', d: 'no-rule', e: 'no-rule' },
  },
  {
    title: 'by age of the tag, or by last pull',
    rules: [{ tags: ['*'], keepPushedDays: 10, keepPulledDays: 5 }],
    holds: {
      young: { age: 90, tags: { a: 9 } },
      old: { age: 90, tags: { b: 11 } },
      used: { age: 90, tags: { c: 11 }, used: 4 },
      unused: { age: 90, tags: { d: 11 }, used: 6 },
    },
    expected: { young: 'pushed', old: 'expired', used: 'pulled', unused: 'expired' },
  },
  {
    title: 'of several rules, any keeps; of several tags, any keeps',
    rules: [
      { tags: ['pr-*'], keepPushedDays: 3 },
      { tags: ['*'], keepNewest: 1 },
    ],
    holds: {
      a: { age: 9, tags: { 'pr-1': 9 } },
      b: { age: 9, tags: { 'pr-2': 2 } },
      c: { age: 9, tags: { main: 1 } },
      d: { age: 9, tags: { 'pr-3': 9, 'pr-4': 2.5 } },
    },
    expected: { a: 'expired', b: 'pushed', c: 'newest', d: 'pushed' },
  },
  {
    title: 'without a tag: by push, once it is a day old',
    rules: [{ keepNewest: 1 }],
    holds: { a: { age: 2 }, b: { age: 3 }, c: { age: 0.5 }, d: { age: 9, used: 0.5 } },
    expected: { a: 'expired', b: 'expired', c: 'recent', d: 'recent' },
  },
  {
    title: 'what an index names goes and stays with it',
    rules: [{ tags: ['*'], keepNewest: 1 }, { keepNewest: 0 }],
    holds: {
      i1: { age: 9, tags: { a: 9 }, names: ['x', 'both'] },
      i2: { age: 9, tags: { b: 1 }, names: ['y', 'both', 'absent'] },
      x: { age: 9 },
      y: { age: 9 },
      both: { age: 9 },
      loose: { age: 9 },
    },
    expected: {
      ...{ i1: 'expired', i2: 'newest', x: 'with-index', y: 'part-of', both: 'part-of' },
      loose: 'expired',
    },
  },
  {
    title: 'what refers to an image goes and stays with it, by subject or by tag',
    rules: [{ tags: ['*'], keepNewest: 1 }],
    holds: {
      a: { age: 9, tags: { a: 9 } },
      b: { age: 9, tags: { b: 1 } },
      sigA: { age: 9, of: 'a' },
      sigB: { age: 9, of: 'b', names: ['part'] },
      ofSigB: { age: 9, of: 'sigB' },
      part: { age: 9 },
      cosignA: { age: 9, tags: { [`${id('a').replace(':', '-')}.sig`]: 1 } },
      cosignB: { age: 9, tags: { [`${id('b').replace(':', '-')}.sig`]: 99 } },
      ofNothing: { age: 9, of: 'gone' },
    },
    expected: {
      ...{ a: 'expired', b: 'newest', sigA: 'with-subject', sigB: 'refers-to' },
      ...{ ofSigB: 'refers-to', part: 'part-of', cosignA: 'with-subject', cosignB: 'refers-to' },
      ofNothing: 'no-rule',
    },
  },
  {
    title: 'deployments and immutable tags keep theirs, whatever the rules say',
    rules: [{ tags: ['*'], keepNewest: 0 }],
    immutableTags: ['v*'],
    pinned: ['run', 'child'],
    holds: {
      run: { age: 9, tags: { a: 9 } },
      release: { age: 9, tags: { a2: 9, v1: 9 } },
      index: { age: 9, tags: { b: 9 }, names: ['child', 'other'] },
      child: { age: 9 },
      other: { age: 9 },
    },
    expected: {
      ...{ run: 'deployed', release: 'immutable-tag', index: 'expired', child: 'deployed' },
      other: 'with-index',
    },
  },
  {
    title: 'where tags are not deleted, what has one stays',
    rules: [{ tags: ['*'], keepNewest: 0 }, { keepNewest: 0 }],
    tagDeletion: false,
    holds: { a: { age: 9, tags: { a: 9 } }, b: { age: 9 } },
    expected: { a: 'tag-deletion-off', b: 'expired' },
  },
];

describe('what stays and what goes', () => {
  for (const one of cases) {
    test(one.title, () => {
      const names = new Map(Object.keys(one.holds).map((name) => [id(name), name]));
      const decided = decideRetention(factsOf(one)).map(({ digest, reason }) => [
        names.get(digest),
        reason,
      ]);
      assert.deepEqual(Object.fromEntries(decided), one.expected);
    });
  }

  test('a reason names the tag or the digest that it is about', () => {
    const verdicts = decideRetention(factsOf(cases[5]!));
    assert.deepEqual(
      verdicts.map(({ by }) => by),
      ['a', 'b', id('i1'), id('i2'), id('i2'), undefined],
    );
  });
});

/** Numbers that look random and are the same each time. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test('whatever the repository and the rules: nothing that is kept misses a part or its referrers', () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = randomOf(seed);
    const size = 1 + random(14);
    const manifests: RetentionSubject[] = Array.from({ length: size }, (_none, at) => ({
      digest: id(`m${at}`),
      pushedAt: now - random(20) * day,
      usedAt: random(3) ? undefined : now - random(20) * day,
      // Digests make no circles: each names and refers to those before it, or to what is absent.
      subject: random(4) ? undefined : id(`m${random(at + 1) - 1}`),
      children: random(3) ? [] : [id(`m${random(at + 1) - 1}`), id(`m${random(at + 1) - 1}`)],
      tags: Array.from({ length: random(3) }, (_tag, tag) => ({
        name: `${random(2) ? 'v' : 'pr-'}${at}.${tag}`,
        setAt: now - random(20) * day,
      })),
    }));
    const rule = (): RetentionRule => ({
      ...(random(3) && { tags: [['v*'], ['pr-*'], ['*']][random(3)]! }),
      ...(random(2) && { keepNewest: random(4) }),
      ...(random(2) && { keepPushedDays: 1 + random(10) }),
      ...(random(2) && { keepPulledDays: 1 + random(10) }),
    });
    const immutableTags = random(3) ? [] : ['v*.0'];
    const pinned = new Set(random(3) ? [] : [id(`m${random(size)}`)]);
    const retention = Array.from({ length: random(4) }, rule);
    const rules = { immutableTags, tagDeletion: random(5) > 0, retention };
    const facts = { manifests, rules, pinned, now };
    const verdicts = decideRetention(facts);
    const kept = new Set(verdicts.filter(({ keep }) => keep).map(({ digest }) => digest));
    const where = `seed ${seed}`;
    assert.equal(verdicts.length, size, where);
    for (const manifest of manifests) {
      const { digest, tags } = manifest;
      if (kept.has(digest)) {
        for (const child of manifest.children)
          assert.ok(kept.has(child) || !manifests.some((one) => one.digest === child), where);
        for (const one of manifests) if (one.subject === digest) assert.ok(kept.has(one.digest));
        continue;
      }
      assert.ok(!pinned.has(digest), where);
      assert.ok(tags.length === 0 || rules.tagDeletion, where);
      for (const { name } of tags) {
        assert.ok(!immutableTags.some((pattern) => matchesTag(pattern, name)), where);
        const about = retention.some((one) => one.tags?.some((text) => matchesTag(text, name)));
        assert.ok(about, `${where}: a tag that no rule is about`);
      }
    }
    // In any order that they come in, the same goes.
    const turned = decideRetention({ ...facts, manifests: manifests.toReversed() });
    assert.deepEqual(new Set(turned.filter(({ keep }) => keep).map((one) => one.digest)), kept);
    const order = removalOrder(manifests, verdicts).map(({ digest }) => digest);
    assert.equal(order.length, size - kept.size, where);
    for (const { digest, children } of manifests)
      for (const child of children)
        if (order.includes(digest) && order.includes(child) && child !== digest)
          assert.ok(order.indexOf(digest) < order.indexOf(child), `${where}: parents first`);
    if (retention.length === 0) assert.equal(order.length, 0, `${where}: no rule, nothing goes`);
    if (order.length > 0)
      assert.ok(
        verdicts.some(({ reason }) => reason === 'expired'),
        where,
      );
  }
});
