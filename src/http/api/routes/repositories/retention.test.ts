import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectError, openShop, pushImage, pushIndex } from './repository-test-kit.ts';

const day = 86_400_000;

test('a dry run tells why each stays or goes and what it frees; a run deletes it, and it can come back', async (t) => {
  const { as, app } = await openShop(t);
  const [admin, writer] = [await as('admin'), await as('write')];
  const shared = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    bytes: Buffer.alloc(700, 7),
  };
  const own = { ...shared, bytes: Buffer.alloc(300, 8) };
  const old = await pushImage(app, { layers: [shared, own] });
  const index = await pushIndex(app, [old], { tags: ['v1'] });
  app.world.pass(2 * day);
  const kept = await pushImage(app, { layers: [shared], tags: ['v2', 'latest'] });
  const retention = [{ tags: ['v*', 'latest'], keepNewest: 1 }];
  expectError(await admin('PUT', '/web/rules', { retention: [{ tags: ['v*'] }] }), 400, 'INVALID');
  assert.equal((await admin('PUT', '/web/rules', { retention })).status, 200);
  assert.deepEqual((await admin('GET', '/web/rules')).body.effective.retention, retention);

  expectError(await writer('POST', '/web/retention', { dryRun: true }), 403, 'DENIED');
  const tried = (await admin('POST', '/web/retention', { dryRun: true })).body;
  const shown = Object.fromEntries(
    tried.items.map((item: { digest: string; reason: string; by: string; bytes: number }) => [
      item.digest,
      [item.reason, item.by, item.bytes],
    ]),
  );
  const childBytes = old.bytes.length + 300 + old.config.length;
  assert.deepEqual(shown, {
    [index.digest]: ['expired', 'v1', index.bytes.length],
    [old.digest]: ['with-index', index.digest, childBytes],
    [kept.digest]: ['newest', 'latest', 0],
  });
  const { removed, left, bytes } = tried;
  assert.deepEqual([tried.kept, removed, left], [1, 2, 0]);
  assert.equal(bytes, index.bytes.length + childBytes);
  assert.equal((await admin('GET', '/web')).body.imageCount, 3);

  const done = (await admin('POST', '/web/retention', {})).body;
  assert.deepEqual({ ...done, dryRun: true }, tried);
  assert.equal((await admin('GET', '/web')).body.imageCount, 1);
  assert.equal((await admin('POST', '/web/retention', {})).body.removed, 0);
  const deleted = (await admin('GET', '/web/deleted')).body.items;
  assert.deepEqual([deleted.length, deleted[0].deletedBy], [2, 'retention']);
  assert.equal((await admin('POST', `/web/deleted/${index.digest}/restore`)).status, 200);
  assert.equal((await admin('GET', '/web/tags/v1')).body.digest, index.digest);
});

test('a pull keeps an image, as the rule has it', async (t) => {
  const { as, app } = await openShop(t);
  const admin = await as('admin');
  const [used, unused] = [
    await pushImage(app, { tags: ['used'] }),
    await pushImage(app, { tags: ['unused'] }),
  ];
  app.world.pass(9 * day);
  const { basic } = await app.token('read');
  const pull = (tag: string, method: string) =>
    app.fetch(`/v2/acme/shop/web/manifests/${tag}`, { method, headers: { authorization: basic } });
  assert.equal((await pull('used', 'GET')).status, 200);
  assert.equal((await pull('unused', 'HEAD')).status, 200);
  const retention = [{ tags: ['*'], keepPulledDays: 5 }];
  assert.equal((await admin('PUT', '/web/rules', { retention })).status, 200);
  // By itself, as the maintenance does it.
  await app.services.retainer.runAll();
  const { items } = (await admin('GET', '/web/manifests')).body;
  assert.deepEqual(
    items.map((item: { digest: string }) => item.digest),
    [used.digest],
  );
  const [gone] = (await admin('GET', '/web/deleted')).body.items;
  assert.equal(gone.digest, unused.digest);
});
