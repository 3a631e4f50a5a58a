/** Lists that are read in several parts, over more rows than one part holds. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { openSqliteMetadata } from '../sqlite.ts';

let folder = '';
let metadata: Metadata;
/** Names of each project, in order. */
const held: Record<string, number> = { a: 3, b: 0, c: 4_500, d: 2, e: 2_100, f: 1 };
const teamId = 'team_1';
const name = (at: number) => `r${String(at).padStart(5, '0')}`;
const expected = Object.entries(held).flatMap(([project, count]) =>
  Array.from({ length: count }, (_, at) => `acme/${project}/${name(at)}`),
);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-long-lists-'));
  await (await openSqliteMetadata({ folder })).close();
  const db = new DatabaseSync(join(folder, 'gantry.db'));
  db.exec(
    `insert into teams (id, slug, name, plan, created_at) values ('${teamId}', 'acme', '', 'pro', 0)`,
  );
  const project = db.prepare(
    "insert into projects (id, team_id, slug, settings, repository_count, created_at) values (?, ?, ?, '{}', ?, 0)",
  );
  const repository = db.prepare(
    'insert into repositories (id, project_id, name, visibility, image_count, tag_count, event_sequence, ' +
      'pushed_at, created_at, rules) values (?, ?, ?, ?, ?, ?, 0, ?, 0, ?)',
  );
  const blob = db.prepare('insert into blobs (digest, key, size, created_at) values (?, ?, 7, 0)');
  db.exec('begin');
  for (const [slug, count] of Object.entries(held)) {
    project.run(slug, teamId, slug, count);
    for (let at = 0; at < count; at++) {
      const rules = at % 1_000 === 999 ? '{"retention":[]}' : '{}';
      const visibility = at % 900 === 0 ? 'public' : 'private';
      repository.run(`${slug}-${name(at)}`, slug, name(at), visibility, 1, at, count - at, rules);
    }
  }
  for (let at = 0; at < 2_500; at++) blob.run(`sha256:${name(at)}`, `k${at}`);
  db.exec(
    `insert into blob_links (repository_id, digest, linked_at, leased_until) select 'c-${name(0)}', digest, 0, 0 from blobs where digest > 'sha256:${name(9)}'`,
  );
  db.exec('commit');
  db.close();
  metadata = await openSqliteMetadata({ folder });
});
after(async () => {
  await metadata.close();
  await rm(folder, { recursive: true });
});

for (const limit of [1, 3, 100, 1_000, 10_000]) {
  test(`the catalog by pages of ${limit}`, async () => {
    const found: string[] = [];
    // One by one, only round the ends of projects.
    const from = limit === 1 ? 4_490 : 0;
    let last = from ? { project: 'c', repository: name(from - 4) } : undefined;
    for (let asked = 0; asked < 7_000; asked++) {
      const page = await metadata.repositories.listNames({ teamId }, last, limit);
      assert.ok(page.length <= limit);
      found.push(...page);
      if (page.length < limit || (limit === 1 && found.length === 30)) break;
      const [, project, repository] = page.at(-1)!.split('/') as [string, string, string];
      last = { project, repository };
    }
    assert.deepEqual(found, limit === 1 ? expected.slice(from, from + 30) : expected);
  });
}

test('the catalog of some projects, from within one, and from one that is gone', async () => {
  const list = async (project: string, repository: string, projectIds?: string[]) =>
    metadata.repositories.listNames({ teamId, projectIds }, { project, repository }, 4);
  assert.deepEqual(await list('c', name(4_498), ['c', 'f']), [
    `acme/c/${name(4_499)}`,
    `acme/f/${name(0)}`,
  ]);
  assert.deepEqual(await list('c', name(4_499)), expected.slice(4_503, 4_507));
  assert.deepEqual(await list('bb', name(9)), expected.slice(3, 7));
  assert.deepEqual(await list('b', 'x', ['d']), [`acme/d/${name(0)}`, `acme/d/${name(1)}`]);
  assert.deepEqual(await list('f', name(0)), []);
});

test('a part of a name is looked for in all of them, in each order', async () => {
  const search = async (namePart: string, more: object = {}) =>
    (
      await metadata.repositories.list('c', {
        ...{ sort: 'name', order: 'asc', limit: 3, namePart },
        ...more,
      })
    ).map((row) => row.name);
  assert.deepEqual(await search('04499'), [name(4_499)]);
  assert.deepEqual(await search('999'), [name(999), name(1_999), name(2_999)]);
  assert.deepEqual(await search('999', { after: { name: name(2_999), pushedAt: 0 } }), [
    name(3_999),
  ]);
  assert.deepEqual(await search('00000', { order: 'desc' }), [name(0)]);
  // The last pushed has the lowest number.
  assert.deepEqual(await search('99', { sort: 'pushed', order: 'desc', limit: 1 }), [name(99)]);
  assert.deepEqual(await search('998', { sort: 'pushed', order: 'asc', limit: 1 }), [name(3_998)]);
  assert.deepEqual(await search('36', { visibility: 'public' }), [name(3_600)]);
  assert.deepEqual(await search('nothing'), []);
});

test('counts add up over all parts', async () => {
  const { repositories, images, tags, most } = await metadata.usage.counts({ teamId }, '2026-11');
  const total = expected.length;
  const sum = Object.values(held).reduce((all, count) => all + (count * (count - 1)) / 2, 0);
  assert.deepEqual(
    { repositories, images, tags },
    { repositories: total, images: total, tags: sum },
  );
  assert.deepEqual(most, { repositories: 4_500, images: 1, tags: 4_499 });
  const one = await metadata.usage.counts({ teamId, projectId: 'e' }, '2026-11');
  assert.deepEqual([one.repositories, one.tags], [2_100, (2_100 * 2_099) / 2]);
});

test('repositories with rules are found wherever they are', async () => {
  const all = await metadata.retention.repositories(undefined, 100);
  const wanted = ['c', 'e'].flatMap((project) =>
    [999, 1_999, 2_999, 3_999]
      .filter((at) => at < held[project]!)
      .map((at) => `${project}-${name(at)}`),
  );
  assert.deepEqual(all, wanted);
  assert.deepEqual(await metadata.retention.repositories(wanted[0], 2), wanted.slice(1, 3));
  assert.deepEqual(await metadata.retention.repositories(wanted.at(-1), 2), []);
});

test('blobs without a link are counted over all', async () => {
  assert.deepEqual(await metadata.collection.unreferenced(), {
    ...{ blobs: 10, bytes: 70, keys: 0, seen: 2_500 },
  });
});
