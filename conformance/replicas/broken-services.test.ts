/**
 * attacks.md, "Faults", on two replicas under load: a store that fails in every way, a database that is cut in the
 * middle of commits, a full disk. What was acknowledged is there, and what failed can be pushed again.
 */
import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Fault, type Rule, type S3Proxy, slowDown, startS3Proxy } from '../faults/s3-proxy.ts';
import { Random, runSeed } from '../faults/support/random.ts';
import { SmallDisk } from '../faults/support/small-disk.ts';
import { Load } from './support/load.ts';
import { type PostgresProxy, startPostgresProxy } from './support/postgres-proxy.ts';
import { obstacle, startTopology, type Topology } from './support/topology.ts';

const skip = obstacle();
const MiB = 1 << 20;

/** A session whose last step nobody answered for may be busy, further on or gone when it is asked for again. */
const ofSessions = [404, 409, 416];

describe('two replicas on services that break', skip ? { skip } : {}, () => {
  let world: Topology;
  let store: S3Proxy;
  let database: PostgresProxy;
  let disk: SmallDisk | string;
  before(async () => {
    disk = await SmallDisk.mount(48 * MiB);
    world = await startTopology('s3', { GANTRY_LOG_LEVEL: 'info' }, async (services, folder) => {
      store = await startS3Proxy(services.s3!.GANTRY_S3_ENDPOINT!);
      database = await startPostgresProxy(services.postgres!);
      if (typeof disk !== 'string') await symlink(disk.folder, join(folder, 'replica-1'));
      return {
        ...services,
        s3: { ...services.s3, GANTRY_S3_ENDPOINT: store.endpoint },
        postgres: database.url,
      };
    });
  });
  after(async () => {
    await world?.stop();
    await database?.close();
    await store?.close();
    if (disk && typeof disk !== 'string') await disk.unmount();
  });

  /** Each failure is one that a client can act on, or a broken connection. */
  function expectHonest(load: Load): void {
    for (const answer of load.refused) {
      if (ofSessions.includes(answer.status)) continue;
      assert.equal(answer.status, 503, `${answer.what}: ${answer.status} ${answer.body}`);
      assert.ok(answer.header('retry-after'), `${answer.what}: no Retry-After`);
    }
  }

  /** How often each digest was told of as pushed. */
  async function pushEvents(): Promise<Map<string, number>> {
    const told = new Map<string, number>();
    const { teamSlug } = world.bootstrap;
    let cursor = '';
    do {
      const query = `types=image.pushed&order=oldest&limit=100${cursor && `&cursor=${cursor}`}`;
      const answer = await fetch(`${world.origin}/api/v1/teams/${teamSlug}/events?${query}`, {
        headers: { authorization: world.authorization },
      });
      assert.equal(answer.status, 200);
      const page = (await answer.json()) as { items: PushEvent[]; next: string | null };
      for (const { data } of page.items) told.set(data.digest, (told.get(data.digest) ?? 0) + 1);
      cursor = page.next ?? '';
    } while (cursor);
    return told;
  }

  test('S3 refuses, cuts, corrupts and loses answers: nothing is lost, and failed pushes succeed again', async (t) => {
    const random = new Random(runSeed());
    t.diagnostic(`GANTRY_TEST_SEED=${runSeed()}`);
    const load = new Load(world, 6, 'store');
    await load.more(10, 60_000);
    const writes = ['PutObject', 'UploadPart', 'CompleteMultipartUpload'] as const;
    const faults: readonly Fault[] = [
      slowDown,
      { kind: 'refuse', status: 500, code: 'InternalError' },
      { kind: 'cut', after: 50_000 },
      { kind: 'corrupt' },
      { kind: 'lose answer' },
    ];
    for (let round = 0; round < 30; round++) {
      const on = random.pick(writes)!;
      const rule: Rule = { on, fault: random.pick(faults)!, times: random.whole(1, 6) };
      store.break(rule, {
        on: 'GetObject',
        fault: { kind: 'truncate answer', after: 9 },
        times: 1,
      });
      await delay(100);
    }
    // All of it is away for a moment, as in a restart of the store.
    for (const on of [...writes, 'GetObject', 'HeadObject'] as const)
      store.break({ on, fault: slowDown });
    await delay(1_000);
    store.heal();
    await load.more(10, 60_000);
    await load.stop();
    const struck = store.seen.filter(({ fault }) => fault !== undefined);
    const kinds = new Set(struck.map(({ fault }) => fault));
    t.diagnostic(
      `${struck.length} requests of S3 were broken (${[...kinds].join(', ')}); ` +
        `${load.acknowledged.length} images, ${load.refused.length} refused, ${load.broken} broken`,
    );
    assert.ok(struck.length > 20, 'the load met faults');
    expectHonest(load);
    await load.check();
    await load.retry();
    await load.check();
  });

  test('Postgres is cut in the middle of commits: no 201 for what is not there, and nothing twice', async (t) => {
    const load = new Load(world, 6, 'commit');
    await load.more(10, 60_000);
    database.break(12);
    const lost = () => Math.min(database.broken('lose commit'), database.broken('lose answer'));
    const deadline = performance.now() + 60_000;
    while (lost() < 15 && performance.now() < deadline) await delay(50);
    database.heal();
    await load.more(10, 60_000);
    await load.stop();
    const { acknowledged, refused, broken } = load;
    t.diagnostic(
      `${database.broken('lose commit')} commits and ${database.broken('lose answer')} answers were lost; ` +
        `${acknowledged.length} images, ${refused.length} refused, ${broken} broken`,
    );
    assert.ok(lost() >= 15, 'commits were broken in both ways');
    expectHonest(load);
    await load.check();
    // What was asked for once was done at most once, whoever heard of it.
    const told = await pushEvents();
    for (const { manifest } of [...acknowledged, ...load.failed])
      assert.ok((told.get(manifest.digest) ?? 0) <= 1, `${manifest.digest} was pushed once`);
    await load.retry();
    await load.check();
    for (const at of [0, 1]) assert.ok(world.runs(at));
  });

  test('the disk of one replica is full: archives that need it are refused, pushes go on at both', async (t) => {
    if (typeof disk === 'string') return t.skip(disk);
    const { teamSlug, projectSlug } = world.bootstrap;
    const load = new Load(world, 4, 'disk');
    await load.more(5, 60_000);
    disk.fill(0);
    const path = `/api/v1/teams/${teamSlug}/projects/${projectSlug}/repositories/disk-0/uploads`;
    const form = new FormData();
    form.set('image', new Blob([Buffer.alloc(8 * MiB)]), 'image.tar');
    const answer = await fetch(world.origins[1] + path, {
      method: 'POST',
      headers: { authorization: world.authorization },
      body: form,
    });
    assert.ok([503, 507].includes(answer.status), `${answer.status} ${await answer.text()}`);
    await load.more(8, 60_000);
    for (const origin of world.origins) assert.equal((await fetch(`${origin}/readyz`)).status, 200);
    await disk.free();
    await load.more(5, 60_000);
    await load.stop();
    assert.deepEqual(load.refused, [], 'blobs are in the store, and need no disk of a replica');
    await load.check();
  });
});

interface PushEvent {
  readonly data: { readonly digest: string };
}
