/** Uploads, pulls and credentials over two replicas: nothing is bound to the one that began it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Line } from '../../src/http/http-test-kit.ts';
import { expectStatus } from '../spec/check.ts';
import { addQuery, basic, type Registry } from '../spec/client.ts';
import { content, imageConfig, layer, manifest, mediaTypes } from '../spec/content.ts';
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
import { type BlobsOn, obstacle, startTopology, type Topology } from './support/topology.ts';

/** A Location names nginx; the tests say which replica gets what. */
const here = (location: string) => location.replace(/^https?:\/\/[^/]+/, '');
const large = () => content(randomBytes(13 << 20), mediaTypes.bytes);
const revokedWithinMs = 2_500;

for (const blobs of ['s3', 'folder'] as const satisfies readonly BlobsOn[]) {
  const skip = obstacle(blobs);
  describe(`two replicas, blobs on ${blobs}`, skip ? { skip } : {}, () => {
    let world: Topology;
    let repository: string;
    let both: readonly [Registry, Registry];
    test('both start at once on nothing', async () => {
      world = await startTopology(blobs);
      repository = `${world.project}/split`;
      both = [world.registry(0), world.registry(1)];
      for (const one of both) expectStatus(await one.get('/v2/'), 200);
    });

    test('each chunk of an upload goes to the other replica', async () => {
      const blob = large();
      const size = 3 << 20;
      let location = here(await beginUpload(both[0], repository));
      let turn = 1;
      for (let start = 0; start < blob.bytes.length; start += size, turn ^= 1) {
        const piece = blob.bytes.subarray(start, start + size);
        const sent = await sendChunk(both[turn]!, location, piece, start);
        location = here(expectStatus(sent, 202).location());
        const asked = expectStatus(await both[turn ^ 1]!.get(location), 204);
        assert.equal(asked.header('range'), `0-${start + piece.length - 1}`);
      }
      await expectCreated(
        world.registry(),
        await closeUpload(both[turn]!, location, blob.digest),
        blob,
      );
    });

    test('small chunks, and the last with the finish; a digest that is not the bytes’ is refused', async () => {
      for (const right of [true, false]) {
        const blob = content(randomBytes(3000), mediaTypes.bytes);
        let location = here(await beginUpload(both[1], repository));
        for (const [at, start] of [0, 1000].entries()) {
          const piece = blob.bytes.subarray(start, start + 1000);
          const sent = await sendChunk(both[at % 2]!, location, piece, start);
          location = here(expectStatus(sent, 202).location());
        }
        const last = right ? blob.bytes.subarray(2000) : randomBytes(1000);
        const answer = await closeUpload(both[0], location, blob.digest, last);
        if (right) await expectCreated(world.registry(), answer, blob);
        else expectStatus(answer, 400);
      }
    });

    test('two replicas that get a chunk of one upload at once: one takes it, and what is stored is its bytes', async () => {
      for (let round = 0; round < 4; round++) {
        const [mine, theirs] = [large(), large()];
        const location = here(await beginUpload(both[0], repository));
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
        // Its first bytes have left: the replica has the upload soon.
        await delay(100);
        const finish = { headers: octets, body: theirs.bytes };
        const second = await both[1].ask(
          'PUT',
          addQuery(location, { digest: theirs.digest }),
          finish,
        );
        goOn.resolve();
        const taken = await first;
        if (taken.status === 202) {
          expectStatus(second, 409, 416);
          const end = await closeUpload(both[1], here(taken.location()), mine.digest);
          await expectCreated(world.registry(), end, mine);
        } else {
          expectStatus(taken, 404, 409, 416);
          await expectCreated(world.registry(), expectStatus(second, 201), theirs);
        }
      }
    });

    test('what is pushed on one is pulled on the other at once', async () => {
      for (let at = 0; at < 10; at++) {
        const [from, to] = at % 2 ? both : [both[1], both[0]];
        const base = layer();
        const config = imageConfig([base.diffId]);
        for (const blob of [base, config])
          expectStatus(await pushBlob(from, repository, blob), 201);
        const image = manifest(mediaTypes.manifest, {
          config: config.descriptor,
          layers: [base.descriptor],
        });
        expectStatus(await putManifest(from, repository, 'latest', image), 201);
        const got = expectStatus(await to.get(`/v2/${repository}/manifests/latest`), 200);
        assert.ok(got.body.equals(image.bytes));
        expectStatus(await to.get(`/v2/${repository}/blobs/${base.digest}`), 200);
      }
    });

    test('a token of one is good on the other, and revoked on both within 2 s', async (t) => {
      const api = (at: number, method: string, path: string, body?: object) =>
        fetch(`${world.origins[at]}/api/v1${path}`, {
          method,
          headers: { authorization: world.authorization, 'content-type': 'application/json' },
          ...(body && { body: JSON.stringify(body) }),
        });
      const teams = `/teams/${world.bootstrap.teamSlug}/tokens`;
      const made = await api(0, 'POST', teams, { name: 'short-lived', scope: 'write' });
      assert.equal(made.status, 201, await made.clone().text());
      const { token, id } = (await made.json()) as { token: string; id: string };
      const own = basic(world.bootstrap.teamId, token);
      const scope = `scope=repository:${repository}:pull,push&service=gantry`;
      const signed = await fetch(`${world.origins[0]}/token?${scope}`, {
        headers: { authorization: own },
      });
      const bearer = signed.ok
        ? `Bearer ${((await signed.json()) as { token: string }).token}`
        : undefined;
      const callers = [own, ...(bearer ? [bearer] : [])].map((one) => world.registry(1, one));
      for (const one of callers) expectStatus(await one.get(`/v2/${repository}/tags/list`), 200);
      assert.ok(bearer, 'the token endpoint signed a token');
      assert.equal((await api(0, 'DELETE', `${teams}/${id}`)).status, 204);
      const began = performance.now();
      for (const one of callers) {
        while ((await one.get(`/v2/${repository}/tags/list`)).status === 200) {
          assert.ok(performance.now() - began < revokedWithinMs, 'it is still good');
          await delay(50);
        }
      }
      t.diagnostic(`refused after ${Math.round(performance.now() - began)} ms`);
    });

    test('a manifest that is refused before its last byte leaves nginx’s connection to its client', async (t) => {
      const { host, port } = new URL(world.origin);
      const line = await Line.open(t, Number(port));
      const size = 4 * 1024 * 1024 + 1;
      const target = `/v2/${repository}/manifests/larger`;
      const head = [`Host: ${host}`, `Authorization: ${world.authorization}`];
      const type = `Content-Type: ${mediaTypes.manifest}`;
      line.send(`PUT ${target} HTTP/1.1`, ...head, type, `Content-Length: ${size}`, '', '');
      line.socket.write(' '.repeat(size / 2));
      // Long enough for a refusal to come past the half that is on its way.
      await delay(300);
      line.socket.write(' '.repeat(size - Math.floor(size / 2)));
      const refused = await line.until(/SIZE_INVALID/);
      assert.match(refused, /^HTTP\/1\.1 413 /);
      assert.match(refused, /Connection: keep-alive/);
      line.send(`HEAD ${target} HTTP/1.1`, ...head, '', '');
      await line.until(/HTTP\/1\.1 404 /);
    });

    test('they stop', () => world.stop());
  });
}
