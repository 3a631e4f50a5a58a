/**
 * docs/upgrading.md: two replicas of the last release, its own program from git's history, become this
 * one's under load, one by one. Nothing that was acknowledged is lost, and no request fails.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { schemaVersion } from '../../storage-adapters/metadata/migrations/migrate.ts';
import { StreamEar, WebhookEar } from '../faults/support/event-listeners.ts';
import { launch } from '../faults/support/gantry.ts';
import { Random, runSeed } from '../faults/support/random.ts';
import { expectStatus } from '../spec/check.ts';
import { basic, type Registry } from '../spec/client.ts';
import { content, mediaTypes } from '../spec/content.ts';
import { beginUpload, closeUpload, expectCreated, sendChunk } from '../spec/push.ts';
import { type OldProgram, openOldProgram } from '../tools/old-program.ts';
import { copyDatabase } from '../tools/postgres.ts';
import { Load } from './support/load.ts';
import { diesInMigration, lastRelease, oldProgramObstacle } from './support/old-and-new.ts';
import { obstacle, startTopology, type Topology } from './support/topology.ts';
import { Traffic } from './support/traffic.ts';

const skip = oldProgramObstacle() ?? obstacle();
const withinMs = 120_000;
/** docs/replicas.md: what is revoked is refused everywhere after that. */
const revokedAfterMs = 2_000;
const here = (location: string) => location.replace(/^https?:\/\/[^/]+/, '');

