/**
 * Collection without a pause while clients push, mount, pull and delete images, indexes and referrers of shared
 * layers, on a clock that runs three hours a second: leases end during the run. No push may fail, no manifest may lack
 * a blob, and when all is deleted nothing is left. GANTRY_SOAK_SECONDS makes it shorter or longer; on a real clock,
 * real servers and for an hour: `npm run bench -- soak`.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { openApplication } from '../../src/http/services-test-kit.ts';
import { leadsAlone } from '../../src/maintenance/leader.ts';
import { Purger } from '../../src/maintenance/purger.ts';
import { Sweeper } from '../../src/maintenance/sweeper.ts';
import { blobLeaseMs } from '../../src/ports/commands-collection.ts';
import { SoakTraffic, soakRepositories } from './support/soak-traffic.ts';

const seconds = Number(process.env.GANTRY_SOAK_SECONDS ?? 120);
const clients = 8;
/** Of the clock, in one of ours. */
const hoursPerSecond = 3;
const hour = 3_600_000;
const ticksPerSecond = 20;

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
  const purger = new Purger({ leading: leadsAlone(metadata.writer), failed }, 100);
  t.after(() => purger.stop());

  const end = performance.now() + seconds * 1000;
  const over = () => performance.now() > end;
  const traffic = new SoakTraffic({
    ...{ project: 'acme/shop', clients, over },
    async ask(method, path, body, type) {
      const answer = await app.fetch(path, {
        method,
        headers: { authorization: basic, ...(type && { 'content-type': type }) },
        ...(body !== undefined && { body: new Uint8Array(body) }),
      });
      const { status, headers } = answer;
      return { status, headers, bytes: Buffer.from(await answer.arrayBuffer()) };
    },
  });
  const ticking = setInterval(
    () => world.pass((hoursPerSecond * hour) / ticksPerSecond),
    1000 / ticksPerSecond,
  );
  const collected = { runs: 0, links: 0, blobs: 0 };
  const collecting = (async () => {
    while (!over()) {
      const run = await services.collector.run();
      collected.runs++;
      collected.links += run.links.collected;
      collected.blobs += run.blobs.collected;
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  try {
    await Promise.all([traffic.run(), collecting]);
  } finally {
    clearInterval(ticking);
  }
  await traffic.pullAll();
  assert.deepEqual(traffic.problems, []);

  for (const name of soakRepositories) {
    const path = { team: 'acme', project: 'shop', repository: name };
    const repository = await metadata.repositories.find(path);
    if (!repository) continue;
    await metadata.writer.run('DeleteRepository', {
      ...{ repositoryId: repository.id, actor: 'soak', now: clock.now() },
    });
  }
  purger.wake();
  await purger.idle();
  world.pass(blobLeaseMs + 1);
  await services.collector.run();
  world.pass(1);
  sweeper.wake();
  await sweeper.idle();
  // `seen` counts what collections looked at, and does not go down.
  const nothing = { blobs: 0, bytes: 0, keys: 0 };
  const { seen: _, ...left } = await metadata.collection.unreferenced();
  assert.deepEqual(left, nothing);
  assert.deepEqual(await world.files(), []);
  assert.deepEqual(failures, []);
  const { counts } = traffic;
  t.diagnostic(JSON.stringify({ ...counts, collected }));
  for (const [what, count] of Object.entries(counts)) assert.ok(count > 5, `${what}: ${count}`);
  assert.ok(counts.pushed > 50 && counts.pulled > 20, JSON.stringify(counts));
  assert.ok(collected.links > 0 && collected.blobs > 0, 'collected while pushes went on');
});
