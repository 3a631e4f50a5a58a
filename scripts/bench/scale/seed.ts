/**
 * Fills a database with one repository of many tags and many repositories of one image each: the rows that pushes
 * would have left, but for their events, which are older than events are kept. `twins.ts` holds them against rows
 * of a real push.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ociConfig, ociManifest } from '../../../src/oci/media-types.ts';
import { newId } from '../../../src/projects/ids.ts';
import { newToken } from '../../../src/projects/token-secret.ts';
import type { Database, Value } from './database.ts';
import {
  makeImages,
  referrerCount,
  type SeedImage,
  type SeedImages,
  writeFiles,
} from './images.ts';

export interface Size {
  readonly name: string;
  readonly tags: number;
  readonly repositories: number;
}

export interface Seeded {
  readonly size: Size;
  readonly images: SeedImages;
  readonly teamId: string;
  readonly token: string;
}

export const team = 'my-team';
export const project = 'my-project';
export const bigRepository = 'big';
const actor = 'first-start';

const dayMs = 86_400_000;
/** Before events are dropped, and leases are over. */
const age = 60 * dayMs;
const bigId = `repo_${'0'.repeat(32)}`;
/** One in so many repositories can be pulled by anybody. */
export const publicEvery = 100;

export const tagOf = (number: number): string => `t${String(10_000_000 + number).slice(1)}`;
export const repositoryOf = (number: number): string => `r${String(10_000_000 + number).slice(1)}`;
/** The image that is under a tag of the big repository, or in a repository, of that number. */
export const imageOf = (images: SeedImages, number: number): SeedImage =>
  images.images[number % images.images.length]!;

export async function seed(database: Database, folder: string, size: Size): Promise<Seeded> {
  const images = makeImages(Math.max(50, size.tags / 20));
  const start = Date.now() - age;
  const ids = { team: newId('team'), project: newId('prj') };
  const token = newToken().secret;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFiles(join(folder, 'blobs'), [...images.layers, ...images.configs]);
  writeFileSync(
    join(folder, 'bootstrap.json'),
    JSON.stringify({
      ...{ url: 'http://127.0.0.1', registry: '127.0.0.1', token },
      ...{ teamId: ids.team, teamSlug: team, projectSlug: project },
    }),
    { mode: 0o600 },
  );
  await insertTeam(database, ids, start);
  await insertContents(database, images, start);
  await insertRepositories(database, ids.project, size, start);
  await insertImages(database, images, size, start);
  await insertTags(database, size, start);
  await countBytes(database, ids.project, size);
  for (const table of ['seed_images', 'seed_links']) await database.exec(`drop table ${table}`);
  return { size, images, teamId: ids.team, token };
}

async function insertTeam(
  database: Database,
  ids: { team: string; project: string },
  at: number,
): Promise<void> {
  const { insert } = database;
  await insert(
    'teams',
    ['id', 'slug', 'name', 'plan', 'created_at'],
    [[ids.team, team, 'My team', 'self-hosted', at]],
  );
  await insert(
    'projects',
    ['id', 'team_id', 'slug', 'settings', 'repository_count', 'created_at'],
    [[ids.project, ids.team, project, '{}', 0, at]],
  );
}

async function insertContents(database: Database, images: SeedImages, at: number): Promise<void> {
  const { layers, configs } = images;
  await database.insert(
    'blobs',
    ['digest', 'key', 'size', 'created_at'],
    [...layers, ...configs].map(({ digest, key, size }) => [digest, key, size, at]),
  );
  await database.insert(
    'measures',
    ['digest', 'compression', 'state', 'uncompressed_size'],
    layers.map(({ digest, uncompressed }) => [digest, 'gzip', 'measured', uncompressed]),
  );
  const all = [...images.images, ...images.referrers];
  await database.insert(
    'manifest_contents',
    ['digest', 'bytes'],
    all.map(({ digest, bytes }) => [digest, bytes]),
  );
  await database.exec(
    'create temporary table seed_images (n integer primary key, digest text, config text, layer text, ' +
      'size integer, image_size integer, annotations text, subject text, artifact_type text)',
  );
  await database.insert(
    'seed_images',
    [
      ...['n', 'digest', 'config', 'layer', 'size', 'image_size', 'annotations'],
      ...['subject', 'artifact_type'],
    ],
    all.map((image, n): Value[] => [
      ...[n, image.digest, image.config.digest, image.layer.digest, image.bytes.length],
      ...[image.config.size + image.layer.size, JSON.stringify(image.annotations)],
      ...[image.subject ?? null, image.artifactType ?? ociConfig],
    ]),
  );
}

