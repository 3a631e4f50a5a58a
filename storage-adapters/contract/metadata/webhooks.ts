import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../../../src/ports/metadata.ts';
import type { Webhook } from '../../../src/ports/webhooks.ts';
import { relayAll } from './events.ts';
import { ensure, manifest, now, populate, refused } from './fixture.ts';

type Open = (t: { after(fn: () => unknown): void }) => Promise<Metadata>;

export const webhook = (id: string, rest: Partial<Webhook> = {}): Webhook => ({
  id,
  teamId: 'team_1',
  projectId: undefined,
  name: id,
  url: 'https://hooks.example/in',
  types: undefined,
  sealedSecret: 'sealed',
  enabled: true,
  createdAt: now,
  createdBy: 'ada',
  updatedAt: now,
  ...rest,
});

const create = (db: Metadata, hook: Webhook, most = 10) =>
  db.writer.run('CreateWebhook', { webhook: hook, most });

/** Ends a delivery, or has it tried again. */
const record = (
  db: Metadata,
  deliveryId: string,
  state: 'pending' | 'delivered' | 'dead',
  attempt: string | undefined = undefined,
  nextAt = now,
) =>
  db.writer.run('RecordAttempt', {
    ...{ deliveryId, state, nextAt, now: now + 1, error: state === 'delivered' ? undefined : 'no' },
    attempt: attempt
      ? {
          ...{ id: attempt, deliveryId, startedAt: now, durationMs: 7, status: 500 },
          ...{ error: 'no', response: 'busy' },
        }
      : undefined,
  });

