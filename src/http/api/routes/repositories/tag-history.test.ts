import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectError, openShop, pushImage } from './repository-test-kit.ts';

test("a tag's history comes page by page, the latest first, and the tag goes back by it", async (t) => {
  const { as, app } = await openShop(t);
  const [reader, writer, admin] = [await as('read'), await as('write'), await as('admin')];
  const one = await pushImage(app, { tags: ['latest'] });
  app.world.pass(1000);
  const two = await pushImage(app, { tags: ['latest'] });
  app.world.pass(1000);
  assert.equal((await admin('DELETE', '/web/tags/latest')).status, 204);
  const path = '/web/tags/latest/history';
  const first = await reader('GET', `${path}?limit=2`);
  assert.equal(first.status, 200);
  const rest = await reader('GET', `${path}?limit=2&cursor=${first.body.next}`);
  assert.equal(rest.body.next, null);
  const shown = [...first.body.items, ...rest.body.items].map(({ action, digest }) => [
    action,
    digest,
  ]);
  assert.deepEqual(shown, [
    ['deleted', two.digest],
    ['set', two.digest],
    ['set', one.digest],
  ]);
  const back = await writer('PUT', '/web/tags/latest', { digest: rest.body.items[0].digest });
  assert.equal(back.status, 201);
  const { items } = (await reader('GET', path)).body;
  assert.deepEqual([items.length, items[0].digest], [4, one.digest]);
  assert.equal(items[3].actor, 'pusher');
  expectError(await reader('GET', '/web/tags/none/history'), 404, 'NOT_FOUND');
});
