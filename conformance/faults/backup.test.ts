/**
 * Backup, restore and move (docs/backup.md) by the program itself, beside and between real servers: with collection
 * looping and nothing kept for later, and killed at moments that a seed decides.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { postgresObstacle, startPostgres } from '../tools/postgres.ts';
import { findVersitygw, startVersitygw } from '../tools/versitygw.ts';
import {
  begin,
  expectAll,
  folderOf,
  refused,
  run,
  runOverKills,
  serve,
  until,
} from './support/commands.ts';
import { expectRefusals } from './support/damaged-backups.ts';
import { readBootstrap } from './support/gantry.ts';
import { Images, type PushedImage } from './support/images.ts';
import { Random, runSeed } from './support/random.ts';

const filesIn = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
};

test('what was acknowledged before a backup is in it, though it is deleted and collected meanwhile', async (t) => {
  const folder = await folderOf(t);
  const [data, target] = [join(folder, 'data'), join(folder, 'backup')];
  const server = await serve(t, data, {
    GANTRY_COLLECT_DELAY: '0s',
    GANTRY_COLLECT_INTERVAL: '1s',
    GANTRY_UNDELETE_FOR: '0s',
  });
  const bootstrap = readBootstrap(data);
  const images = new Images(server.origin, bootstrap);
  const random = new Random(runSeed());
  t.diagnostic(`GANTRY_TEST_SEED=${random.seed}`);
  const before: PushedImage[] = [];
  for (let n = 0; n < 12; n++) before.push(await images.push(`before${n}`, random, 3, 200_000));

  let pushing = true;
  let pushes = 0;
  const load = (async () => {
    for (let n = 0; pushing; n++) {
      await images.push(`load${n % 5}`, random, 2, 50_000);
      pushes++;
      if (n % 5 === 4) await images.deleteRepository(`load${n % 5}`);
    }
  })();
  const { child, ended } = begin(['backup', target, '--json'], { GANTRY_DATA: data });
  t.after(() => {
    pushing = false;
    child.kill('SIGKILL');
  });
  const dumped = () =>
    existsSync(target) && readdirSync(target).some((name) => /^database-.*\.gz$/.test(name));
  await until('the dump', dumped);
  // It stands still with the facts in hand, while what they name goes.
  child.kill('SIGSTOP');
  for (const { repository } of before.slice(0, 10)) await images.deleteRepository(repository);
  const keys = await keysOf(data, before.slice(0, 10));
  const standing = pushes;
  await until('more pushes', () => pushes > standing + 5);
  await delay(1_500);
  const there = new Set(await filesIn(join(data, 'blobs')));
  assert.deepEqual(
    keys.filter((key) => !there.has(key)),
    [],
    'bytes that the backup needs stay',
  );
  child.kill('SIGCONT');
  const { code, err } = await ended;
  assert.equal(code, 0, err);
  pushing = false;
  await load;
  assert.ok(keys.length > 0);
  // What a collection finds now wakes the sweeper, which runs once a minute by itself.
  await images.deleteRepository(before.at(-1)!.repository);
  await until('the collection', async () => {
    const left = new Set(await filesIn(join(data, 'blobs')));
    return !keys.some((key) => left.has(key));
  });

  const restored = join(folder, 'restored');
  await run(['restore', target], { GANTRY_DATA: restored });
  assert.equal((await stat(join(restored, 'gantry.db'))).mode & 0o777, 0o600);
  const second = await serve(t, restored);
  await expectAll(new Images(second.origin, bootstrap), before);
  for (const name of await readdir(target)) {
    const { mode } = await stat(join(target, name));
    assert.equal(mode & 0o077, 0, `${name} is for its owner alone`);
  }
});

/** Of the blobs of images that the database named: by what it still says waits to be removed. */
async function keysOf(data: string, images: readonly PushedImage[]): Promise<string[]> {
  const { DatabaseSync } = await import('node:sqlite');
  const db = new DatabaseSync(join(data, 'gantry.db'), { readOnly: true });
  const count = images.reduce((sum, { blobs }) => sum + blobs.length, 0);
  try {
    let keys: string[] = [];
    await until('the collection of rows', () => {
      const rows = db.prepare('select key from discarded_keys').all() as { key: string }[];
      keys = rows.map(({ key }) => key);
      return keys.length >= count;
    });
    return keys;
  } finally {
    db.close();
  }
}

