import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ask, eventsOf, expectError, openShop, pushImage } from './repository-test-kit.ts';

async function names(ask: Ask, query: string): Promise<string[]> {
  const found: string[] = [];
  let cursor = '';
  do {
    const { status, body } = await ask('GET', `?${query}${cursor}`);
    assert.equal(status, 200, JSON.stringify(body));
    found.push(...body.items.map((one: { name: string }) => one.name));
    cursor = body.next === null ? '' : `&cursor=${body.next}`;
  } while (cursor !== '');
  return found;
}

describe('creating', () => {
  test('makes it, private unless asked, and says where', async (t) => {
    const { as, app } = await openShop(t);
    const ask = await as('write');
    const made = await ask('POST', '', { name: 'api' });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    assert.equal(made.headers.get('location'), '/api/v1/teams/acme/projects/shop/repositories/api');
    assert.match(made.body.id, /^repo_/);
    assert.deepEqual(made.body, {
      ...{ id: made.body.id, name: 'api', fullName: 'acme/shop/api', visibility: 'private' },
      ...{ imageCount: 0, tagCount: 0, storedBytes: 0, pushedAt: null, pulledAt: null },
      createdAt: new Date(app.world.clock.now()).toISOString(),
    });
    assert.deepEqual((await ask('GET', '/api')).body, made.body);
    const events = await eventsOf(app, made.body.id);
    assert.deepEqual(
      events.map((event) => event.type),
      ['repository.created'],
    );
  });

  test('refuses a name that is taken, one that cannot be, and public ones of who may not manage', async (t) => {
    const { as } = await openShop(t);
    const [writer, admin, reader] = [await as('write'), await as('admin'), await as('read')];
    expectError(await writer('POST', '', { name: 'web' }), 409, 'CONFLICT');
    expectError(await writer('POST', '', { name: 'We_' }), 400, 'INVALID');
    expectError(await writer('POST', '', { name: 'a', more: 1 }), 400, 'INVALID');
    const open = { name: 'open', visibility: 'public' };
    expectError(await writer('POST', '', open), 403, 'DENIED');
    expectError(await reader('POST', '', { name: 'x' }), 403, 'DENIED');
    assert.equal((await admin('POST', '', open)).body.visibility, 'public');
    // A token that may only create makes repositories by pushing, so it may here.
    assert.equal((await (await as('create'))('POST', '', { name: 'new' })).status, 201);
  });

  test('ends at what the plan allows', async (t) => {
    const { as, app } = await openShop(t);
    await app.world.metadata.writer.run('SetTeamPlan', { teamId: 'team_1', plan: 'hobby' });
    for (let at = 1; at < 100; at++) await app.world.ensure(`r${at}`);
    const answer = await (await as('write'))('POST', '', { name: 'r100' });
    expectError(answer, 403, 'QUOTA_EXCEEDED');
    assert.match(answer.body.message, /100/);
  });
});

