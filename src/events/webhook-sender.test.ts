import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOutboundGuard } from '../auth/outbound-guard.ts';
import { Sealer } from '../auth/sealer.ts';
import { newId } from '../projects/ids.ts';
import { openWorld } from '../registry/registry-test-kit.ts';
import { Relay } from './relay.ts';
import { sealKeys } from './webhook-secrets.ts';
import { type DeliveryPolicy, WebhookSender } from './webhook-sender.ts';
import { openReceiver, type Received } from './webhook-test-kit.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const minute = 60_000;
const usual: DeliveryPolicy = {
  ...{ timeoutMs: 5000, attempts: 4, backoffMs: 1000, longestMs: 60 * minute },
  expiryMs: 24 * 60 * minute,
};

const subjectOf = ({ body }: Received) => (JSON.parse(body) as { subject: string }).subject;
const sequenceOf = ({ body }: Received) =>
  Number((JSON.parse(body) as { sequence: string }).sequence);

/** Real stores and a real receiver; the clock moves by hand. */
async function openKit(
  t: { after(fn: () => unknown): void },
  policy: Partial<DeliveryPolicy> = {},
) {
  // Before the stores: hooks run in the order in which they were given.
  const ends: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const end of ends) await end();
  });
  const world = await openWorld(t);
  const { metadata } = world;
  const receiver = await openReceiver(t);
  let now = 1_760_000_000_000;
  const clock = { now: () => now };
  const seal = new Sealer([{ id: 'key_1', bytes: Buffer.alloc(32, 1) }]);
  const outbound = createOutboundGuard({ allow: ['loopback'] });
  const failed = (cause: unknown) => assert.fail(String(cause));
  const make = () =>
    new WebhookSender({
      ...{ webhooks: metadata.webhooks, events: metadata.events, writer: metadata.writer },
      ...{ outbound, seal, clock, failed, random: () => 0.5 },
      newId: () => newId('att'),
      policy: { ...usual, ...policy },
    });
  const sender = make();
  const relay = new Relay({
    ...{ writer: metadata.writer, outbox: metadata.outbox, clock, failed },
    ...{ keep: { forMs: 1e12, count: 1e6 }, published: () => {} },
  });
  ends.push(
    () => sender.stop(),
    () => relay.stop(),
    () => outbound.close(),
  );
  await relay.flush();
  return {
    ...{ world, metadata, receiver, sender, make },
    pass(ms: number) {
      now += ms;
    },
    async hook(id: string, url = receiver.url) {
      await metadata.writer.run('CreateWebhook', {
        most: 10,
        webhook: {
          ...{ id, teamId: 'team_1', projectId: undefined, name: id, url, types: undefined },
          sealedSecret: sealKeys(seal, id, { secret }),
          ...{ enabled: true, createdAt: now, createdBy: 'ada', updatedAt: now },
        },
      });
    },
    /** `count` events of each of these repositories. */
    async emit(count: number, ...names: string[]) {
      for (const name of names) {
        const { id: repositoryId } = await world.ensure(name);
        const common = { repositoryId, actor: 'ada', now };
        for (let at = 1; at < count; at++) {
          await metadata.writer.run('PutManifest', {
            ...common,
            digest: `sha256:${String(at).padStart(64, '0')}` as never,
            mediaType: 'application/vnd.oci.image.manifest.v1+json',
            content: Buffer.from('{}'),
            ...{ artifactType: undefined, annotations: undefined, subject: undefined },
            ...{ blobs: [], optionalBlobs: [], manifests: [], layers: [], tags: [] },
            ...{ imageSize: 0, platform: undefined, overwrite: true },
            limits: { plan: 'self-hosted' },
          });
        }
      }
      await relay.flush();
    },
    states: async (id: string) =>
      (await metadata.webhooks.deliveries(id, undefined, undefined, 100))
        .map(({ state }) => state)
        .reverse(),
  };
}

test('each stream arrives in order; nothing is sent twice', async (t) => {
  const kit = await openKit(t);
  await kit.hook('whk_1');
  await kit.emit(20, 'a', 'b', 'c');
  await kit.sender.idle();
  const { received } = kit.receiver;
  assert.equal(received.length, 60);
  for (const subject of ['acme/shop/a', 'acme/shop/b', 'acme/shop/c']) {
    assert.deepEqual(
      received.filter((one) => subjectOf(one) === subject).map(sequenceOf),
      Array.from({ length: 20 }, (_, at) => at + 1),
    );
  }
  assert.equal(received[0]!.headers['content-type'], 'application/cloudevents+json; charset=utf-8');
  assert.equal(received[0]!.headers['webhook-id'], JSON.parse(received[0]!.body).id);
});

