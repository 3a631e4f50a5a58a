/** What each released version left is opened by this program: all of it is there, and goes on. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, type TestContext, test } from 'node:test';
import {
  type PostgresServer,
  postgresObstacle,
  startPostgres,
} from '../../../conformance/tools/postgres.ts';
import { start } from '../../../src/compose.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { postgresDialect } from '../dialects/postgres.ts';
import { sqliteDialect } from '../dialects/sqlite.ts';
import { openSqliteMetadata } from '../sqlite.ts';
import { copyToPostgres, type Fixture, openFixture } from './fixtures/open-fixture.ts';
import { releasedSchemas as released } from './fixtures/released.ts';
import { schemaVersion, stepsOf } from './migrate.ts';

/** Of the statements of each released migration: in SQLite, and in Postgres. */
const checksums: Readonly<Record<number, readonly [string, string]>> = {
  1: ['1591479d12340f4b', '4318d1943e1968ed'],
  2: ['1838301f434e848a', '0461930c63fe9678'],
  3: ['705e44aaccf1c907', '9b5092a67a2a9f33'],
  4: ['5407ef513e26eff7', 'd6e93429ba61dbf9'],
  5: ['cd4ea0ec11dfbddd', 'bc9be572e027c850'],
  6: ['0c48e40a9af3b5f9', '4b0cd7f853fc7903'],
};

const folderOf = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-released-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

test('released migrations do not change', () => {
  for (const version of released) {
    const found = [sqliteDialect, postgresDialect].map((dialect) => {
      const steps = stepsOf(version, dialect).map((step) => {
        const { sql, parameters } = step.compile();
        return [sql.replace(/\s+/g, ' '), parameters];
      });
      return createHash('sha256').update(JSON.stringify(steps)).digest('hex').slice(0, 16);
    });
    assert.deepEqual(found, checksums[version], `migration ${version}: write a new one instead`);
  }
});

/** Starts this program on what is there, and looks for all that the fixture knows. */
async function goesOn(folder: string, { known, secretKey }: Fixture, databaseUrl?: string) {
  const env = {
    ...{ GANTRY_DATA: folder, GANTRY_PORT: '0', GANTRY_LOG_LEVEL: 'error' },
    ...{ GANTRY_DOCKER_HOST: `unix://${folder}/none.sock`, GANTRY_SECRET_KEY: secretKey },
    ...(databaseUrl && { GANTRY_DATABASE_URL: databaseUrl }),
  };
  const gantry = await start(loadConfig(env, { cwd: folder }));
  try {
    const ask = async (token: string, path: string, init: RequestInit = {}) => {
      const basic = Buffer.from(`${known.teamId}:${token}`).toString('base64');
      const authorization = path.startsWith('/api') ? `Bearer ${token}` : `Basic ${basic}`;
      const answer = await fetch(new URL(path, gantry.url), {
        ...init,
        // Its stop waits for nothing then.
        headers: { ...init.headers, authorization, connection: 'close' },
      });
      const bytes = Buffer.from(await answer.arrayBuffer());
      assert.ok(answer.ok, `${init.method ?? 'GET'} ${path}: ${answer.status} ${bytes}`);
      return bytes;
    };
    const list = async (path: string) => {
      const text = String(await ask(known.token, `/api/v1/teams/${known.team}${path}`));
      return (JSON.parse(text) as { items: Record<string, unknown>[] }).items;
    };
    const digestOf = (bytes: Buffer) =>
      `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const at = `/v2/${known.team}/${known.project}`;
    for (const token of [known.token, ...known.tokens]) {
      for (const { repository, reference, digest } of known.manifests) {
        const bytes = await ask(token, `${at}/${repository}/manifests/${reference}`);
        assert.equal(digestOf(bytes), digest);
        const { config, layers = [] } = JSON.parse(String(bytes));
        for (const blob of config ? [config, ...layers] : []) {
          const content = await ask(token, `${at}/${repository}/blobs/${blob.digest}`);
          assert.equal(digestOf(content), blob.digest);
        }
      }
    }
    for (const [repository, tags] of Object.entries(known.tags)) {
      const listed = JSON.parse(String(await ask(known.token, `${at}/${repository}/tags/list`)));
      assert.deepEqual(listed.tags, tags);
    }
    const first = known.manifests[0]!;
    const referrers = await ask(known.token, `${at}/app/referrers/${first.digest}`);
    assert.equal(JSON.parse(String(referrers)).manifests.length, 1);
    const webhooks = await list('/webhooks');
    assert.deepEqual(
      webhooks.map(({ id }) => id),
      known.webhooks,
    );
    const services = await list(`/projects/${known.project}/services`);
    assert.deepEqual(
      services.map(({ name }) => name),
      known.services,
    );

    // Goes on: an old image under a new tag, whose event comes after all that were there.
    const media = 'application/vnd.oci.image.manifest.v1+json';
    const manifest = await ask(known.token, `${at}/app/manifests/v1`);
    await ask(known.token, `${at}/app/manifests/after`, {
      ...{ method: 'PUT', body: new Uint8Array(manifest), headers: { 'content-type': media } },
    });
    const events = await untilEvent(() => list('/events?limit=100'), 'after');
    const pushes = events.filter(({ type }) => String(type).includes('image.pushed'));
    assert.ok(pushes.length > known.manifests.length, JSON.stringify(events));
  } finally {
    await gantry.stop();
  }
}

/** Events come to their table a moment after the commit. */
async function untilEvent(list: () => Promise<Record<string, unknown>[]>, tag: string) {
  for (const end = performance.now() + 20_000; ; ) {
    const events = await list();
    if (JSON.stringify(events).includes(`"${tag}"`)) return events;
    assert.ok(performance.now() < end, `the event of ${tag} came: ${JSON.stringify(events)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Tables and indexes as the database itself tells them. */
function schemaOf(file: string): string[] {
  const db = new DatabaseSync(file, { readOnly: true });
  const rows = db.prepare('select sql from sqlite_master where sql is not null').all();
  db.close();
  return rows.map(({ sql }) => String(sql)).sort();
}

describe('each released schema is opened, on SQLite', () => {
  for (const version of released) {
    test(`${version}`, { timeout: 60_000 }, async (t) => {
      const folder = folderOf(t);
      const fixture = await openFixture(version, folder);
      await goesOn(folder, fixture);
      const db = new DatabaseSync(join(folder, 'gantry.db'), { readOnly: true });
      const versions = db.prepare('select version from migrations').all();
      db.close();
      assert.equal(versions.length, schemaVersion, 'each migration once');
      const fresh = folderOf(t);
      await (await openSqliteMetadata({ folder: fresh })).close();
      assert.deepEqual(schemaOf(join(folder, 'gantry.db')), schemaOf(join(fresh, 'gantry.db')));
    });
  }
});

describe('each released schema is opened, on Postgres', () => {
  const skip = postgresObstacle();
  let server: PostgresServer | undefined;
  if (!skip) {
    before(async () => {
      server = await startPostgres();
    });
    after(() => server?.stop());
  }
  for (const version of released) {
    test(`${version}`, { timeout: 60_000, ...(skip && { skip }) }, async (t) => {
      const folder = folderOf(t);
      const fixture = await openFixture(version, folder);
      const url = await server!.database(`released_${version}`);
      await copyToPostgres(version, folder, url);
      await goesOn(folder, fixture, url);
    });
  }
});
