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
    alreadyThere: false,
  });
  assert.equal((await admin('GET', '/web/tags/v1')).body.digest, one.digest);
  assert.notEqual((await admin('GET', '/web/tags/latest')).body.digest, one.digest);
  const again = await admin('POST', restore);
  assert.deepEqual(again.body, {
    ...{ digest: index.digest, tags: [], tagsTaken: [], manifests: [], alreadyThere: true },
  });
  expectError(
    await admin('POST', `/web/deleted/sha256:${'0'.repeat(64)}/restore`),
    ...([404, 'NOT_FOUND'] as const),
  );
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

test('an image that was pushed again is no deleted one', async (t) => {
  const { as, app } = await openShop(t);
  const admin = await as('admin');
  const one = await pushImage(app, { tags: ['v1', 'old'] });
  assert.equal((await admin('DELETE', `/web/manifests/${one.digest}`)).status, 204);
  assert.equal((await admin('GET', '/web/deleted')).body.items.length, 1);
  const again = await app.fetch('/v2/acme/shop/web/manifests/v1', {
    ...{ method: 'PUT', body: new Uint8Array(one.bytes) },
    headers: {
      authorization: (await app.token('write')).basic,
      'content-type': one.manifest.mediaType,
    },
  });
  assert.equal(again.status, 201);
  assert.deepEqual((await admin('GET', '/web/deleted')).body.items, []);
  const restored = await admin('POST', `/web/deleted/${one.digest}/restore`);
  assert.equal(restored.status, 200);
  assert.equal(restored.body.alreadyThere, true);
  expectError(await admin('GET', '/web/tags/old'), 404, 'NOT_FOUND');
  // Deleted once more, it is in the list once more.
  assert.equal((await admin('DELETE', `/web/manifests/${one.digest}`)).status, 204);
  const { body } = await admin('GET', '/web/deleted');
  assert.deepEqual(
    body.items.map(({ tags }: { tags: string[] }) => tags),
    [['v1']],
  );
});

test('where nothing is to come back, nothing is kept', async (t) => {
  const { as, app } = await openShop(t);
  Object.assign(app.services.settings, { undeleteForMs: 0 });
  const admin = await as('admin');
  const { digest } = await pushImage(app);
  assert.equal((await admin('DELETE', `/web/manifests/${digest}`)).status, 204);
  assert.deepEqual((await admin('GET', '/web/deleted')).body.items, []);
});