describe('listing', () => {
  test('comes by name and by last push, both ways, page by page, by part of a name', async (t) => {
    const { as, app } = await openShop(t);
    const ask = await as('read');
    const never = ['a_1', 'a1', 'b'];
    for (const name of never) await app.world.ensure(name);
    for (const name of ['web', 'x']) {
      app.world.pass(1000);
      await pushImage(app, { into: await app.world.ensure(name) });
    }
    const sorted = ['a1', 'a_1', 'b', 'web', 'x'];
    const byPush = ['a1', 'a_1', 'b', 'web', 'x'];
    for (const limit of [1, 2, 5]) {
      assert.deepEqual(await names(ask, `limit=${limit}`), sorted);
      assert.deepEqual(await names(ask, `limit=${limit}&order=desc`), [...sorted].reverse());
      assert.deepEqual(await names(ask, `limit=${limit}&sort=pushed`), [...byPush].reverse());
      assert.deepEqual(await names(ask, `limit=${limit}&sort=pushed&order=asc`), byPush);
    }
    assert.deepEqual(await names(ask, 'name=a_'), ['a_1'], '_ stands for itself');
    assert.deepEqual(await names(ask, 'name=1'), ['a1', 'a_1']);
    assert.deepEqual(await names(ask, 'name=none'), []);
    const other = await ask('GET', '?limit=1');
    expectError(await ask('GET', `?sort=pushed&cursor=${other.body.next}`), 400, 'INVALID');
    expectError(await ask('GET', '?name=%25'), 400, 'INVALID');
    expectError(await ask('GET', '?sort=size'), 400, 'INVALID');
  });

  test('shows strangers what is public, and nothing at all where nothing is', async (t) => {
    const { as, app, anonymous } = await openShop(t);
    const stranger = await as('admin', { teamId: 'team_2' });
    const narrow = await as('admin', { projectIds: ['prj_other'] });
    const absent = await stranger('GET', '/api/v1/teams/acme/projects/none/repositories');
    expectError(absent, 404, 'NOT_FOUND');
    for (const ask of [stranger, narrow]) {
      const hidden = await ask('GET', '');
      assert.deepEqual([hidden.status, hidden.body], [404, absent.body]);
      assert.deepEqual((await ask('GET', '/web')).body, absent.body);
    }
    expectError(await anonymous('GET', ''), 401, 'UNAUTHORIZED');
    await app.world.ensure('open', 'public');
    for (const ask of [stranger, narrow, anonymous]) {
      assert.deepEqual(await names(ask, 'limit=1'), ['open']);
      assert.equal((await ask('GET', '/open')).status, 200);
      assert.equal((await ask('GET', '/web')).status, ask === anonymous ? 401 : 404);
    }
    assert.deepEqual(await names(await as('read'), ''), ['open', 'web']);
  });
});

describe('one of them', () => {
  test('counts what it holds, and says when it was pushed and pulled', async (t) => {
    const { as, app } = await openShop(t);
    const ask = await as('read');
    const image = await pushImage(app, { tags: ['a', 'b'] });
    const { body } = await ask('GET', '/web');
    assert.deepEqual([body.imageCount, body.tagCount], [1, 2]);
    const layers = image.manifest.layers as { size: number }[];
    assert.equal(body.storedBytes, image.config.length + layers[0]!.size);
    assert.equal(body.pushedAt, new Date(app.world.clock.now()).toISOString());
    assert.equal(body.pulledAt, null);

    const { secret } = await app.token('read');
    const basic = `Basic ${Buffer.from(`team_1:${secret}`).toString('base64')}`;
    for (const method of ['HEAD', 'GET']) {
      await app.fetch('/v2/acme/shop/web/manifests/a', {
        method,
        headers: { Authorization: basic },
      });
    }
    assert.deepEqual(app.pulled, [app.world.repository.id], 'a HEAD is no pull');
  });

  test('is made public by who may manage, and at once', async (t) => {
    const { as, anonymous } = await openShop(t);
    const [admin, writer] = [await as('admin'), await as('write')];
    expectError(await writer('PATCH', '/web', { visibility: 'public' }), 403, 'DENIED');
    expectError(await admin('PATCH', '/web', {}), 400, 'INVALID');
    expectError(await anonymous('GET', '/web/tags'), 401, 'UNAUTHORIZED');
    const changed = await admin('PATCH', '/web', { visibility: 'public' });
    assert.deepEqual([changed.status, changed.body.visibility], [200, 'public']);
    assert.deepEqual((await anonymous('GET', '/web/tags')).body, { items: [], next: null });
    await admin('PATCH', '/web', { visibility: 'private' });
    expectError(await anonymous('GET', '/web/tags'), 401, 'UNAUTHORIZED');
  });

  test('is deleted by who may delete, and no other', async (t) => {
    const { as, app, anonymous } = await openShop(t);
    await pushImage(app, { tags: ['a'] });
    const [admin, writer, creator] = [await as('admin'), await as('write'), await as('create')];
    for (const ask of [writer, creator]) expectError(await ask('DELETE', '/web'), 403, 'DENIED');
    expectError(await anonymous('DELETE', '/web'), 401, 'UNAUTHORIZED');
    assert.equal((await admin('DELETE', '/web')).status, 204);
    for (const path of ['/web', '/web/tags']) {
      expectError(await admin('GET', path), 404, 'NOT_FOUND');
    }
    expectError(await admin('DELETE', '/web'), 404, 'NOT_FOUND');
  });
});
