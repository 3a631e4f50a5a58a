import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectError, openShop, pushImage, pushIndex } from './repository-test-kit.ts';

test('what was deleted is listed, comes back, and is pulled again', async (t) => {
  const { as, app } = await openShop(t);
  const [admin, writer] = [await as('admin'), await as('write')];
  const one = await pushImage(app, { tags: ['v1', 'latest'] });
  const index = await pushIndex(app, [one], { tags: ['all'] });
  for (const digest of [index.digest, one.digest])
    assert.equal((await admin('DELETE', `/web/manifests/${digest}`)).status, 204);
  await pushImage(app, { tags: ['latest'] });
  expectError(await writer('GET', '/web/deleted'), 403, 'DENIED');
  const { body } = await admin('GET', '/web/deleted');
  const at = app.world.clock.now();
  const shown = body.items.map((item: { digest: string; tags: string[] }) => [
    item.digest,
    item.tags,
  ]);
  assert.equal(shown.length, 2);
  assert.deepEqual(new Map(shown).get(one.digest), ['latest', 'v1']);
  assert.equal(body.items[0].restorableUntil, new Date(at + 86_400_000).toISOString());

  const restore = `/web/deleted/${index.digest}/restore`;
  expectError(await writer('POST', restore), 403, 'DENIED');
  const back = await admin('POST', restore);
  assert.deepEqual(back.body, {
    ...{ digest: index.digest, tags: ['all'], tagsTaken: [], manifests: [one.digest] },
  });
  assert.equal((await admin('GET', '/web/tags/v1')).body.digest, one.digest);
  assert.notEqual((await admin('GET', '/web/tags/latest')).body.digest, one.digest);
  expectError(await admin('POST', restore), 404, 'NOT_FOUND');
  const { basic } = await app.token('read');
  const pulled = await app.fetch('/v2/acme/shop/web/manifests/all', {
    headers: { authorization: basic },
  });
  assert.deepEqual(Buffer.from(await pulled.arrayBuffer()), index.bytes);

  assert.equal((await admin('DELETE', `/web/manifests/${index.digest}`)).status, 204);
  app.world.pass(86_400_000);
  assert.deepEqual((await admin('GET', '/web/deleted')).body.items, []);
  expectError(await admin('POST', restore), 404, 'NOT_FOUND');
});

test('where nothing is to come back, nothing is kept', async (t) => {
  const { as, app } = await openShop(t);
  Object.assign(app.services.settings, { undeleteForMs: 0 });
  const admin = await as('admin');
  const { digest } = await pushImage(app);
  assert.equal((await admin('DELETE', `/web/manifests/${digest}`)).status, 204);
  assert.deepEqual((await admin('GET', '/web/deleted')).body.items, []);
});