/** Webhooks, and what is on its way to them. */
export function webhooksContract(open: Open): void {
  test('webhooks: made, changed, listed, found by id; names are the team’s own', async (t) => {
    const db = await open(t);
    const { projectId } = await populate(db);
    const full = webhook('whk_1', { projectId, types: ['tag.moved', 'image.pushed'] });
    await create(db, full);
    assert.deepEqual(await db.webhooks.find('whk_1'), full);
    await refused(create(db, webhook('whk_2', { name: 'whk_1' })), 'conflict');
    await refused(create(db, webhook('whk_2'), 1), 'quota');
    await create(db, webhook('whk_2'));
    assert.deepEqual(
      (await db.webhooks.list('team_1', undefined, 10)).map(({ id }) => id),
      ['whk_2', 'whk_1'],
    );
    assert.equal((await db.webhooks.list('team_1', 'whk_2', 10)).length, 1);
    assert.deepEqual(await db.webhooks.list('team_2', undefined, 10), []);

    const changed = { ...full, name: 'other', types: undefined, enabled: false, updatedAt: 9 };
    await db.writer.run('UpdateWebhook', { ...changed, sealedSecret: 'not this way' });
    assert.deepEqual(await db.webhooks.find('whk_1'), changed);
    await db.writer.run('SetWebhookSecret', { id: 'whk_1', sealedSecret: 'new', now: 10 });
    assert.equal((await db.webhooks.find('whk_1'))?.sealedSecret, 'new');
    const twin = { ...changed, name: 'whk_2' };
    await refused(db.writer.run('UpdateWebhook', twin), 'conflict');
    await refused(db.writer.run('UpdateWebhook', webhook('whk_9')), 'not-found');
    const absent = { id: 'whk_9', sealedSecret: 'x', now };
    await refused(db.writer.run('SetWebhookSecret', absent), 'not-found');
  });

  test('an event makes a delivery for each webhook that wants it', async (t) => {
    const db = await open(t);
    const { projectId, repository } = await populate(db);
    await relayAll(db);
    await create(db, webhook('whk_all'));
    await create(db, webhook('whk_tags', { types: ['tag.moved'], projectId }));
    await create(db, webhook('whk_elsewhere', { projectId: 'prj_other' }));
    await create(db, webhook('whk_off', { enabled: false }));
    await create(db, webhook('whk_foreign', { teamId: 'team_2' }));
    await db.writer.run('PutManifest', manifest(repository.id, 'm', { tags: ['a', 'b'] }));
    await relayAll(db);
    const types = async (id: string) =>
      (await db.webhooks.deliveries(id, undefined, undefined, 10)).map(({ type }) => type);
    assert.deepEqual(await types('whk_all'), ['tag.moved', 'tag.moved', 'image.pushed']);
    assert.deepEqual(await types('whk_tags'), ['tag.moved', 'tag.moved']);
    for (const id of ['whk_elsewhere', 'whk_off', 'whk_foreign']) {
      assert.deepEqual(await types(id), []);
    }
  });

  test('in a stream one delivery is due at a time, and the next when it has ended', async (t) => {
    const db = await open(t);
    await populate(db);
    const other = await ensure(db, 'other');
    await create(db, webhook('whk_1'));
    for (const id of ['repo_web', other.id]) {
      await db.writer.run('PutManifest', manifest(id, `m-${id}`, { tags: ['t'] }));
    }
    await relayAll(db);
    const due = async (at = now, without: string[] = []) =>
      (await db.webhooks.due(at, without, 10)).map(({ id, streamId }) => ({ id, streamId }));
    const first = await due();
    assert.deepEqual(first.map(({ streamId }) => streamId).sort(), [other.id, 'repo_web'].sort());
    assert.deepEqual(await due(now, ['whk_1']), []);
    assert.deepEqual(await due(now - 1), []);

    const web = first.find(({ streamId }) => streamId === 'repo_web')!;
    await record(db, web.id, 'pending', 'att_1', now + 50);
    assert.deepEqual((await due()).length, 1, 'it waits, and those behind it wait for it');
    assert.deepEqual((await due(now + 50)).length, 2);
    await record(db, web.id, 'dead', 'att_2');
    const again = await due(now + 1);
    assert.equal(again.length, 2);
    const next = again.find(({ streamId }) => streamId === 'repo_web')!;
    assert.notEqual(next.id, web.id);

    const dead = await db.webhooks.findDelivery(web.id);
    assert.deepEqual(
      [dead?.state, dead?.attempts, dead?.lastStatus, dead?.lastError, dead?.doneAt],
      ['dead', 2, 500, 'no', now + 1],
    );
    const attempts = await db.webhooks.attempts(web.id);
    assert.deepEqual(
      attempts.map(({ id, response }) => [id, response]),
      [
        ['att_1', 'busy'],
        ['att_2', 'busy'],
      ],
    );
    // What has ended stays as it ended: a late answer changes nothing.
    await record(db, web.id, 'delivered', 'att_3');
    assert.equal((await db.webhooks.findDelivery(web.id))?.state, 'dead');
    assert.equal((await db.webhooks.attempts(web.id)).length, 2);
  });

  test('sent again, an event waits for its stream, and goes before what is newer', async (t) => {
    const db = await open(t);
    await populate(db);
    await create(db, webhook('whk_1'));
    for (const at of [1, 2]) await db.writer.run('PutManifest', manifest('repo_web', `m${at}`));
    await relayAll(db);
    const log = async (state?: 'dead' | 'waiting') =>
      (await db.webhooks.deliveries('whk_1', state, undefined, 10)).map((one) => one.id);
    const [third, second, first] = await log();
    await record(db, first!, 'dead');
    await db.writer.run('Redeliver', { id: 'dlv_again', deliveryId: first!, now });
    assert.deepEqual(await log('dead'), [first]);
    assert.deepEqual(await log('waiting'), [third, 'dlv_again']);
    await record(db, second!, 'delivered');
    const due = await db.webhooks.due(now + 1, [], 10);
    assert.deepEqual(
      due.map(({ id }) => id),
      ['dlv_again'],
    );
    const absent = { id: 'dlv_x', deliveryId: 'dlv_none', now };
    await refused(db.writer.run('Redeliver', absent), 'not-found');
  });

  test('the log comes in pages, and ends that are old leave it with their attempts', async (t) => {
    const db = await open(t);
    await populate(db);
    await create(db, webhook('whk_1'));
    for (let at = 0; at < 4; at++) {
      await db.writer.run('PutManifest', manifest('repo_web', `m${at}`));
    }
    await relayAll(db);
    const page = async (before?: { position: number; id: string }) =>
      db.webhooks.deliveries('whk_1', undefined, before, 3);
    const newest = await page();
    const last = newest.at(-1)!;
    const rest = await page({ position: last.eventPosition, id: last.id });
    assert.equal(newest.length + rest.length, 5);
    const first = rest.at(-1)!;
    await record(db, first.id, 'delivered', 'att_1');
    const prune = (before: number) =>
      db.writer.run('PruneEvents', { before, keep: 100, limit: 50 });
    await prune(now + 1);
    assert.equal((await db.webhooks.attempts(first.id)).length, 1);
    await prune(now + 2);
    assert.equal(await db.webhooks.findDelivery(first.id), undefined);
    assert.equal((await db.webhooks.attempts(first.id)).length, 0);
  });

  test('a webhook that is removed sends no more, and all of it goes, a part at a time', async (t) => {
    const db = await open(t);
    await populate(db);
    await create(db, webhook('whk_1'));
    for (let at = 0; at < 9; at++) {
      await db.writer.run('PutManifest', manifest('repo_web', `m${at}`));
    }
    await relayAll(db);
    assert.deepEqual(await db.writer.run('DeleteWebhook', { id: 'whk_1' }), { deleted: true });
    assert.deepEqual(await db.writer.run('DeleteWebhook', { id: 'whk_1' }), { deleted: false });
    assert.deepEqual(await db.webhooks.list('team_1', undefined, 10), []);
    assert.notEqual((await db.webhooks.find('whk_1'))?.teamId, 'team_1');
    assert.deepEqual(await db.webhooks.due(now + 9, [], 10), []);
    // Its name is free at once.
    await create(db, webhook('whk_2', { name: 'whk_1' }));
    let parts = 0;
    for (let more = true; more; parts++) {
      ({ more } = await db.writer.run('PruneEvents', { before: 0, keep: 100, limit: 4 }));
    }
    assert.ok(parts >= 3);
    assert.equal(await db.webhooks.find('whk_1'), undefined);
    assert.deepEqual(await db.webhooks.deliveries('whk_1', undefined, undefined, 10), []);
    assert.ok(await db.webhooks.find('whk_2'));
  });
}