/** `0` to `count - 1` as the table `n(i)`. */
const numbers = (count: number) =>
  `with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${count})`;
const text = (number: string, width: number) =>
  `substr(cast(${10 ** width} + ${number} as text), 2)`;
const repositoryId = `'repo_00000000000000001' || ${text('n.i', 15)}`;

async function insertRepositories(
  database: Database,
  projectId: string,
  { tags, repositories }: Size,
  start: number,
): Promise<void> {
  const columns =
    'id, project_id, name, visibility, image_count, tag_count, event_sequence, pushed_at, created_at';
  const images = Math.max(50, tags / 20);
  await database.exec(
    `insert into repositories (${columns}) values ('${bigId}', '${projectId}', '${bigRepository}', 'private', ` +
      `${images + referrerCount}, ${tags}, ${1 + 2 * tags + referrerCount}, ${start + tags * 100}, ${start})`,
  );
  // Made, and one image with one tag pushed: three events.
  await database.exec(
    `insert into repositories (${columns}) ${numbers(repositories)} ` +
      `select ${repositoryId}, '${projectId}', 'r' || ${text('n.i', 7)}, ` +
      `case when n.i % ${publicEvery} = 0 then 'public' else 'private' end, 1, 1, 3, ` +
      `${start} + n.i * 100, ${start} + n.i * 100 from n`,
  );
  await database.exec(
    `update projects set repository_count = ${repositories + 1} where id = '${projectId}'`,
  );
}

/** Each image in the big repository, and one in each of the others. */
async function insertImages(
  database: Database,
  { images }: SeedImages,
  { repositories }: Size,
  start: number,
): Promise<void> {
  const columns =
    'repository_id, digest, media_type, size, image_size, platform, artifact_type, annotations, subject, pushed_at, pushed_by';
  const values = (repository: string, at: string) =>
    `select ${repository}, m.digest, '${ociManifest}', m.size, m.image_size, ` +
    `case when m.subject is null then 'linux/amd64' end, m.artifact_type, m.annotations, m.subject, ${at}, '${actor}'`;
  await database.exec(
    `insert into manifests (${columns}) ${values(`'${bigId}'`, `${start} + m.n * 100`)} from seed_images m`,
  );
  await database.exec(
    `insert into manifests (${columns}) ${numbers(repositories)} ${values(repositoryId, `${start} + n.i * 100`)} ` +
      `from n join seed_images m on m.n = n.i % ${images.length}`,
  );
  for (const blob of ['config', 'layer']) {
    await database.exec(
      'insert into manifest_references (repository_id, digest, child, kind) ' +
        `select f.repository_id, f.digest, m.${blob}, 'blob' from manifests f join seed_images m on m.digest = f.digest`,
    );
  }
  await database.exec(
    'create temporary table seed_links as select distinct repository_id, child as digest from manifest_references',
  );
  await database.exec(
    'insert into blob_links (repository_id, digest, linked_at, leased_until) ' +
      `select repository_id, digest, ${start}, ${start + dayMs} from seed_links`,
  );
}

async function insertTags(
  database: Database,
  { tags, repositories }: Size,
  start: number,
): Promise<void> {
  const columns = 'repository_id, name, digest, created_at, updated_at, updated_by';
  const images = Math.max(50, tags / 20);
  const set = (at: string) => `${start} + ${at} * 100, ${start} + ${at} * 100, '${actor}'`;
  await database.exec(
    `insert into tags (${columns}) ${numbers(tags)} select '${bigId}', 't' || ${text('n.i', 7)}, m.digest, ` +
      `${set('n.i')} from n join seed_images m on m.n = n.i % ${images}`,
  );
  await database.exec(
    `insert into tags (${columns}) ${numbers(repositories)} select ${repositoryId}, 'latest', m.digest, ` +
      `${set('n.i')} from n join seed_images m on m.n = n.i % ${images}`,
  );
  await database.exec(
    'insert into tag_history (repository_id, name, sequence, action, digest, at, actor) ' +
      "select repository_id, name, 1, 'set', digest, updated_at, updated_by from tags",
  );
}

async function countBytes(database: Database, projectId: string, _size: Size): Promise<void> {
  await database.exec(
    'update repositories set stored_bytes = (select sum(b.size) from blob_links l ' +
      'join blobs b on b.digest = l.digest where l.repository_id = repositories.id)',
  );
  await database.exec(
    'update projects set stored_bytes = (select sum(r.stored_bytes) from repositories r ' +
      `where r.project_id = projects.id) where id = '${projectId}'`,
  );
}
