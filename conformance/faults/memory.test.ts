/** Memory for a transfer is bounded: a large blob takes no 160 MB resident, twenty transfers at once no 250. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { expectStatus } from '../spec/check.ts';
import { addQuery, basic, Registry } from '../spec/client.ts';
import { beginUpload, octets } from '../spec/push.ts';
import { asStarted } from '../tools/start-env.ts';
import { type Launched, launch, readBootstrap } from './support/gantry.ts';
import { digestOfBody, LargeBlob, peakResident, resetPeak, resident } from './support/memory.ts';

const MB = 1_000_000;

const unable =
  process.env.GANTRY_TEST_QUICK === '1'
    ? 'pushes and pulls 8 GB, which takes a minute: run it without GANTRY_TEST_QUICK'
    : process.platform !== 'linux'
      ? 'resident memory is read from /proc, which Linux has'
      : undefined;

let folder: string;
let server: Launched;
let registry: Registry;
let repository: string;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

before(async () => {
  if (unable) return;
  folder = await mkdtemp(join(tmpdir(), 'gantry-memory-'));
  const data = join(folder, 'data');
  server = launch({ data, env: { ...asStarted, GANTRY_LOG_LEVEL: 'error' } });
  const origin = await server.ready;
  const { teamId, teamSlug, projectSlug, token } = readBootstrap(data);
  registry = new Registry(origin, basic(teamId, token), agent);
  repository = `${teamSlug}/${projectSlug}/large`;
});

after(async () => {
  if (unable) return;
  agent.destroy();
  await server?.end('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function staysBelow(
  limit: number,
  t: TestContext,
  what: string,
  work: () => Promise<unknown>,
): Promise<void> {
  resetPeak(server.pid);
  const start = performance.now();
  await work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const peak = peakResident(server.pid);
  const figures = `${Math.round(peak / MB)} MB at most, ${Math.round(resident(server.pid) / MB)} MB after ${seconds} s`;
  t.diagnostic(`${what}: ${figures}`);
  assert.ok(peak < limit, `${what}: ${figures}`);
}

/** As docker does: one PATCH of unknown length. */
async function pushStreamed(blob: LargeBlob): Promise<void> {
  const begun = await beginUpload(registry, repository);
  const sent = await registry.ask('PATCH', begun, { headers: octets, body: blob.stream() });
  const target = addQuery(expectStatus(sent, 202).location(), { digest: blob.digest });
  expectStatus(await registry.ask('PUT', target, { headers: octets }), 201);
}

/** As skopeo and others do: one PUT whose length is known. */
async function pushWhole(blob: LargeBlob): Promise<void> {
  const begun = await beginUpload(registry, repository);
  const headers = { ...octets, 'content-length': String(blob.size) };
  const target = addQuery(begun, { digest: blob.digest });
  expectStatus(await registry.ask('PUT', target, { headers, body: blob.stream() }), 201);
}

async function pull(blob: LargeBlob): Promise<void> {
  const url = `${registry.origin}/v2/${repository}/blobs/${blob.digest}`;
  assert.equal(await digestOfBody(url, registry.authorization!, agent), blob.digest);
}

test('a blob of 2 GiB is pushed and pulled', async (t) => {
  if (unable) return t.skip(unable);
  const streamed = new LargeBlob(2048, 1);
  await staysBelow(160 * MB, t, 'push of 2 GiB by PATCH', () => pushStreamed(streamed));
  const whole = new LargeBlob(2048, 2);
  await staysBelow(160 * MB, t, 'push of 2 GiB by PUT', () => pushWhole(whole));
  await staysBelow(160 * MB, t, 'pull of 2 GiB', () => pull(streamed));
});

test('20 blobs of 100 MiB at once are pushed and pulled', async (t) => {
  if (unable) return t.skip(unable);
  const blobs = Array.from({ length: 20 }, (_, at) => new LargeBlob(100, 10 + at));
  const ways = [pushStreamed, pushWhole];
  await staysBelow(250 * MB, t, '20 pushes of 100 MiB', () =>
    Promise.all(blobs.map((blob, at) => ways[at % 2]!(blob))),
  );
  await staysBelow(250 * MB, t, '20 pulls of 100 MiB', () => Promise.all(blobs.map(pull)));
});
