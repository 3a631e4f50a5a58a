import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Ask,
  eventsOf,
  expectError,
  openShop,
  pushImage,
  pushIndex,
} from './repository-test-kit.ts';

async function names(ask: Ask, query: string): Promise<string[]> {
  const found: string[] = [];
  let cursor = '';
  do {
    const { status, body } = await ask('GET', `/web/tags?${query}${cursor}`);
    assert.equal(status, 200, JSON.stringify(body));
    found.push(...body.items.map((one: { name: string }) => one.name));
    cursor = body.next === null ? '' : `&cursor=${body.next}`;
  } while (cursor !== '');
  return found;
}

describe('listing', () => {
  test('comes by name and by date, both ways, page by page', async (t) => {
    const { as, app } = await openShop(t);
    const ask = await as('read');
    await pushImage(app, { tags: ['b', 'B', '_x'] });
    app.world.pass(1000);
    await pushImage(app, { tags: ['a', '10'] });
    app.world.pass(1000);
    await pushImage(app, { tags: ['b'] });
    const byName = ['10', 'B', '_x', 'a', 'b'];
    const byDate = ['B', '_x', '10', 'a', 'b'];
    for (const limit of [1, 2, 3, 100]) {
      assert.deepEqual(await names(ask, `limit=${limit}`), byName);
      assert.deepEqual(await names(ask, `limit=${limit}&order=desc`), [...byName].reverse());
      assert.deepEqual(await names(ask, `limit=${limit}&sort=date`), [...byDate].reverse());
      assert.deepEqual(await names(ask, `limit=${limit}&sort=date&order=asc`), byDate);
    }
  });

  test('shows what each tag points at', async (t) => {
    const { as, app } = await openShop(t);
    const ask = await as('read');
    const amd = await pushImage(app);
    const arm = await pushImage(app, { config: { architecture: 'arm64' } });
    const index = await pushIndex(app, [amd, arm], { tags: ['all'] });
    const { body } = await ask('GET', '/web/tags');
    const sizeOf = ({ manifest, config }: typeof amd) =>
      config.length + (manifest.layers as { size: number }[])[0]!.size;
    const at = new Date(app.world.clock.now()).toISOString();
    assert.deepEqual(body.items, [
      {
        name: 'all',
        digest: index.digest,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        size: index.bytes.length,
        imageSize: sizeOf(amd) + sizeOf(arm),
        platforms: body.items[0].platforms,
        createdAt: at,
        pushedAt: at,
        pushedBy: 'pusher',
      },
    ]);
    assert.deepEqual(body.items[0].platforms.toSorted(), ['linux/amd64', 'linux/arm64']);
    assert.deepEqual((await ask('GET', '/web/tags/all')).body, body.items[0]);
    expectError(await ask('GET', '/web/tags/none'), 404, 'NOT_FOUND');
  });
});

describe('moving a tag', () => {
  test('new ones by who may create, others by who may push', async (t) => {
    const { as, app } = await openShop(t);
    const [creator, writer, reader] = [await as('create'), await as('write'), await as('read')];
    const one = await pushImage(app, { tags: ['latest'] });
    const two = await pushImage(app);
    const target = { digest: two.digest };
    expectError(await reader('PUT', '/web/tags/v2', target), 403, 'DENIED');
    const made = await creator('PUT', '/web/tags/v2', target);
    assert.deepEqual([made.status, made.body.digest], [201, two.digest]);
    assert.equal(
      made.headers.get('location'),
      '/api/v1/teams/acme/projects/shop/repositories/web/tags/v2',
    );
    assert.equal((await creator('PUT', '/web/tags/v2', target)).status, 200, 'to where it points');
    const denied = await creator('PUT', '/web/tags/latest', target);
    expectError(denied, 403, 'DENIED');
    assert.match(denied.body.hint, /new tag/);
    assert.equal((await reader('GET', '/web/tags/latest')).body.digest, one.digest);
    const moved = await writer('PUT', '/web/tags/latest', target);
    assert.deepEqual([moved.status, moved.body.digest], [200, two.digest]);
    const events = await eventsOf(app, app.world.repository.id);
    assert.deepEqual(
      events.filter(({ type }) => type === 'tag.moved').map(({ data }) => [data.tag, data.from]),
      [
        ['latest', null],
        ['v2', null],
        ['latest', one.digest],
      ],
    );
  });

  test('only to what the repository itself holds, and by a name that can be', async (t) => {
    const { as, app } = await openShop(t);
    const writer = await as('write');
    const elsewhere = await pushImage(app, { into: await app.world.ensure('other') });
    const put = (tag: string, digest: string) => writer('PUT', `/web/tags/${tag}`, { digest });
    const absent = `sha256:${'0'.repeat(64)}`;
    const [there, nowhere] = [await put('a', elsewhere.digest), await put('a', absent)];
    expectError(there, 404, 'NOT_FOUND');
    assert.equal(
      JSON.stringify(there.body).replaceAll(elsewhere.digest, absent),
      JSON.stringify(nowhere.body),
    );
    expectError(await put('a', 'sha256:short'), 400, 'INVALID');
    const named = await put('-a', elsewhere.digest);
    expectError(named, 400, 'INVALID');
    assert.match(named.body.hint, /^Letters, digits/);
    expectError(await put('a'.repeat(129), elsewhere.digest), 400, 'INVALID');
  });

  test('ends at what the plan allows', async (t) => {
    const { as, app } = await openShop(t);
    await app.world.metadata.writer.run('SetTeamPlan', { teamId: 'team_1', plan: 'hobby' });
    const tags = Array.from({ length: 1000 }, (_, at) => `t${at}`);
    const { digest } = await pushImage(app, { tags });
    const writer = await as('write');
    expectError(await writer('PUT', '/web/tags/more', { digest }), 403, 'QUOTA_EXCEEDED');
  });
});

test('a tag is deleted by who may delete; its image stays', async (t) => {
  const { as, app } = await openShop(t);
  const { digest } = await pushImage(app, { tags: ['a', 'b'] });
  for (const scope of ['create', 'write'] as const) {
    expectError(await (await as(scope))('DELETE', '/web/tags/a'), 403, 'DENIED');
  }
  const admin = await as('admin');
  assert.equal((await admin('DELETE', '/web/tags/a')).status, 204);
  expectError(await admin('DELETE', '/web/tags/a'), 404, 'NOT_FOUND');
  assert.equal((await admin('GET', '/web/tags/b')).body.digest, digest);
  assert.equal((await admin('GET', '/web')).body.tagCount, 1);
});
