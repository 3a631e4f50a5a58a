/**
 * Events over kill -9 (architecture.md 12): every push's events reach a webhook and the live stream, in order by
 * repository, while the process that relays and sends them is killed again and again.
 * GANTRY_TEST_EVENT_PUSHES (10,000 for the whole of it) and GANTRY_TEST_EVENT_KILLS (50) set how much.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { basic } from '../spec/client.ts';
import { digestOf, mediaTypes } from '../spec/content.ts';
import { Asker, Gone } from './support/asking.ts';
import { checkIntegrity, inspectAtRest } from './support/at-rest.ts';
import { StreamEar, WebhookEar } from './support/event-listeners.ts';
import {
  type Bootstrap,
  compileOnce,
  type Launched,
  launch,
  readBootstrap,
} from './support/gantry.ts';
import { Random, runSeed } from './support/random.ts';

const quick = process.env.GANTRY_TEST_QUICK === '1';
const pushes = Number(process.env.GANTRY_TEST_EVENT_PUSHES ?? (quick ? 200 : 2000));
const kills = Number(process.env.GANTRY_TEST_EVENT_KILLS ?? (quick ? 3 : 10));
const repositories = 8;
const empty = { mediaType: mediaTypes.empty, digest: digestOf('{}'), size: 2 };

test(`events of ${pushes} pushes, over ${kills} kill -9: all, and in order`, async (t) => {
  const seed = runSeed();
  t.diagnostic(`GANTRY_TEST_SEED=${seed}`);
  const random = new Random(seed);
  const folder = await mkdtemp(join(tmpdir(), 'gantry-events-'));
  const rig = new EventsRig(join(folder, 'data'));
  t.after(async () => {
    await rig.server?.end('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  const webhook = await WebhookEar.open(t, random);
  const stream = new StreamEar();
  t.after(() => stream.stop());

  await compileOnce();
  await rig.start();
  stream.follow(rig.origin, rig.authorization);
  const hook = await rig.asker.expect(
    201,
    'POST',
    `/api/v1/teams/${rig.bootstrap.teamId}/webhooks`,
    {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'ear', url: webhook.receiver.url }),
    },
  );
  const { secret } = JSON.parse(hook.body.toString()) as { secret: string };

  const began = performance.now();
  const pushed = Array.from({ length: repositories }, () => [] as string[]);
  let left = pushes;
  let acknowledged = 0;
  const work = pushed.map(async (digests, at) => {
    const name = `${rig.bootstrap.teamSlug}/${rig.bootstrap.projectSlug}/r${at}`;
    await rig.insist(() => rig.pushEmpty(name));
    while (left > 0) {
      left -= 1;
      const manifest = manifestOf(`${at}-${digests.length}`);
      await rig.insist(() => rig.pushManifest(name, manifest));
      digests.push(digestOf(manifest));
      acknowledged += 1;
    }
  });
  const killing = (async () => {
    for (let kill = 1; kill <= kills; kill++) {
      while (acknowledged < (pushes * kill) / (kills + 1)) await delay(5);
      // Somewhere in what follows: a commit, a relay, a message, its answer.
      await delay(random.whole(0, 60));
      await rig.kill();
      await rig.start();
      stream.follow(rig.origin, rig.authorization);
    }
  })();
  await Promise.all([...work, killing]);
  const took = Math.round((performance.now() - began) / 1000);
  await rig.delivered();
  const all = Math.round((performance.now() - began) / 1000);
  await untilStill(() => stream.positions.length);
  await rig.server!.end('SIGTERM');

  const facts = rig.facts();
  t.diagnostic(
    `${pushes} pushes and ${kills} kills in ${took} s, all delivered after ${all} s: ${facts.events.length} events, ` +
      `${webhook.heard} heard by the webhook (${webhook.repeated} again, ${webhook.refused} refused), ` +
      `${stream.positions.length} by the stream over ${stream.connections} connections`,
  );
  assert.equal(facts.outbox, 0, 'what is left in the outbox');
  assert.deepEqual(inspectAtRest(rig.data).problems, []);
  assert.deepEqual(checkIntegrity(rig.data), []);

  const images = new Set(facts.events.map(({ digest }) => digest));
  const lost = pushed.flat().filter((digest) => !images.has(digest));
  assert.deepEqual(lost, [], 'pushes that were acknowledged without an event');

  const expected = new Map<string, number[]>();
  for (const { stream_id: id, sequence } of facts.events) {
    if (id === rig.bootstrap.teamId) continue;
    expected.set(id, [...(expected.get(id) ?? []), sequence]);
  }
  assert.equal(expected.size, repositories);
  for (const [id, sequences] of expected) {
    const count = sequences.length;
    const inOrder = Array.from({ length: count }, (_, at) => at + 1);
    assert.deepEqual(sequences, inOrder, `${id} as it was published`);
    assert.deepEqual(webhook.streams.get(id), inOrder, `${id} as the webhook heard it`);
  }
  const known = new Set(stream.positions);
  assert.equal(known.size, stream.positions.length, 'the stream repeats nothing to who has an id');
  assert.deepEqual(
    stream.positions,
    [...stream.positions].sort((a, b) => a - b),
  );
  assert.deepEqual(stream.gaps, []);
  assert.equal(known.size, facts.events.length, 'the stream missed nothing');
  assert.equal(webhook.verify(secret), webhook.receiver.received.length);
});

function manifestOf(text: string): string {
  return JSON.stringify({
    ...{ schemaVersion: 2, mediaType: mediaTypes.manifest, artifactType: 'application/x-test' },
    ...{ config: empty, layers: [empty], annotations: { text } },
  });
}

/** Resolves when the count has been the same for a while. */
async function untilStill(count: () => number): Promise<void> {
  for (let last = -1; last !== count(); ) {
    last = count();
    await delay(500);
  }
}

