import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plansWith } from '../../../config/plans.ts';
import { digestOf } from '../../../oci/digest.ts';
import { TransferMeter } from '../../../registry/transfer-meter.ts';
import { openApi } from '../api-test-kit.ts';

const type = 'application/vnd.oci.image.manifest.v1+json';

/** The application with limits on the bytes of a team. */
async function openLimited(
  t: Parameters<typeof openApi>[0],
  limits: { storageLimit?: number; transferLimit?: number },
) {
  const plans = plansWith(limits);
  const kit = await openApi(t, ({ metadata, clock }) => ({
    plans,
    transfer: new TransferMeter({ ...metadata, plans, clock, everyMs: 2 ** 31 - 1 }),
  }));
  const { app } = kit;
  const { basic } = await app.token('admin');
  const put = async (content: string, as = basic) => {
    const digest = digestOf(Buffer.from(content));
    const path = `/v2/acme/shop/web/blobs/uploads/?digest=${digest}`;
    const headers = { Authorization: as };
    const answer = await app.fetch(path, { method: 'POST', headers, body: content });
    return { status: answer.status, text: await answer.text(), digest };
  };
  const get = (digest: string, headers: Record<string, string> = {}) =>
    app.fetch(`/v2/acme/shop/web/blobs/${digest}`, {
      headers: { Authorization: basic, ...headers },
    });
  const tag = async (name: string, as = basic) => {
    const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: '', size: 2 };
    const { digest } = await put('{}', as);
    const body = JSON.stringify({
      ...{ schemaVersion: 2, mediaType: type, artifactType: 'text/x', name },
      ...{ config: { ...empty, digest }, layers: [{ ...empty, digest }] },
    });
    const headers = { Authorization: as, 'Content-Type': type };
    const path = `/v2/acme/shop/web/manifests/${name}`;
    const answer = await app.fetch(path, { method: 'PUT', headers, body });
    return { status: answer.status, warning: answer.headers.get('warning') ?? '' };
  };
  return { ...kit, put, get, tag };
}

test('usage: what is held and moved, against the limits of the plan', async (t) => {
  const limits = { storageLimit: 1000, transferLimit: 2000 };
  const { call, token, put, get, tag, app } = await openLimited(t, limits);
  const { digest } = await put('x'.repeat(100));
  await get(digest);
  await get(digest, { Range: 'bytes=0-9' });
  assert.equal((await tag('v1')).status, 201);
  await app.services.transfer.flush();
  const as = await token({ scope: 'read' });
  const { body } = await call('GET', '/teams/acme/usage', { as });
  assert.deepEqual(body, {
    ...{ plan: 'pro', month: '2026-11', projects: 1 },
    repositories: { used: 1, most: 1, limit: 1000, limitPer: 'project' },
    images: { used: 1, most: 1, limit: 10_000, limitPer: 'repository' },
    tags: { used: 1, most: 1, limit: 10_000, limitPer: 'repository' },
    storedBytes: { used: 102, limit: 1000, limitPer: 'team' },
    pulledBytes: { used: 110, limit: 2000, limitPer: 'team' },
    pushedBytes: { used: 102, limit: null, limitPer: 'team' },
  });
  const own = await call('GET', '/teams/acme/projects/shop/usage', { as });
  assert.deepEqual(own.body, body);
  await app.services.metadata.writer.run('UnlinkBlob', {
    ...{ repositoryId: app.world.repository.id, digest },
  });
  const after = await call('GET', '/teams/acme/usage', { as });
  assert.equal(after.body.storedBytes.used, 2);
});

test('storage: past the limit a blob is refused and its bytes go, and nothing new can be pushed', async (t) => {
  const { put, app } = await openLimited(t, { storageLimit: 100 });
  const before = await app.world.files();
  assert.equal((await put('a'.repeat(60))).status, 201);
  const refused = await put('b'.repeat(60));
  assert.equal(refused.status, 403);
  assert.match(refused.text, /"DENIED".*pro plan allows 100/);
  const { blobs, uploads } = app.world.metadata;
  assert.deepEqual(await uploads.expired(Number.MAX_SAFE_INTEGER, 10), [], 'the session has ended');
  assert.equal((await blobs.discardedKeys(10)).length, 1, 'its bytes are to be removed');
  assert.equal((await app.world.files()).length, before.length + 2);
  assert.equal((await put('a'.repeat(60))).status, 201, 'what is there is there');
  assert.equal((await put('c'.repeat(40))).status, 201, 'up to the limit');
  const full = await put('d');
  assert.equal(full.status, 403);
  assert.match(full.text, /stores as much as the pro plan allows/);
});

test('storage: a mount counts, and is refused past the limit', async (t) => {
  const { put, app } = await openLimited(t, { storageLimit: 100 });
  const { digest } = await put('a'.repeat(60));
  await app.world.ensure('other');
  const { basic } = await app.token('admin');
  const mount = `/v2/acme/shop/other/blobs/uploads/?mount=${digest}&from=acme/shop/web`;
  const options = { method: 'POST', headers: { Authorization: basic } };
  assert.equal((await app.fetch(mount, options)).status, 403);
});

test('transfer: past the limit pulls of blobs are denied, and counted no more', async (t) => {
  const { put, get, app } = await openLimited(t, { transferLimit: 150 });
  const { digest } = await put('x'.repeat(100));
  const { transfer } = app.services;
  assert.equal((await get(digest)).status, 200);
  await transfer.flush();
  assert.equal((await get(digest)).status, 200, 'begun below the limit');
  const refused = await get(digest);
  assert.equal(refused.status, 403);
  const { errors } = (await refused.json()) as { errors: { code: string; message: string }[] };
  assert.equal(errors[0]?.code, 'DENIED');
  assert.match(errors[0]!.message, /transfer of this month is used up.*2026-12-01/);
  const head = await app.fetch(`/v2/acme/shop/web/blobs/${digest}`, {
    ...{ method: 'HEAD', headers: { Authorization: (await app.token('read')).basic } },
  });
  assert.equal(head.status, 200);
});

test('a push warns of limits that are nearly used up, and of a token that ends soon', async (t) => {
  const { put, tag, app, token } = await openLimited(t, { storageLimit: 1000 });
  assert.equal((await tag('v1')).warning, '');
  await put('x'.repeat(900));
  const near = await tag('v2');
  assert.equal(near.status, 201);
  assert.match(near.warning, /^299 - "902 of the 1000 bytes that the team may store/);
  const login = (secret: string) => `Basic ${Buffer.from(`team_1:${secret}`).toString('base64')}`;
  const now = app.world.clock.now();
  const ending = await tag('v3', login(await token({ expiresAt: now + 6.9 * 864e5 })));
  assert.match(ending.warning, /299 - "The token expires at 2026-11-2/);
  const lasting = await tag('v4', login(await token({ expiresAt: now + 7.1 * 864e5 })));
  assert.doesNotMatch(lasting.warning, /expires/);
});
