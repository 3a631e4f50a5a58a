import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expectError, openShop, pushImage, pushIndex } from './repository-test-kit.ts';

describe('listing', () => {
  test('the latest first, page by page', async (t) => {
    const { as, app } = await openShop(t);
    const ask = await as('read');
    const pushed: string[] = [];
    for (let at = 0; at < 5; at++) {
      if (at % 2 === 0) app.world.pass(10);
      pushed.push((await pushImage(app, { tags: [`t${at}`, 'latest'] })).digest);
    }
    const all = (await ask('GET', '/web/manifests')).body.items;
    const times = all.map((row: { pushedAt: string }) => row.pushedAt);
    assert.deepEqual(times, times.toSorted().reverse());
    assert.deepEqual(all.map((row: { digest: string }) => row.digest).sort(), pushed.toSorted());
    assert.deepEqual(all[0].tags, ['latest', 't4']);
    assert.deepEqual([all[0].kind, all[0].platforms], ['image', ['linux/amd64']]);
    const paged = [];
    let cursor = '';
    do {
      const { body } = await ask('GET', `/web/manifests?limit=2${cursor}`);
      paged.push(...body.items);
      cursor = body.next === null ? '' : `&cursor=${body.next}`;
    } while (cursor !== '');
    assert.deepEqual(paged, all);
  });
});

describe('A2, A13: what another repository holds is as absent as what nobody holds', () => {
  test('by digest, whoever asks', async (t) => {
    const { as, app } = await openShop(t);
    const absent = `sha256:${'0'.repeat(64)}`;
    const elsewhere = await pushImage(app, { into: await app.world.ensure('other'), tags: ['x'] });
    const own = await pushImage(app);
    const admin = await as('admin');
    for (const method of ['GET', 'DELETE']) {
      const one = await admin(method, `/web/manifests/${elsewhere.digest}`);
      const none = await admin(method, `/web/manifests/${absent}`);
      expectError(one, 404, 'NOT_FOUND');
      const text = JSON.stringify(one.body).replaceAll(elsewhere.digest, absent);
      assert.equal(text, JSON.stringify(none.body));
    }
    assert.equal((await admin('GET', `/other/manifests/${elsewhere.digest}`)).status, 200);
    expectError(await admin('GET', '/web/manifests/sha256:short'), 400, 'INVALID');
    expectError(await admin('GET', '/web/manifests/latest'), 400, 'INVALID');
    const stranger = await as('admin', { teamId: 'team_2' });
    for (const method of ['GET', 'DELETE']) {
      const there = await stranger(method, `/web/manifests/${own.digest}`);
      const nowhere = await stranger(method, `/none/manifests/${absent}`);
      expectError(there, 404, 'NOT_FOUND');
      assert.deepEqual(there.body, nowhere.body);
    }
  });
});

describe('deleting', () => {
  test('takes the tags along, and is refused while an index needs it', async (t) => {
    const { as, app } = await openShop(t);
    const [admin, writer, creator] = [await as('admin'), await as('write'), await as('create')];
    const image = await pushImage(app, { tags: ['one'] });
    const index = await pushIndex(app, [image], { tags: ['all'] });
    for (const ask of [writer, creator]) {
      expectError(await ask('DELETE', `/web/manifests/${index.digest}`), 403, 'DENIED');
    }
    const refused = await admin('DELETE', `/web/manifests/${image.digest}`);
    expectError(refused, 409, 'IN_USE');
    assert.match(refused.body.message, new RegExp(index.digest));
    for (const { digest } of [index, image]) {
      assert.equal((await admin('DELETE', `/web/manifests/${digest}`)).status, 204);
      expectError(await admin('GET', `/web/manifests/${digest}`), 404, 'NOT_FOUND');
      expectError(await admin('DELETE', `/web/manifests/${digest}`), 404, 'NOT_FOUND');
    }
    assert.deepEqual((await admin('GET', '/web/tags')).body.items, []);
    const { body } = await admin('GET', '/web');
    assert.deepEqual([body.imageCount, body.tagCount], [0, 0]);
  });
});
