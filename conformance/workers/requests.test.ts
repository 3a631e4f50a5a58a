/** Requests of one client over the workers of one server: nothing is bound to the one that began it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { StreamEar } from '../faults/support/event-listeners.ts';
import { expectStatus } from '../spec/check.ts';
import { addQuery, basic, type Registry } from '../spec/client.ts';
import { content, fresh, imageConfig, layer, manifest, mediaTypes } from '../spec/content.ts';
import {
  beginUpload,
  closeUpload,
  eachOf,
  expectCreated,
  octets,
  pushBlob,
  putManifest,
  sendChunk,
} from '../spec/push.ts';
import { World } from './support/world.ts';

const revokedWithinMs = 2_500;
const failures = 10;
const large = () => content(randomBytes(9 << 20), mediaTypes.bytes);

describe('two workers on one data folder', { timeout: 120_000 }, () => {
  let world: World;
  let repository: string;
  let both: readonly [Registry, Registry];
  before(async () => {
    world = await World.start({ GANTRY_RATE_LOGIN_FAILURES: String(failures) });
    repository = `${world.project}/split`;
    both = (await world.each()).map(({ registry }) => registry) as [Registry, Registry];
  });
  after(() => world?.stop());

  test('each chunk of an upload goes to the other worker', async () => {
    const blob = large();
    const size = 3 << 20;
    let location = await beginUpload(both[0], repository);
    let turn = 1;
    for (let start = 0; start < blob.bytes.length; start += size, turn ^= 1) {
      const piece = blob.bytes.subarray(start, start + size);
      const sent = await sendChunk(both[turn]!, location, piece, start);
      location = expectStatus(sent, 202).location();
      const asked = expectStatus(await both[turn ^ 1]!.get(location), 204);
      assert.equal(asked.header('range'), `0-${start + piece.length - 1}`);
    }
    await expectCreated(both[0], await closeUpload(both[turn]!, location, blob.digest), blob);
  });

  test('small chunks, and the last with the finish; a digest that is not the bytes’ is refused', async () => {
    for (const right of [true, false]) {
      const blob = content(randomBytes(3000), mediaTypes.bytes);
      let location = await beginUpload(both[1], repository);
      for (const [at, start] of [0, 1000].entries()) {
        const piece = blob.bytes.subarray(start, start + 1000);
        const sent = await sendChunk(both[at % 2]!, location, piece, start);
        location = expectStatus(sent, 202).location();
      }
      const last = right ? blob.bytes.subarray(2000) : randomBytes(1000);
      const answer = await closeUpload(both[0], location, blob.digest, last);
      if (right) await expectCreated(both[1], answer, blob);
      else expectStatus(answer, 400);
    }
  });

  test('two workers that get a chunk of one upload at once: one takes it, and what is stored is its bytes', async () => {
    for (let round = 0; round < 2; round++) {
      const [mine, theirs] = [large(), large()];
      const location = await beginUpload(both[0], repository);
      const begun = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const slow = async function* () {
        yield* eachOf([mine.bytes.subarray(0, 6 << 20)]);
        begun.resolve();
        await goOn.promise;
        yield* eachOf([mine.bytes.subarray(6 << 20)]);
      };
      const first = both[0].ask('PATCH', location, { headers: octets, body: slow() });
      await begun.promise;
      // Its first bytes have left: the worker has the upload soon.
      await delay(100);
      const finish = { headers: octets, body: theirs.bytes };
      const target = addQuery(location, { digest: theirs.digest });
      const second = await both[1].ask('PUT', target, finish);
      goOn.resolve();
      const taken = await first;
      if (taken.status === 202) {
        expectStatus(second, 409, 416);
        const end = await closeUpload(both[1], taken.location(), mine.digest);
        await expectCreated(both[0], end, mine);
      } else {
        expectStatus(taken, 404, 409, 416);
        await expectCreated(both[0], expectStatus(second, 201), theirs);
      }
    }
  });

  test('what is pushed at one is pulled at the other at once', async () => {
    for (let at = 0; at < 6; at++) {
      const [from, to] = at % 2 ? both : [both[1], both[0]];
      const base = layer();
      const config = imageConfig([base.diffId]);
      for (const blob of [base, config]) expectStatus(await pushBlob(from, repository, blob), 201);
      const image = manifest(mediaTypes.manifest, {
        ...{ config: config.descriptor, layers: [base.descriptor] },
      });
      expectStatus(await putManifest(from, repository, 'latest', image), 201);
      const got = expectStatus(await to.get(`/v2/${repository}/manifests/latest`), 200);
      assert.ok(got.body.equals(image.bytes));
      expectStatus(await to.get(`/v2/${repository}/blobs/${base.digest}`), 200);
    }
  });

  test('events of a push are streamed, and If-Match sees every change, through any worker', async (t) => {
    const stream = new StreamEar();
    t.after(() => stream.stop());
    stream.follow(world.origin, world.authorization);
    while (stream.connections === 0) await delay(10);
    const empty = content('{}', mediaTypes.empty);
    expectStatus(await pushBlob(both[1], repository, empty), 201);
    const image = manifest(mediaTypes.manifest, {
      ...{ config: empty.descriptor, layers: [], annotations: { at: fresh('a') } },
    });
    const before = stream.positions.length;
    expectStatus(await putManifest(both[1], repository, image.digest, image), 201);
    const began = performance.now();
    while (stream.positions.length === before) {
      assert.ok(performance.now() - began < 2_000, 'nobody heard of it');
      await delay(10);
    }
    const { teamSlug, projectSlug } = world.bootstrap;
    const project = `/teams/${teamSlug}/projects/${projectSlug}`;
    const etag = (await world.api('GET', project)).headers.get('etag')!;
    const changes = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((at) =>
        world.api(
          ...(['PATCH', project] as const),
          { settings: { functions: { productionTag: `tag-${at}` } } },
          { 'if-match': etag },
        ),
      ),
    );
    assert.deepEqual(
      changes.map(({ status }) => status).sort(),
      [200, 412, 412, 412, 412, 412],
      await changes[0]!.text(),
    );
  });

  test('a token is good at all, and revoked at all within 2 s', async (t) => {
    const teams = `/teams/${world.bootstrap.teamSlug}/tokens`;
    const made = await world.api('POST', teams, { name: 'short-lived', scope: 'write' });
    assert.equal(made.status, 201, await made.clone().text());
    const { token, id } = (await made.json()) as { token: string; id: string };
    const own = basic(world.bootstrap.teamId, token);
    const scope = `scope=repository:${repository}:pull,push&service=gantry`;
    const signed = await fetch(`${world.origin}/token?${scope}`, {
      headers: { authorization: own },
    });
    assert.equal(signed.status, 200);
    const bearer = `Bearer ${((await signed.json()) as { token: string }).token}`;
    const callers = [...(await world.each(2, own)), ...(await world.each(2, bearer))];
    const target = `/v2/${repository}/tags/list`;
    for (const { registry } of callers) expectStatus(await registry.get(target), 200);
    assert.equal((await world.api('DELETE', `${teams}/${id}`)).status, 204);
    const began = performance.now();
    for (const { registry } of callers) {
      while ((await registry.get(target)).status === 200) {
        assert.ok(performance.now() - began < revokedWithinMs, 'it is still good');
        await delay(50);
      }
    }
    t.diagnostic(`refused after ${Math.round(performance.now() - began)} ms`);
  });

  test('failed logins are counted over all workers, and the API together', async () => {
    const wrong = basic('team_of-nobody', 'gnt_not-a-token');
    const guess = async () => {
      // Each on a connection of its own.
      const answer = await world.registry(wrong).get('/token?service=gantry', { check: false });
      return answer.status;
    };
    const statuses: number[] = [];
    for (let at = 0; at < failures + 6; at++) statuses.push(await guess());
    assert.deepEqual(statuses, [
      ...Array<number>(failures).fill(401),
      ...Array<number>(6).fill(429),
    ]);
    for (const { registry } of await world.each(2)) {
      const refused = await registry.as(wrong).get('/v2/', { check: false });
      assert.equal(refused.status, 429);
    }
    const api = await world.api('GET', '/me', undefined, { authorization: wrong });
    assert.equal(api.status, 429);
  });

  test('whose a request is, no client says: the address in the audit log is its own', async () => {
    const { teamSlug } = world.bootstrap;
    const spoofed = {
      'x-gantry-direct-client': 'https 10.9.8.7',
      'x-forwarded-for': '10.9.8.7',
      'x-gantry-forwarded': 'WzAsIjEwLjkuOC43Il0.AAAA',
    };
    const name = fresh('spoofed');
    const made = await world.api('POST', `/teams/${teamSlug}/projects`, { slug: name }, spoofed);
    assert.equal(made.status, 201, await made.text());
    const began = performance.now();
    for (;;) {
      const answer = await world.api('GET', `/teams/${teamSlug}/audit?limit=50`);
      const { items } = (await answer.json()) as { items: { action: string; address: string }[] };
      const found = items.find(({ action }) => /project/i.test(action));
      if (found) {
        assert.match(found.address, /^(::ffff:)?127\.0\.0\.1$/);
        break;
      }
      assert.ok(performance.now() - began < 3_000, JSON.stringify(items));
      await delay(50);
    }
  });

  test('one scrape shows what all workers did, and goes on growing when one of them ends', async () => {
    const requests = async () => {
      // A connection may reach one that is about to be gone.
      const scrape = () => world.registry().get('/metrics', { check: false });
      const text = (await scrape().catch(scrape).catch(scrape)).text();
      const lines = text.matchAll(/^gantry_http_requests_total\{route="base",[^}]*\} (\d+)$/gm);
      return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const before = await requests();
    const clients = await world.each();
    const probes = (await requests()) - before;
    for (const { registry } of clients)
      for (let at = 0; at < 5; at++) expectStatus(await registry.get('/v2/'), 200);
    const all = await requests();
    assert.equal(all, before + probes + 10);
    process.kill(world.workers()[0]!, 'SIGKILL');
    await world.untilWorkers(1);
    assert.ok((await requests()) >= all, 'the sum fell');
    await world.untilWorkers(2);
    await world.each();
    assert.ok((await requests()) > all);
  });
});