describe('two replicas are upgraded under load', skip ? { skip } : {}, () => {
  const opened = new AsyncDisposableStack();
  let old: OldProgram;
  let world: Topology;
  let both: readonly [Registry, Registry];
  let load: Load;
  let traffic: Traffic;
  let webhook: WebhookEar;
  const stream = new StreamEar();
  /** The rows before the upgrade, and the images that were there. */
  let copy: string;
  let copied = 0;

  before(async () => {
    old = opened.use(await openOldProgram(lastRelease.commit));
    const settings = {
      ...{ GANTRY_LOG_LEVEL: 'info', GANTRY_OUTBOUND_ALLOW: '127.0.0.0/8' },
      // As in docker-compose.yml; the old one does not know it.
      GANTRY_DRAIN_DELAY: '5s',
    };
    world = await startTopology('s3', settings, undefined, old);
    opened.defer(() => world.stop());
    both = [world.registry(0), world.registry(1)];
    const hears = {
      after: (close: () => unknown) => opened.defer(async () => void (await close())),
    };
    webhook = await WebhookEar.open(hears, new Random(runSeed()));
    const team = `/teams/${world.bootstrap.teamSlug}`;
    const hook = await api(0, 'POST', `${team}/webhooks`, {
      name: 'ear',
      url: webhook.receiver.url,
    });
    assert.equal(hook.status, 201, await hook.text());
    stream.follow(world.origins[1]!, world.authorization);
    load = new Load(world, 3, 'upgrade');
    traffic = new Traffic(world, load);
  });
  after(async () => {
    stream.stop();
    await Promise.allSettled([load?.stop(), traffic?.stop()]);
    await opened.disposeAsync();
  });

  function api(at: number, method: string, path: string, body?: object): Promise<Response> {
    return fetch(`${world.origins[at]}/api/v1${path}`, {
      method,
      headers: { authorization: world.authorization, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
  }

  async function versions(database: string): Promise<number> {
    const client = new pg.Client({ connectionString: database });
    await client.connect();
    const { rows } = await client.query('select max(version) as version from migrations');
    await client.end();
    return Number(rows[0].version);
  }
  const database = () => world.settings.GANTRY_DATABASE_URL!;

  /** While `work` goes on, no client sees a failure, unless one of `allowed`. */
  async function unnoticed(
    t: TestContext,
    what: string,
    work: () => Promise<unknown>,
    allowed: readonly number[] = [],
  ) {
    const began = performance.now();
    const breaks = load.broken + traffic.broken;
    const images = load.acknowledged.length;
    const [pushes, others] = [load.refused.length, traffic.refused.length];
    await work();
    const refused = [...load.refused.slice(pushes), ...traffic.refused.slice(others)];
    const ms = Math.round(performance.now() - began);
    const count = load.acknowledged.length - images;
    t.diagnostic(`${what}: ${ms} ms, ${count} images, ${refused.length} refused`);
    const told = refused
      .filter((one) => !allowed.includes(one.status))
      .map((one) => `${one.what}: ${one.status} ${one.text().slice(0, 200)}`);
    assert.deepEqual(told, [], `${what}: refused`);
    assert.equal(load.broken + traffic.broken - breaks, 0, `${what}: broken connections`);
  }
  const goesOn = async (images: number) => {
    await load.more(images, withinMs);
    await traffic.more(1, withinMs);
  };
  const leaves = async (at: number) => {
    const end = await world.replica(at).end('SIGTERM');
    assert.deepEqual(end, { code: 0, signal: null }, world.replica(at).output().slice(-2_000));
  };

  /**
   * Programs of schema 6 may close a connection that nginx has just begun to use: that is a 502, and the image is
   * pushed again. Later ones answer until nobody asks.
   */
  const oldLeaves = (t: TestContext, at: number) =>
    unnoticed(
      t,
      'an old one stops',
      async () => {
        await leaves(at);
        await goesOn(3);
      },
      [502],
    );

  const blobs = [0, 1].map(() => content(randomBytes(6 << 20), mediaTypes.bytes));
  const size = 2 << 20;
  const locations: string[] = [];
  const chunk = async (upload: number, at: number, index: number) => {
    const piece = blobs[upload]!.bytes.subarray(index * size, (index + 1) * size);
    const sent = await sendChunk(both[at]!, locations[upload]!, piece, index * size);
    locations[upload] = here(expectStatus(sent, 202).location());
  };

  test('one is replaced: the other goes on beside its migrations, also where they are killed', async (t) => {
    await unnoticed(t, 'before', async () => {
      await goesOn(5);
      copied = load.acknowledged.length;
      copy = await world.postgres.database('before');
      await copyDatabase(database(), copy);
      for (const upload of [0, 1]) {
        locations[upload] = here(await beginUpload(both[upload]!, `${world.project}/split`));
        await chunk(upload, upload, 0);
      }
    });
    await oldLeaves(t, 0);
    await unnoticed(t, 'the new one is killed within its migrations', async () => {
      await assert.rejects(world.start(0, undefined, diesInMigration), /SIGKILL/);
      assert.equal(await versions(database()), lastRelease.schema);
      await load.more(2, withinMs);
    });
    await unnoticed(t, 'the new one starts', () => world.start(0));
    assert.equal(await versions(database()), schemaVersion);
  });

  test('old and new run side by side: uploads of one end on the other, what is revoked on one is refused by both', async (t) => {
    await unnoticed(t, 'side by side', async () => {
      for (const upload of [0, 1]) {
        // Begun on an old one that is gone, and on the old one that is there.
        await chunk(upload, upload ^ 1, 1);
        await chunk(upload, upload, 2);
        const { digest } = blobs[upload]!;
        const end = await closeUpload(both[upload ^ 1]!, locations[upload]!, digest);
        await expectCreated(world.registry(), end, blobs[upload]!);
      }
      for (const at of [0, 1]) await revokes(at, at ^ 1);
      await goesOn(5);
      await world.serves(0);
    });
  });

  /** A token that is made on one, used on both, and revoked on the other. */
  async function revokes(made: number, revoked: number): Promise<void> {
    const tokens = `/teams/${world.bootstrap.teamSlug}/tokens`;
    const answer = await api(made, 'POST', tokens, { name: `of-${made}`, scope: 'write' });
    assert.equal(answer.status, 201, await answer.clone().text());
    const { id, token } = (await answer.json()) as { id: string; token: string };
    const own = [0, 1].map((at) => world.registry(at, basic(world.bootstrap.teamId, token)));
    const list = `/v2/${world.project}/upgrade-0/tags/list`;
    for (const one of own) expectStatus(await one.get(list), 200);
    assert.equal((await api(revoked, 'DELETE', `${tokens}/${id}`)).status, 204);
    const began = performance.now();
    for (const one of own) {
      for (;;) {
        const askedAt = performance.now();
        if ((await one.get(list)).status !== 200) break;
        assert.ok(askedAt - began < revokedAfterMs, 'it is still good');
        await delay(50);
      }
    }
  }

  test('an old one that starts now is refused, says why, and changes nothing', async (t) => {
    await unnoticed(t, 'refused', async () => {
      const data = join(old.root, 'third');
      const third = launch({ data, env: world.settings, program: old });
      assert.equal((await third.exited).code, 1);
      const { schema } = lastRelease;
      const words = `schema version ${schemaVersion}, newer than this program's ${schema}`;
      assert.ok(third.output().includes(words), third.output());
      await load.more(1, withinMs);
    });
  });

  test('the other is replaced, and both are this one’s', async (t) => {
    await oldLeaves(t, 1);
    stream.follow(world.origins[0]!, world.authorization);
    await unnoticed(t, 'the other starts', () => world.start(1));
    // At once, while nginx still leaves the other one out: that is what its drain delay is for.
    await unnoticed(t, 'a new one restarts', async () => {
      await leaves(0);
      await world.start(0);
      await load.more(2, withinMs);
    });
    await unnoticed(t, 'both new', () => goesOn(5));
    stream.follow(world.origins[1]!, world.authorization);
  });

  test('all that was acknowledged is there, and was told of once and in order', async (t) => {
    await load.stop();
    await traffic.stop();
    const once = [...load.acknowledged];
    await load.retry();
    await load.check();
    await traffic.check();
    t.diagnostic(`${load.acknowledged.length} images; ${JSON.stringify(traffic.done)}`);
    const images = load.acknowledged.length + traffic.done.delete;
    const heard = () => Math.min(webhook.heard, stream.positions.length);
    for (const deadline = performance.now() + 30_000; heard() < images; await delay(50))
      assert.ok(performance.now() < deadline, `${webhook.heard}, ${stream.positions.length} heard`);
    for (const [id, sequences] of webhook.streams) {
      assert.deepEqual(
        sequences,
        sequences.toSorted((a, b) => a - b),
        `${id} in order`,
      );
      assert.equal(sequences.at(-1)! - sequences[0]! + 1, sequences.length, `${id} without gaps`);
    }
    const { positions } = stream;
    assert.deepEqual(
      positions,
      [...new Set(positions)].sort((a, b) => a - b),
    );
    assert.deepEqual(stream.gaps, []);
    const told = await pushEvents();
    for (const { manifest } of once) assert.equal(told.get(manifest.digest), 1);
  });

  /** How often each digest was told of as pushed. */
  async function pushEvents(): Promise<Map<string, number>> {
    const told = new Map<string, number>();
    let cursor = '';
    do {
      const query = `types=image.pushed&order=oldest&limit=100${cursor && `&cursor=${cursor}`}`;
      const answer = await api(0, 'GET', `/teams/${world.bootstrap.teamSlug}/events?${query}`);
      assert.equal(answer.status, 200);
      const page = (await answer.json()) as {
        items: { data: { digest: string } }[];
        next: string | null;
      };
      for (const { data } of page.items) told.set(data.digest, (told.get(data.digest) ?? 0) + 1);
      cursor = page.next ?? '';
    } while (cursor);
    return told;
  }

  test('the way back: the old program on the rows of before, and all images of then', async () => {
    for (const at of [0, 1]) await leaves(at);
    await world.start(0, old, { GANTRY_DATABASE_URL: copy });
    for (const { repository, tag, manifest, blobs } of load.acknowledged.slice(0, copied)) {
      const got = expectStatus(await both[0].get(`/v2/${repository}/manifests/${tag}`), 200);
      assert.ok(got.body.equals(manifest.bytes));
      for (const blob of blobs) {
        const bytes = expectStatus(
          await both[0].get(`/v2/${repository}/blobs/${blob.digest}`),
          200,
        );
        assert.ok(bytes.body.equals(blob.bytes));
      }
    }
    const { repository, tag } = load.acknowledged.at(-1)!;
    expectStatus(await both[0].get(`/v2/${repository}/manifests/${tag}`), 404);
  });
});
