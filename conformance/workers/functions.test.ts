/** Functions of a server with workers: the primary runs them, and any worker leads to them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from '../functions/support/ask.ts';
import { functionImage } from '../functions/support/images.ts';
import { ownEngineObstacle, startOwnEngine } from '../functions/support/own-engine.ts';
import { openWebSocket } from '../functions/support/websocket.ts';
import { expectStatus } from '../spec/check.ts';
import { octets } from '../spec/push.ts';
import { World } from './support/world.ts';

const skip = ownEngineObstacle();

test('what is pushed at a worker answers through all of them', skip ? { skip } : {}, async (t) => {
  const own = await startOwnEngine('10.232.0.0/16');
  t.after(() => own.stop());
  const world = await World.start(own.env);
  t.after(() => world.stop());
  const { teamSlug, projectSlug } = world.bootstrap;
  const repository = `${world.project}/through`;
  const [one, other] = await world.each();
  const image = functionImage({ version: 'one' });
  for (const { bytes, descriptor } of [image.config, ...image.layers]) {
    const put = await one!.registry.ask('POST', `/v2/${repository}/blobs/uploads/`, {
      ...{ query: { digest: descriptor.digest }, headers: octets, body: bytes },
    });
    expectStatus(put, 201);
  }
  const { bytes: body, descriptor } = image.manifest;
  const pushed = await other!.registry.ask('PUT', `/v2/${repository}/manifests/latest`, {
    ...{ headers: { 'content-type': descriptor.mediaType }, body },
  });
  const url = expectStatus(pushed, 201).header('gantry-deployment-url');
  assert.ok(url, 'the push says where it will answer');
  const host = new URL(url).hostname;
  const answered = async () => {
    const got = await ask(world.origin, '/', { host }).catch((error) => ({
      ...{ status: 0, body: String(error) },
    }));
    return got.status === 200 ? got.body : undefined;
  };
  const began = performance.now();
  while ((await answered()) !== 'hello from one\n') {
    assert.ok(
      performance.now() - began < 60_000,
      `${(await ask(world.origin, '/', { host })).body}`,
    );
    await delay(200);
  }
  // Each on a connection of its own: some reach one worker, some the other.
  for (let at = 0; at < 12; at++) assert.equal(await answered(), 'hello from one\n');
  // Paths that are the registry's own are a function's under its host.
  for (const path of ['/v2/', '/token', '/healthz', '/api/v1/me']) {
    const got = await ask(world.origin, path, { host });
    assert.equal(got.status, 200, `${path}: ${got.status} ${got.body}`);
    assert.equal(got.headers['docker-distribution-api-version'], undefined);
  }
  const byPath = await ask(world.origin, `/run/${teamSlug}/${projectSlug}/`);
  assert.deepEqual([byPath.status, byPath.body], [200, 'hello from one\n']);

  const spoofed = { 'x-forwarded-for': '10.9.8.7', 'x-gantry-direct-client': 'http 10.9.8.7' };
  const seen = await ask(world.origin, '/echo', { host, headers: spoofed });
  assert.doesNotMatch(seen.body, /10\.9\.8\.7|x-gantry-direct/i);

  for (let at = 0; at < 4; at++) {
    const socket = await openWebSocket(world.origin, host, '/ws');
    socket.send(`word ${at}`);
    assert.match(String(await socket.receive()), new RegExp(`word ${at}`));
    await socket.close();
  }
  const path = `/teams/${teamSlug}/projects/${projectSlug}/instances`;
  const instances = (await (await world.api('GET', path)).json()) as { items: unknown[] };
  assert.ok(instances.items.length > 0, JSON.stringify(instances));
  const functions = (await (await world.api('GET', '/functions')).json()) as { enabled: boolean };
  assert.equal(functions.enabled, true);
});
