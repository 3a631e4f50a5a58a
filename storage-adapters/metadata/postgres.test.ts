import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import {
  type PostgresServer,
  postgresObstacle,
  startPostgres,
} from '../../conformance/tools/postgres.ts';
import { metadataContract } from '../contract/metadata/index.ts';
import { openPostgresMetadata } from './postgres.ts';

const obstacle = postgresObstacle();
let server: PostgresServer;
let databases = 0;
const migrated = 'migrated';

if (obstacle) test('Postgres', { skip: obstacle }, () => {});
else {
  before(async () => {
    // No case cuts the power: what is written need not reach the disk for what is asked here.
    const settings = { fsync: 'off', full_page_writes: 'off' };
    server = await startPostgres({ settings });
    // Each case gets a copy of what the migrations make.
    await (await openPostgresMetadata({ url: await server.database(migrated) })).close();
  });
  after(() => server.stop());

  metadataContract(async () => {
    const url = await server.database(`contract_${++databases}`, migrated);
    return {
      open: () => openPostgresMetadata({ url, connections: 4 }),
      async remove() {
        const client = new pg.Client({ connectionString: server.url });
        await client.connect();
        // Fails where a connection is still open.
        await client.query(`drop database ${new URL(url).pathname.slice(1)}`);
        await client.end();
      },
    };
  });

  test('replicas that start together migrate once', async () => {
    const url = await server.database('together');
    const opened = await Promise.all([1, 2, 3].map(() => openPostgresMetadata({ url })));
    await Promise.all(opened.map((db) => db.ping()));
    await Promise.all(opened.map((db) => db.close()));
  });

  test('names sort bytewise, whatever the database has', async () => {
    const db = await openPostgresMetadata({ url: await server.database('bytewise') });
    for (const slug of ['b', 'a-b', 'a.b', 'a_b', 'ab']) {
      const team = {
        id: `team_${slug}`,
        slug,
        name: slug,
        plan: 'self-hosted',
        createdAt: 0,
      } as const;
      await db.writer.run('CreateTeam', team);
    }
    const found = await Promise.all(['a-b', 'a.b'].map((slug) => db.teams.findBySlug(slug)));
    assert.deepEqual(
      found.map((team) => team?.slug),
      ['a-b', 'a.b'],
    );
    await db.close();
  });
}