test('killed at any moment and run again, a backup, a restore and moves are whole', async (t) => {
  const random = new Random(runSeed());
  t.diagnostic(`GANTRY_TEST_SEED=${random.seed}`);
  const folder = await folderOf(t);
  const [data, target] = [join(folder, 'data'), join(folder, 'backup')];
  const server = await serve(t, data);
  const bootstrap = readBootstrap(data);
  const images = new Images(server.origin, bootstrap);
  const pushed: PushedImage[] = [];
  for (let n = 0; n < 6; n++) pushed.push(await images.push(`r${n}`, random, 4, 2_000_000));

  await t.test('backup and restore', async (t) => {
    await runOverKills(t, random, ['backup', target], { GANTRY_DATA: data }, 1_800);
    const again = await run<{ blobs: { copied: { count: number } } }>(
      ['backup', target, '--verify'],
      { GANTRY_DATA: data },
    );
    assert.equal(again.blobs.copied.count, 0, 'what is there is not copied again');
    const restored = join(folder, 'restored');
    await runOverKills(t, random, ['restore', target], { GANTRY_DATA: restored }, 1_800);
    const second = await serve(t, restored);
    await expectAll(new Images(second.origin, bootstrap), pushed);
    await second.end('SIGTERM');
  });

  await t.test('a damaged backup, and a target that is not empty, are refused', async () => {
    await expectRefusals(folder, target, data, random);
  });

  await t.test('move to Postgres and S3, and back', async (t) => {
    const program = findVersitygw();
    const obstacle = postgresObstacle() ?? ('missing' in program ? program.missing : undefined);
    if (obstacle || !('path' in program)) return t.skip(obstacle);
    const [postgres, s3] = await Promise.all([
      startPostgres(),
      startVersitygw({ program: program.path }),
    ]);
    t.after(() => Promise.all([postgres.stop(), s3.stop()]));
    const access = {
      GANTRY_S3_ENDPOINT: s3.endpoint,
      AWS_REGION: s3.region,
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    };
    const storage = `s3://${s3.bucket}/moved`;
    const to = ['move', '--to-database', postgres.url, '--to-storage', storage];
    const env = { GANTRY_DATA: data, ...access };
    assert.match(await refused(to, env), /A server, or another command, uses/);
    const prepared = await run<{ moved: boolean }>([...to, '--prepare'], env);
    assert.equal(prepared.moved, false);
    // After the preparation: one more image, and one that is gone.
    pushed.push(await images.push('late', random, 2, 500_000));
    await server.end('SIGTERM');
    const facts = await readFile(join(data, 'gantry.db'));
    await runOverKills(t, random, to, env, 2_500);
    assert.equal((await run<{ already: boolean }>(to, env)).already, true, 'done, and said so');
    assert.ok(facts.equals(await readFile(join(data, 'gantry.db'))), 'the source stays as it is');

    const key = (await readFile(join(data, 'secret.key'), 'utf8')).trim();
    const there = {
      ...{ ...access, GANTRY_DATABASE_URL: postgres.url, GANTRY_STORAGE: storage },
      GANTRY_SECRET_KEY: key,
    };
    const replica = join(folder, 'replica');
    const moved = await serve(t, replica, there);
    const onS3 = new Images(moved.origin, bootstrap);
    await expectAll(onS3, pushed);
    pushed.push(await onS3.push('after', random, 2, 100_000));

    // The embedded backup of before, into another Postgres and bucket.
    const onOthers = {
      ...there,
      GANTRY_DATA: join(folder, 'others'),
      GANTRY_DATABASE_URL: await postgres.database('others'),
      GANTRY_STORAGE: `s3://${s3.bucket}/others`,
    };
    await runOverKills(t, random, ['restore', target], onOthers, 2_500);

    // Of Postgres and S3, while the server runs, and restored to a folder.
    const second = join(folder, 'second');
    const report = await run<{ blobs: { count: number } }>(['backup', second], {
      ...there,
      GANTRY_DATA: replica,
    });
    assert.equal(
      report.blobs.count,
      pushed.reduce((sum, { blobs }) => sum + blobs.length, 0),
    );
    await moved.end('SIGTERM');

    // The facts alone, beside the bucket that has the blobs.
    const third = join(folder, 'third');
    await run(['backup', third, '--no-blobs'], { ...there, GANTRY_DATA: replica });
    assert.ok(!existsSync(join(third, 'blobs')) && !existsSync(join(third, 'secret.key')));
    const beside = { ...there, GANTRY_DATABASE_URL: await postgres.database('beside') };
    const facts2 = { ...beside, GANTRY_DATA: join(folder, 'beside') };
    const other = { ...facts2, GANTRY_SECRET_KEY: '1'.repeat(64) };
    assert.match(await refused(['restore', third], other), /GANTRY_SECRET_KEY is another key/);
    const reached = await run<{ restored: boolean; lost: unknown[] }>(['restore', third], facts2);
    assert.deepEqual([reached.restored, reached.lost], [true, []]);
    const lostDatabase = {
      ...there,
      GANTRY_DATABASE_URL: await postgres.database('again'),
      GANTRY_DATA: join(folder, 'again'),
    };
    const again = await run<{ restored: boolean }>(['restore', second, '--no-blobs'], lostDatabase);
    assert.equal(again.restored, true, 'the bucket outlived its database');

    const embedded = join(folder, 'embedded');
    await run(['restore', second], { GANTRY_DATA: embedded, GANTRY_SECRET_KEY: key });

    const back = join(folder, 'back');
    await runOverKills(
      t,
      random,
      ['move', '--to-database', 'sqlite', '--to-storage', 'filesystem', '--to-data', back],
      { ...there, GANTRY_DATA: replica },
      2_500,
    );
    for (const place of [embedded, back]) {
      const home = await serve(t, place, { GANTRY_SECRET_KEY: key });
      await expectAll(new Images(home.origin, bootstrap), pushed);
      await home.end('SIGTERM');
    }
  });
});

test('replicas are not moved while one of them runs, wherever the command runs', async (t) => {
  const obstacle = postgresObstacle();
  if (obstacle) return t.skip(obstacle);
  const folder = await folderOf(t);
  const postgres = await startPostgres();
  t.after(() => postgres.stop());
  const replica = join(folder, 'replica');
  const env = {
    ...{ GANTRY_DATABASE_URL: postgres.url, GANTRY_SECRET_KEY: 'ab'.repeat(32) },
    GANTRY_BLOBS: join(folder, 'blobs'),
  };
  const server = await serve(t, replica, env);
  // In a folder of its own: no lock tells of the replica.
  const here = { ...env, GANTRY_DATA: join(folder, 'here') };
  const to = ['move', '--to-database', 'sqlite', '--to-storage', 'filesystem'];
  const move = [...to, '--to-data', join(folder, 'embedded')];
  assert.match(await refused(move, here), /A replica of the installation runs/);
  await server.end('SIGTERM');
  assert.equal((await run<{ moved: boolean }>(move, here)).moved, true);
});
