import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { Digest } from '../../../src/oci/digest.ts';
import type { RepositoryListing } from '../../../src/ports/repositories.ts';
import type { CompiledStatement, Executor } from '../database.ts';
import { sqliteDialect } from '../dialects/sqlite.ts';
import { openSqliteMetadata } from '../sqlite.ts';
import { deploymentsStore } from './deployments.ts';
import { manifestsStore } from './manifests.ts';
import { repositoriesStore } from './repositories.ts';
import { tagsStore } from './tags.ts';

let folder = '';
let database: DatabaseSync;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-plans-'));
  await (await openSqliteMetadata({ folder })).close();
  database = new DatabaseSync(join(folder, 'gantry.db'));
});
after(async () => {
  database.close();
  await rm(folder, { recursive: true });
});

/** How SQLite would run what `use` asks for. */
async function planOf(use: (executor: Executor) => unknown): Promise<string[]> {
  let plan: string[] | undefined;
  const explain = ({ sql, parameters }: CompiledStatement): unknown[] => {
    const rows = database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...parameters.map(() => null)) as { detail: string }[];
    // Of the first: what follows reads on from where it ended.
    plan ??= rows.map((row) => row.detail);
    return [];
  };
  const never = () => assert.fail('lists only read rows');
  const get = (statement: CompiledStatement) => void explain(statement);
  await use({ dialect: sqliteDialect, all: explain, get, run: never });
  assert.ok(plan, 'nothing was asked for');
  return plan;
}

const digests = ['sha256:0' as Digest];
const both = ['asc', 'desc'] as const;
const place = { projectId: 'p', environment: 'preview', name: 'main' } as const;

const list = (db: Executor, listing: Omit<RepositoryListing, 'limit'>) =>
  repositoriesStore(db).list('p', { ...listing, limit: 9 });

/** The index that each list walks along, and the columns that it begins at. */
const cases: [string, (executor: Executor) => unknown, RegExp][] = [
  ...both.flatMap((order): [string, (executor: Executor) => unknown, RegExp][] => [
    [
      `tags by name, ${order}`,
      (db) => tagsStore(db).page('r', { sort: 'name', order, limit: 9 }),
      /^SEARCH g USING PRIMARY KEY \(repository_id=\? AND name[<>]\?\)$/,
    ],
    [
      `tags by date, ${order}`,
      (db) => tagsStore(db).page('r', { sort: 'date', order, limit: 9 }),
      /^SEARCH g USING INDEX tags_by_date \(repository_id=\? AND \(updated_at,name\)[<>]\(\?,\?\)\)$/,
    ],
    [
      `repositories by name, ${order}`,
      (db) => repositoriesStore(db).list('p', { sort: 'name', order, limit: 9 }),
      /^SEARCH r USING INDEX repositories_by_name \(project_id=\? AND name[<>]\?\)$/,
    ],
    [
      `repositories by last push, ${order}`,
      (db) => repositoriesStore(db).list('p', { sort: 'pushed', order, limit: 9 }),
      /^SEARCH r USING INDEX repositories_by_push \(project_id=\? AND \(pushed_at,name\)[<>]\(\?,\?\)\)$/,
    ],
    [
      `public repositories by name, ${order}`,
      (db) => list(db, { sort: 'name', order, visibility: 'public' }),
      /^SEARCH r USING INDEX repositories_by_visibility \(project_id=\? AND visibility=\? AND name[<>]\?\)$/,
    ],
    [
      `public repositories by last push, ${order}`,
      (db) => list(db, { sort: 'pushed', order, visibility: 'public' }),
      /^SEARCH r USING INDEX repositories_by_visible_push \(project_id=\? AND visibility=\? AND \(pushed_at,name\)[<>]\(\?,\?\)\)$/,
    ],
  ]),
  [
    'tags of a digest',
    (db) => tagsStore(db).namesOf('r', digests[0]!, undefined, 9),
    /^SEARCH tags USING (COVERING )?INDEX tags_by_digest \(repository_id=\? AND digest=\? AND name>\?\)$/,
  ],
  [
    'history of a tag',
    (db) => tagsStore(db).history('r', 'latest', 5, 9),
    /^SEARCH tag_history USING PRIMARY KEY \(repository_id=\? AND name=\? AND sequence<\?\)$/,
  ],
  [
    'manifests, the latest first',
    (db) => manifestsStore(db).newest('r', undefined, 9),
    /^SEARCH manifests USING INDEX manifests_by_date \(repository_id=\? AND \(pushed_at,digest\)<\(\?,\?\)\)$/,
  ],
  [
    'indexes of a manifest',
    (db) => manifestsStore(db).indexesOf('r', digests[0]!, 9),
    /^SEARCH manifest_references USING (COVERING )?INDEX manifest_references_by_child \(repository_id=\? AND child=\?\)$/,
  ],
  [
    'referrers',
    (db) => manifestsStore(db).referrers('r', digests[0]!, { limit: 9 }),
    /^SEARCH manifests USING INDEX manifests_by_subject \(repository_id=\? AND (\(subject,digest\)|subject)>.*\)$/,
  ],
  [
    "indexes' images",
    (db) => manifestsStore(db).childImages('r', digests),
    /^SEARCH manifest_references USING PRIMARY KEY \(repository_id=\? AND digest=\?\)$/,
  ],
  [
    'the last deployment of a service',
    (db) => deploymentsStore(db).latestOf({ ...place, serviceId: 's' }),
    /^SEARCH d USING INDEX deployments_by_service \(project_id=\? AND environment=\? AND name=\? AND service_id=\?\)$/,
  ],
  [
    'deployments that are due, the oldest first',
    (db) => deploymentsStore(db).prunable({ before: 5, keep: 2 }, 9),
    /^SEARCH d USING INDEX deployments_by_age \(\(created_at,id\)>\(\?,\?\) AND created_at<\?\)$/,
  ],
  [
    'the oldest deployment that stays, of a service',
    async (db) => {
      const all = () => [{ state: 'ready', runs: null, service_id: 's' }];
      const store = deploymentsStore({ ...db, all });
      // What is found has no columns to show.
      await assert.rejects(async () => store.prunable({ before: 5, keep: 2 }, 9), SyntaxError);
    },
    /^SEARCH deployments USING INDEX deployments_by_service \(project_id=\? AND environment=\? AND name=\? AND service_id=\?\)$/,
  ],
];

describe('a list is a range of an index: nothing is read that is not shown, and nothing is sorted', () => {
  for (const [title, use, walked] of cases)
    test(title, async () => {
      const plan = await planOf(use);
      const shown = plan.join('\n');
      assert.ok(
        plan.some((step) => walked.test(step)),
        shown,
      );
      assert.doesNotMatch(shown, /TEMP B-TREE/);
      assert.doesNotMatch(shown, /^SCAN (?!wanted\b)/m);
    });
});
