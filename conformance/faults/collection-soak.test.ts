/**
 * Collection without a pause while clients push, pull and delete images of shared layers, on a clock that runs three
 * hours a second: leases end during the run. No push may fail, no manifest may lack a blob, and when all is deleted
 * nothing is left. GANTRY_SOAK_SECONDS makes it longer.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { openApplication } from '../../src/http/services-test-kit.ts';
import { Sweeper } from '../../src/maintenance/sweeper.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { blobLeaseMs } from '../../src/ports/commands-collection.ts';
import { Random } from './support/random.ts';

const seconds = Number(process.env.GANTRY_SOAK_SECONDS ?? 40);
const clients = 8;
/** Of the clock, in one of ours. */
const hoursPerSecond = 3;
const hour = 3_600_000;
const ticksPerSecond = 20;
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const repositories = ['one', 'two', 'three'];

const layers = Array.from({ length: 24 }, (_, index) => Buffer.from(`layer ${index} `.repeat(50)));

test('collecting all the time fails no push and loses nothing', {
  timeout: (seconds + 120) * 1000,
}, async (t) => {
  const app = await openApplication(t);
  const { world, services } = app;
  const { basic } = await app.token('admin');
  const { metadata, store, clock } = world;
  const failures: unknown[] = [];
  const failed = (cause: unknown) => failures.push(cause);
  const sweeper = new Sweeper(
    { ...metadata, store, clock, cancel: (row) => services.blobPush.cancel(row), failed },
    100,
  );
  t.after(() => sweeper.stop());
  const counts = { pushed: 0, pulled: 0, deleted: 0, collections: 0, blobs: 0 };

  const ask = (method: string, path: string, body?: Buffer | string, type?: string) =>
    app.fetch(`/v2/acme/shop/${path}`, {
      method,
      headers: { authorization: basic, ...(type && { 'content-type': type }) },
      ...(body !== undefined && { body }),
    });

  async function ensureBlob(repository: string, bytes: Buffer): Promise<string> {
    const digest = digestOf(bytes);
    const head = await ask('HEAD', `${repository}/blobs/${digest}`);
    if (head.status === 200) return digest;
    const begun = await ask('POST', `${repository}/blobs/uploads/`);
    assert.equal(begun.status, 202);
    await begun.body?.cancel();
    const url = new URL(begun.headers.get('location')!, 'http://x');
    url.searchParams.set('digest', digest);
    const put = await app.fetch(`${url.pathname}${url.search}`, {
      method: 'PUT',
      headers: { authorization: basic, 'content-type': 'application/octet-stream' },
      body: bytes,
    });
    assert.equal(put.status, 201, await put.text());
    return digest;
  }

  async function push(random: Random, client: number, round: number): Promise<void> {
    const repository = random.pick(repositories)!;
    const config = Buffer.from(
      JSON.stringify({ os: 'linux', architecture: 'amd64', client, round }),
    );
    const parts = [config, random.pick(layers)!, random.pick(layers)!, random.pick(layers)!];
    const described = [];
    for (const bytes of parts) {
      described.push({ digest: await ensureBlob(repository, bytes), size: bytes.length });
    }
    const [first, ...rest] = described;
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...first },
      layers: rest.map((layer) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        ...layer,
      })),
    });
    const answer = await ask('PUT', `${repository}/manifests/t${client}`, manifest, manifestType);
    assert.equal(answer.status, 201, `push: ${await answer.text()}`);
    counts.pushed++;
  }

  async function pull(random: Random): Promise<void> {
    const repository = random.pick(repositories)!;
    const tag = `t${random.whole(0, clients - 1)}`;
    const answer = await ask('GET', `${repository}/manifests/${tag}`);
    const text = await answer.text();
    if (answer.status === 404) return;
    assert.equal(answer.status, 200, text);
    const digest = answer.headers.get('docker-content-digest');
    for (const blob of blobsOf(text)) {
      const found = await ask('GET', `${repository}/blobs/${blob}`);
      const bytes = Buffer.from(await found.arrayBuffer());
      if (found.status === 200) {
        assert.equal(digestOf(bytes), blob);
        continue;
      }
      // Only where the image was deleted meanwhile.
      const again = await ask('GET', `${repository}/manifests/${digest}`);
      await again.body?.cancel();
      assert.equal(again.status, 404, `${blob} is missing from ${digest}, which is there`);
      return;
    }
    counts.pulled++;
  }

  async function remove(random: Random): Promise<void> {
    const repository = random.pick(repositories)!;
    const head = await ask('HEAD', `${repository}/manifests/t${random.whole(0, clients - 1)}`);
    const digest = head.headers.get('docker-content-digest');
    if (head.status !== 200) return;
    const gone = await ask('DELETE', `${repository}/manifests/${digest}`);
    await gone.body?.cancel();
    assert.ok([202, 404].includes(gone.status), String(gone.status));
    if (gone.status === 202) counts.deleted++;
  }

  const end = performance.now() + seconds * 1000;
  const over = () => performance.now() > end;
  const ticking = setInterval(
    () => world.pass((hoursPerSecond * hour) / ticksPerSecond),
    1000 / ticksPerSecond,
  );
  const collecting = (async () => {
    while (!over()) {
      const run = await services.collector.run();
      counts.collections++;
      counts.blobs += run.blobs.collected;
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const working = Array.from({ length: clients }, async (_, client) => {
    const random = new Random(`soak ${client}`);
    for (let round = 0; !over(); round++) {
      const dice = random.whole(0, 9);
      if (dice < 4) await push(random, client, round);
      else if (dice < 8) await pull(random);
      else await remove(random);
    }
  });
  try {
    await Promise.all([...working, collecting]);
  } finally {
    clearInterval(ticking);
  }

  for (const name of repositories) {
    const path = { team: 'acme', project: 'shop', repository: name };
    for (let client = 0; client < clients; client++) {
      const answer = await ask('GET', `${name}/manifests/t${client}`);
      const text = await answer.text();
      if (answer.status === 404) continue;
      for (const blob of blobsOf(text)) {
        const found = await metadata.blobs.resolve(path, blob as never);
        assert.ok(found?.blob, `${blob} of ${name}:t${client}`);
      }
    }
    const repository = await metadata.repositories.find(path);
    if (!repository) continue;
    await metadata.writer.run('DeleteRepository', {
      repositoryId: repository.id,
      actor: 'soak',
      now: clock.now(),
    });
  }
  world.pass(blobLeaseMs + 1);
  await services.collector.run();
  world.pass(1);
  sweeper.wake();
  await sweeper.idle();
  assert.partialDeepStrictEqual(await metadata.collection.unreferenced(), {
    blobs: 0,
    bytes: 0,
    keys: 0,
  });
  assert.deepEqual(await world.files(), []);
  assert.deepEqual(failures, []);
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.pushed > 50 && counts.pulled > 20 && counts.deleted > 5, JSON.stringify(counts));
  assert.ok(counts.blobs > 0, 'something was collected while pushes went on');
});

function blobsOf(manifest: string): string[] {
  const { config, layers: all } = JSON.parse(manifest) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  return [config, ...all].map(({ digest }) => digest);
}