test('a refused message is tried again, later each time, and its stream waits', async (t) => {
  const kit = await openKit(t);
  await kit.hook('whk_1');
  await kit.emit(2, 'a', 'b');
  kit.receiver.answer = (message) => ({
    status: subjectOf(message) === 'acme/shop/a' ? 503 : 200,
    body: 'no room',
  });
  const rounds: number[] = [];
  for (const wait of [0, 999, 1, 3999, 1, 15_999, 1]) {
    kit.pass(wait);
    await kit.sender.idle();
    rounds.push(kit.receiver.received.filter((one) => subjectOf(one) === 'acme/shop/a').length);
  }
  // Attempts at 0 s, after 1 s, 4 s and 16 s; given up after the fourth, and the next begins.
  assert.deepEqual(rounds, [1, 1, 2, 2, 3, 3, 5]);
  assert.deepEqual(await kit.states('whk_1'), ['dead', 'pending', 'delivered', 'delivered']);
  const [dead] = await kit.metadata.webhooks.deliveries('whk_1', 'dead', undefined, 1);
  const attempts = await kit.metadata.webhooks.attempts(dead!.id);
  assert.deepEqual(
    attempts.map(({ status, response, error }) => ({ status, response, error })),
    Array.from({ length: 4 }, () => ({
      ...{ status: 503, response: 'no room', error: 'The receiver answered 503.' },
    })),
  );
  const ids = kit.receiver.received
    .filter((one) => subjectOf(one) === 'acme/shop/a' && sequenceOf(one) === 1)
    .map(({ headers }) => headers['webhook-id']);
  assert.equal(new Set(ids).size, 1, 'a repetition has the id of the first');
});

test('a receiver that asks for time gets it', async (t) => {
  const kit = await openKit(t);
  await kit.hook('whk_1');
  await kit.emit(1, 'a');
  kit.receiver.answer = () => ({ status: 429, headers: { 'Retry-After': '90' } });
  await kit.sender.idle();
  kit.pass(89_000);
  await kit.sender.idle();
  assert.equal(kit.receiver.received.length, 1);
  kit.pass(1_000);
  await kit.sender.idle();
  assert.equal(kit.receiver.received.length, 2);
});

test('a redirect is not followed, and a long answer is not read', async (t) => {
  const kit = await openKit(t, { attempts: 1 });
  await kit.hook('whk_1');
  await kit.emit(2, 'a');
  const answers = [
    { status: 302, headers: { Location: '/elsewhere' } },
    { status: 200, body: 'x'.repeat(5_000_000) },
  ];
  kit.receiver.answer = () => answers.shift()!;
  await kit.sender.idle();
  assert.deepEqual(
    kit.receiver.received.map(({ path }) => path),
    ['/hook', '/hook'],
  );
  assert.deepEqual(await kit.states('whk_1'), ['dead', 'delivered']);
  const [taken] = await kit.metadata.webhooks.deliveries('whk_1', 'delivered', undefined, 1);
  const [attempt] = await kit.metadata.webhooks.attempts(taken!.id);
  assert.equal(attempt?.response, 'x'.repeat(1024));
});

test('a slow receiver holds up neither other streams nor other webhooks', async (t) => {
  const kit = await openKit(t);
  const slow = await openReceiver(t);
  const release = Promise.withResolvers<void>();
  slow.answer = async () => {
    await release.promise;
    return { status: 200 };
  };
  await kit.hook('whk_slow', slow.url);
  await kit.hook('whk_quick');
  const names = Array.from({ length: 12 }, (_, at) => `r${at}`);
  await kit.emit(3, ...names);
  kit.sender.wake();
  await kit.receiver.count(36);
  // Eight at once of one webhook, and no more.
  await slow.count(8);
  assert.equal(slow.received.length, 8);
  release.resolve();
  await kit.sender.idle();
  assert.equal(slow.received.length, 36);
});

test('a receiver that does not answer in time fails the attempt', async (t) => {
  const kit = await openKit(t, { timeoutMs: 150, attempts: 1 });
  await kit.hook('whk_1');
  await kit.emit(1, 'a');
  kit.receiver.answer = () => new Promise(() => {});
  await kit.sender.idle();
  const [dead] = await kit.metadata.webhooks.deliveries('whk_1', 'dead', undefined, 1);
  assert.match(dead!.lastError!, /no answer within 150 ms/);
});

test('what waits too long is given up unsent; what is switched off waits', async (t) => {
  const kit = await openKit(t);
  await kit.hook('whk_1');
  await kit.emit(3, 'a');
  const hook = (await kit.metadata.webhooks.find('whk_1'))!;
  await kit.metadata.writer.run('UpdateWebhook', { ...hook, enabled: false });
  await kit.sender.idle();
  assert.deepEqual(await kit.states('whk_1'), ['pending', 'waiting', 'waiting']);
  await kit.metadata.writer.run('UpdateWebhook', hook);
  kit.pass(usual.expiryMs + 1);
  await kit.sender.idle();
  assert.deepEqual(await kit.states('whk_1'), ['dead', 'dead', 'dead']);
  assert.equal(kit.receiver.received.length, 0);
});

test('what a process was sending when it stopped, the next one sends again', async (t) => {
  const kit = await openKit(t);
  await kit.hook('whk_1');
  await kit.emit(1, 'a');
  kit.receiver.answer = () => new Promise(() => {});
  kit.sender.wake();
  await kit.receiver.count(1);
  await kit.sender.stop();
  assert.deepEqual(await kit.states('whk_1'), ['pending'], 'a stop is no attempt that failed');
  kit.receiver.answer = () => ({ status: 200 });
  const next = kit.make();
  await next.idle();
  await next.stop();
  assert.deepEqual(await kit.states('whk_1'), ['delivered']);
  const [first, second] = kit.receiver.received;
  assert.equal(first!.headers['webhook-id'], second!.headers['webhook-id']);
});