/** The server, which comes and goes, and its clients. */
class EventsRig {
  readonly data: string;
  server: Launched | undefined;
  origin = '';
  bootstrap!: Bootstrap;
  asker!: Asker;
  #up = Promise.withResolvers<void>();

  constructor(data: string) {
    this.data = data;
  }

  get authorization(): string {
    return basic(this.bootstrap.teamId, this.bootstrap.token);
  }

  async start(): Promise<void> {
    this.server = launch({
      data: this.data,
      env: {
        GANTRY_OUTBOUND_ALLOW: 'loopback',
        GANTRY_LOG_LEVEL: 'warn',
        GANTRY_WEBHOOK_BACKOFF: '50ms',
      },
    });
    this.origin = await this.server.ready;
    this.bootstrap ??= readBootstrap(this.data);
    this.asker?.close();
    this.asker = new Asker(this.origin, this.authorization);
    this.#up.resolve();
  }

  async kill(): Promise<void> {
    this.#up = Promise.withResolvers<void>();
    await this.server!.end('SIGKILL');
  }

  /** Does it again where the server went away, as clients do, until it is answered. */
  async insist(work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      await this.#up.promise;
      try {
        await work();
        return;
      } catch (error) {
        if (!(error instanceof Gone)) throw error;
        await delay(20);
      }
    }
  }

  async pushEmpty(name: string): Promise<void> {
    const target = `/v2/${name}/blobs/uploads/?digest=${empty.digest}`;
    const headers = { 'content-type': mediaTypes.bytes };
    await this.asker.expect(201, 'POST', target, { headers, body: '{}' });
  }

  async pushManifest(name: string, body: string): Promise<void> {
    const headers = { 'content-type': mediaTypes.manifest };
    await this.asker.expect(201, 'PUT', `/v2/${name}/manifests/latest`, { headers, body });
  }

  /** Resolves when nothing waits to be published or sent. */
  async delivered(): Promise<void> {
    const db = new DatabaseSync(join(this.data, 'gantry.db'), { readOnly: true });
    const open = db.prepare(
      "select (select count(*) from outbox) + (select count(*) from webhook_deliveries where state in ('pending', 'waiting')) as n",
    );
    while (Number(open.get()!.n) > 0) await delay(200);
    const dead = db.prepare("select count(*) as n from webhook_deliveries where state = 'dead'");
    assert.equal(dead.get()!.n, 0, 'nothing was given up');
    db.close();
  }

  facts() {
    const db = new DatabaseSync(join(this.data, 'gantry.db'), { readOnly: true });
    const events = db
      .prepare('select stream_id, sequence, type, data from events order by position')
      .all() as { stream_id: string; sequence: number; type: string; data: string }[];
    const outbox = Number(db.prepare('select count(*) as n from outbox').get()!.n);
    db.close();
    return {
      outbox,
      events: events.map(({ data, type, ...rest }) => ({
        ...rest,
        digest:
          type === 'image.pushed' ? (JSON.parse(data) as { digest: string }).digest : undefined,
      })),
    };
  }
}
