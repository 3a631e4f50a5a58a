import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import {
  type PostgresServer,
  postgresObstacle,
  startPostgres,
} from '../../../conformance/tools/postgres.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import type { Executor } from '../database.ts';
import { connectionSettings, PostgresExecutor } from '../dialects/postgres.ts';
import { openPostgresMetadata } from '../postgres.ts';
import { blobsStore } from './blobs.ts';
import { manifestsStore } from './manifests.ts';
import { repositoriesStore } from './repositories.ts';
import { tagsStore } from './tags.ts';

/** Images of the repository `big`; as many more repositories have one each, so that it is no usual one. */
const images = 6_000;
const big = 'repo-0';
const sha = (number: number) => `sha256:${String(number).padStart(64, '0')}` as Digest;
const numbered = (column: string) => `'sha256:' || lpad((${column})::text, 64, '0')`;

const fill = `
  insert into teams (id, slug, name, plan, created_at) values ('team', 'acme', '', 'pro', 0);
  insert into projects (id, team_id, slug, settings, repository_count, created_at)
    values ('project', 'team', 'web', '{}', ${images} + 1, 0);
  insert into repositories (id, project_id, name, visibility, image_count, tag_count, event_sequence, created_at)
    select 'repo-' || n, 'project', 'r' || n, 'private', 1, 1, 0, 0 from generate_series(0, ${images}) n;
  create temporary table held as
    select '${big}' as repository_id, n from generate_series(1, ${images}) n
    union all select 'repo-' || n, n from generate_series(1, ${images}) n;
  insert into blobs (digest, key, size, created_at)
    select ${numbered('n')}, 'k' || n, 7, 0 from generate_series(1, ${images}) n;
  insert into blob_links (repository_id, digest, linked_at, leased_until)
    select repository_id, ${numbered('n')}, 0, 0 from held;
  insert into manifests (repository_id, digest, media_type, size, image_size, platform, pushed_at, pushed_by)
    select repository_id, ${numbered('n')}, 'm', 7, 7, 'linux/amd64', n, 'me' from held;
  insert into manifest_references (repository_id, digest, child, kind)
    select repository_id, ${numbered('n')}, ${numbered('(n + 1)')}, 'manifest' from held;
  insert into tags (repository_id, name, digest, created_at, updated_at, updated_by)
    select repository_id, 't' || n, ${numbered('n')}, 0, n, 'me' from held;
`;

const obstacle = postgresObstacle();
let server: PostgresServer;
let client: pg.Client;

if (!obstacle) {
  before(async () => {
    server = await startPostgres();
    await (await openPostgresMetadata({ url: server.url })).close();
    client = new pg.Client(connectionSettings(server.url));
    await client.connect();
    await client.query(fill);
    await client.query('vacuum analyze');
    // As every connection has it, once it has run a query some times.
    await client.query('set plan_cache_mode = force_generic_plan');
  });
  after(async () => {
    await client?.end();
    await server?.stop();
  });
}

/** Pages of 8 KiB that the queries of `use` read together. */
async function pagesRead(use: (executor: Executor) => unknown): Promise<number> {
  let pages = 0;
  let prepared = 0;
  const executor = new PostgresExecutor({
    async query({ text, values = [] }) {
      const name = `look_${prepared++}`;
      await client.query(`prepare ${name} as ${text}`);
      const given = values.map((value) =>
        typeof value === 'number' ? String(value) : pg.escapeLiteral(String(value)),
      );
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
        `explain (analyze, buffers, format json) execute ${name}(${given.join(', ')})`,
      );
      const { Plan: plan } = rows[0]!['QUERY PLAN'][0];
      pages += plan['Shared Hit Blocks']! + plan['Shared Read Blocks']!;
      await client.query(`deallocate ${name}`);
      return await client.query({ text, values: [...values] });
    },
  });
  await use(executor);
  assert.ok(prepared > 0, 'nothing was asked for');
  return pages;
}

const digests = [sha(5), sha(2_500), sha(5_500)];

const path = { team: 'acme', project: 'web', repository: 'r0' };

const cases: [string, (db: Executor) => unknown, number][] = [
  ['a manifest by tag', (db) => manifestsStore(db).resolve(path, 't3000'), 20],
  ['a manifest by digest', (db) => manifestsStore(db).resolve(path, sha(3_000)), 16],
  ['a tag', (db) => tagsStore(db).find(big, 't3000'), 10],
  ['manifests', (db) => manifestsStore(db).findMany(big, digests), 40],
  ['details of manifests', (db) => manifestsStore(db).details(big, digests), 40],
  ["indexes' images", (db) => manifestsStore(db).childImages(big, digests), 80],
  ['blobs', (db) => blobsStore(db).findMany(big, digests), 60],
  [
    'a page of tags, and what they point at',
    (db) => tagsStore(db).page(big, { sort: 'name', order: 'asc', limit: 3 }),
    60,
  ],
  [
    'a page of repositories',
    (db) => repositoriesStore(db).list('project', { sort: 'name', order: 'asc', limit: 3 }),
    60,
  ],
  ['a page of names', (db) => tagsStore(db).list(big, 't5', 3), 20],
];
for (const [title, use, most] of cases) {
  test(`of a repository that is far larger than the usual, only what is asked for is read: ${title}`, {
    skip: obstacle ?? false,
  }, async () => {
    const pages = await pagesRead(use);
    assert.ok(pages <= most, `${pages} pages`);
  });
}
