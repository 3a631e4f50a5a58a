import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLog } from '../../events/event-log.ts';
import { type Application, openApplication } from '../services-test-kit.ts';
import { openStream } from './event-stream-test-kit.ts';

const bearer = (secret: string) => ({ headers: { Authorization: `Bearer ${secret}` } });

test('a stream brings what happens from now on, as CloudEvents with their positions', async (t) => {
  const app = await openApplication(t);
  const { secret } = await app.token('read');
  await settled(app, secret, 1);
  const stream = await openStream(t, app.port, secret);
  assert.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8');
  await app.world.ensure('made');
  const { id, data } = await stream.next();
  const event = JSON.parse(data) as Record<string, unknown>;
  assert.equal(id, event.position);
  assert.deepEqual(
    [event.specversion, event.type, event.subject, event.sequence],
    ['1.0', 'repository.created', 'acme/shop/made', '0000000000000001'],
  );
  assert.equal(event.source, 'urn:gantry:team:team_1');
});

test('a stream goes on behind Last-Event-ID, by header and by query', async (t) => {
  const app = await openApplication(t);
  const { secret } = await app.token('read');
  for (const name of ['a', 'b', 'c']) await app.world.ensure(name);
  await settled(app, secret, 4);
  const byHeader = await openStream(t, app.port, secret, '', { 'Last-Event-ID': '2' });
  assert.deepEqual([(await byHeader.next()).id, (await byHeader.next()).id], ['3', '4']);
  const byQuery = await openStream(t, app.port, secret, '?lastEventId=3');
  assert.equal((await byQuery.next()).id, '4');
  const bad = await app.fetch('/api/v1/events?lastEventId=x', bearer(secret));
  assert.equal(bad.status, 400);
});

test('what is no longer kept is said, and so is an id that never was', async (t) => {
  // One that has just started: it remembers nothing.
  const app = await openApplication(t, ({ metadata }) => ({
    events: new EventLog(metadata.events),
  }));
  const { secret } = await app.token('read');
  for (const name of ['a', 'b', 'c']) await app.world.ensure(name);
  await settled(app, secret, 4);
  const { last } = await app.world.metadata.events.positions();
  await app.world.metadata.writer.run('PruneEvents', { before: 0, keep: 1, limit: 100 });
  const late = await openStream(t, app.port, secret, '?lastEventId=1');
  assert.deepEqual(await late.next(), {
    id: undefined,
    event: 'gap',
    data: `{"after":"1","next":"${last}"}`,
  });
  assert.equal((await late.next()).id, String(last));
  const ahead = await openStream(t, app.port, secret, '?lastEventId=900');
  assert.equal((await ahead.next()).data, `{"after":"900","next":"${last + 1}"}`);
});

test('filters: team, project, types; what the caller may not know of is not there', async (t) => {
  const app = await openApplication(t);
  const { secret } = await app.token('read');
  const { writer } = app.world.metadata;
  const other = { id: 'team_2', slug: 'rival', name: 'Rival', plan: 'pro' as const, createdAt: 0 };
  await writer.run('CreateTeam', other);
  await writer.run('CreateProject', {
    ...{ id: 'prj_2', teamId: 'team_2', slug: 'shop', settings: {}, createdAt: 0 },
  });
  await app.world.ensure('secret', 'public', 'prj_2');
  await app.world.ensure('mine');
  await settled(app, secret, 2);
  const all = await openStream(t, app.port, secret, '?lastEventId=0');
  const seen = [await all.next(), await all.next()].map(({ data }) => JSON.parse(data).subject);
  // Order is promised within a repository.
  assert.deepEqual(seen.sort(), ['acme/shop/mine', 'acme/shop/web']);
  const narrow = await openStream(
    t,
    app.port,
    secret,
    '?lastEventId=0&team=acme&project=shop&types=tag.moved&types=image.pushed',
  );
  await writer.run('DeleteTrustPolicy', { id: 'none' });
  await app.world.ensure('unwanted');
  await settled(app, secret, 3);
  assert.equal(narrow.pending, 0);
  for (const query of ['team=rival', 'team=team_2', 'team=nowhere', 'team=acme&project=no']) {
    const answer = await app.fetch(`/api/v1/events?${query}`, bearer(secret));
    assert.equal(answer.status, 404, query);
  }
  assert.equal((await app.fetch('/api/v1/events?project=shop', bearer(secret))).status, 400);
  assert.equal((await app.fetch('/api/v1/events')).status, 401);
});

test('a stream ends within 5 s of the revocation of its token', async (t) => {
  const app = await openApplication(t);
  const { id, secret } = await app.token('read');
  const stream = await openStream(t, app.port, secret);
  const revoked = performance.now();
  await app.world.metadata.writer.run('RevokeToken', { id, now: 1 });
  await stream.ended;
  assert.ok(performance.now() - revoked < 5_000);
});

test('at drain the streams end, and no new one begins', async (t) => {
  const app = await openApplication(t);
  const { secret } = await app.token('read');
  const stream = await openStream(t, app.port, secret);
  app.services.followers.close();
  await stream.ended;
  const answer = await app.fetch('/api/v1/events', bearer(secret));
  assert.equal(answer.status, 503);
});

test('one caller may hold so many streams, and gets one back when it ends one', async (t) => {
  const app = await openApplication(t);
  const { secret } = await app.token('read');
  const streams = [];
  for (let at = 0; at < 50; at++) streams.push(await openStream(t, app.port, secret));
  const refused = await app.fetch('/api/v1/events', bearer(secret));
  assert.equal(refused.status, 429);
  assert.ok(refused.headers.get('retry-after'));
  streams[0]!.close();
  while (app.services.followers.count === 50) await new Promise(setImmediate);
  await openStream(t, app.port, secret);
});

/** Resolves when the page of the team's events has `count`: what was emitted has been published. */
async function settled(app: Application, secret: string, count: number): Promise<void> {
  for (;;) {
    const answer = await app.fetch('/api/v1/teams/acme/events', bearer(secret));
    const { items } = (await answer.json()) as { items: unknown[] };
    if (items.length >= count) return;
  }
}
