/** A large repository is deleted, and the server killed while its rows go: the next one goes on. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { basic } from '../spec/client.ts';
import { inspectAtRest } from './support/at-rest.ts';
import { until } from './support/commands.ts';
import { launch, readBootstrap } from './support/gantry.ts';
import { Images } from './support/images.ts';
import { Random, runSeed } from './support/random.ts';

const tags = 20_000;

/** As many tags more as pushes would have left, each with its history. */
function addTags(data: string, repository: string): void {
  const db = new DatabaseSync(join(data, 'gantry.db'));
  const id = `(select id from repositories where name = '${repository}')`;
  const numbers = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${tags})`;
  const columns = 'repository_id, name, digest, created_at, updated_at, updated_by';
  try {
    db.exec(
      `BEGIN; insert into tags (${columns}) ${numbers} select g.repository_id, 't' || n.i, g.digest, ` +
        `g.created_at, g.updated_at, g.updated_by from n join tags g on g.repository_id = ${id} and g.name = 'latest'; ` +
        'insert into tag_history (repository_id, name, sequence, action, digest, at, actor) ' +
        `select repository_id, name, 1, 'set', digest, updated_at, updated_by from tags ` +
        `where repository_id = ${id} and name <> 'latest'; ` +
        `update repositories set tag_count = tag_count + ${tags} where id = ${id}; COMMIT`,
    );
  } finally {
    db.close();
  }
}

/** Rows of what was deleted. */
function leftOf(data: string): { repositories: number; tags: number } {
  const db = new DatabaseSync(join(data, 'gantry.db'), { readOnly: true });
  const removed = "select id from repositories where project_id = 'prj_removed'";
  const count = (sql: string) => (db.prepare(sql).get() as { n: number }).n;
  try {
    return {
      repositories: count(`select count(*) as n from (${removed})`),
      tags: count(`select count(*) as n from tags where repository_id in (${removed})`),
    };
  } finally {
    db.close();
  }
}

test('a kill -9 while the rows of a deleted repository go leaves what the next start removes', async (t) => {
  const seed = runSeed();
  t.diagnostic(`GANTRY_TEST_SEED=${seed}`);
  const random = new Random(seed);
  const folder = await mkdtemp(join(tmpdir(), 'gantry-purge-'));
  const data = join(folder, 'data');
  const start = () => launch({ data, env: { GANTRY_LOG_LEVEL: 'warn', GANTRY_FUNCTIONS: 'off' } });
  let server = start();
  t.after(async () => {
    await server.end('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  const ready = async () => {
    const origin = await server.ready;
    const bootstrap = readBootstrap(data);
    return { origin, bootstrap, images: new Images(origin, bootstrap) };
  };
  const push = (to: Images, repository: string) => to.push(repository, random, 2, 1_000);
  const first = await ready();
  await push(first.images, 'large');
  const kept = await push(first.images, 'kept');
  await server.end('SIGTERM');
  addTags(data, 'large');

  server = start();
  const second = await ready();
  await second.images.deleteRepository('large');
  // Its name is free while its rows are there: what is pushed now is another's.
  const again = await push(second.images, 'large');
  await server.end('SIGKILL');
  const left = leftOf(data);
  assert.equal(left.repositories, 1, 'all rows were gone before the kill');
  assert.ok(left.tags > 0 && left.tags < tags, `${left.tags} of ${tags} tags are left`);

  server = start();
  const third = await ready();
  await until('the rows are gone', () => leftOf(data).repositories === 0);
  for (const image of [kept, again]) assert.equal(await third.images.problem(image), undefined);
  const { teamSlug, projectSlug, teamId, token } = third.bootstrap;
  const list = await fetch(`${third.origin}/v2/${teamSlug}/${projectSlug}/large/tags/list`, {
    headers: { authorization: basic(teamId, token) },
  });
  assert.deepEqual(((await list.json()) as { tags: string[] }).tags, ['latest']);
  assert.equal((await server.end('SIGTERM')).code, 0);
  assert.deepEqual(inspectAtRest(data), {
    ...{ problems: [], unnamed: [], uploads: 0, discarded: 0 },
  });
});
