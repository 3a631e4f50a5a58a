/** attacks.md, "Faults": a full disk is 507 or 503, nothing half-made, reads work; and no restart is needed after. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { expectStatus } from '../spec/check.ts';
import { type Answer, addQuery, basic, Registry } from '../spec/client.ts';
import { type Content, content, mediaTypes } from '../spec/content.ts';
import { beginUpload, eachOf, octets, putManifest } from '../spec/push.ts';
import { checkIntegrity, inspectAtRest } from './support/at-rest.ts';
import { type Launched, launch, readBootstrap } from './support/gantry.ts';
import { bytesBelow, SmallDisk } from './support/small-disk.ts';

const MiB = 1 << 20;

let disk: SmallDisk | string;
let data: string;
let server: Launched;
let registry: Registry;
let repository: string;
let image: { layer: Content; manifest: Content };

before(async () => {
  disk = await SmallDisk.mount(192 * MiB);
  if (typeof disk === 'string') return;
  data = join(disk.folder, 'data');
  server = launch({ data, env: { GANTRY_LOG_LEVEL: 'error' } });
  const origin = await server.ready;
  const { teamId, teamSlug, projectSlug, token } = readBootstrap(data);
  registry = new Registry(origin, basic(teamId, token));
  repository = `${teamSlug}/${projectSlug}/full`;
  image = await pushImage('first', 2 * MiB);
});

after(async () => {
  if (typeof disk === 'string') return;
  registry?.close();
  await server?.end('SIGKILL');
  await disk.unmount();
});

const ways: Record<string, (blob: Content) => Promise<Answer>> = {
  'one POST': (blob) =>
    ask('POST', uploads(), { query: { digest: blob.digest }, body: blob.bytes }),
  'POST and PUT': async (blob) =>
    ask('PUT', addQuery(await begin(), { digest: blob.digest }), { body: blob.bytes }),
  'a streamed PATCH': async (blob) => ask('PATCH', await begin(), { body: eachOf([blob.bytes]) }),
  'a PATCH of known length': async (blob) => ask('PATCH', await begin(), { body: blob.bytes }),
};

for (const [way, push] of Object.entries(ways)) {
  test(`a blob that does not fit, by ${way}: refused, and its bytes are not kept`, async (t) => {
    if (typeof disk === 'string') return t.skip(disk);
    disk.fill(6 * MiB);
    const held = bytesBelow(join(data, 'blobs'));
    const blob = content(randomBytes(12 * MiB));
    expectFull(await push(blob));
    assert.equal((await registry.head(`/v2/${repository}/blobs/${blob.digest}`)).status, 404);
    await settles(() => bytesBelow(join(data, 'blobs')) === held, 'the bytes that came are kept');
    await expectWhole(image);
    // What fits is still taken.
    expectStatus(await ways['one POST']!(content(randomBytes(MiB))), 201);
    await disk.free();
    expectStatus(await ways['one POST']!(blob), 201);
  });
}

test('an upload goes on after its disk was full, from what was acknowledged', async (t) => {
  if (typeof disk === 'string') return t.skip(disk);
  disk.fill(6 * MiB);
  const blob = content(randomBytes(12 * MiB));
  const part = 4 * MiB;
  let location = await begin();
  const first = await sendPart(location, blob, 0, part);
  location = expectStatus(first, 202).location();
  expectFull(await sendPart(location, blob, part, blob.bytes.length));
  const stands = expectStatus(await registry.get(location), 204);
  assert.equal(stands.header('range'), `0-${part - 1}`);
  await disk.free();
  const rest = await sendPart(location, blob, part, blob.bytes.length);
  location = expectStatus(rest, 202).location();
  expectStatus(await ask('PUT', addQuery(location, { digest: blob.digest })), 201);
  const got = expectStatus(await registry.get(`/v2/${repository}/blobs/${blob.digest}`), 200);
  assert.ok(got.body.equals(blob.bytes));
});

test('where the database has no room, writes are refused whole and reads work', async (t) => {
  if (typeof disk === 'string') return t.skip(disk);
  disk.fill(2 * MiB);
  const taken: [tag: string, manifest: Content][] = [];
  let refused: Answer | undefined;
  let last: Content | undefined;
  // The log may have room from before, so this takes more or fewer of them.
  for (let at = 0; at < 200 && !refused; at++) {
    last = artifact(256 << 10);
    const answer = await put(`tag-${at}`, last);
    if (answer.status === 201) taken.push([`tag-${at}`, last]);
    else refused = answer;
  }
  assert.ok(refused && last, 'the database never ran out of room');
  t.diagnostic(`${taken.length} manifests were taken before the first refusal`);
  expectFull(refused);
  disk.fill(0);
  const tag = `tag-${taken.length}`;
  for (const reference of [tag, last.digest]) {
    const path = `/v2/${repository}/manifests/${reference}`;
    assert.equal((await registry.get(path)).status, 404, `${reference} was refused`);
  }
  for (const [name, manifest] of taken) await expectTag(name, manifest);
  await expectWhole(image);
  expectStatus(await registry.get(`/v2/${repository}/tags/list`), 200);
  expectStatus(await registry.get('/v2/_catalog'), 200);
  assert.equal((await registry.as(undefined).get('/healthz')).status, 200);
  expectStatus(await registry.get(`/token?service=x&scope=repository:${repository}:pull`), 200);
  for (const answer of [await put('first', artifact(256 << 10)), await ask('POST', uploads())])
    if (answer.status !== 202) expectFull(answer);
  await expectWhole(image);

  await disk.free();
  const again = await put(tag, last);
  assert.equal(again.status, 201, `without a restart: ${again.status} ${again.text()}`);
  await expectTag(tag, last);
  await pushImage('after', MiB);
});

test('a start on a full disk ends with a message, and damages nothing', async (t) => {
  if (typeof disk === 'string') return t.skip(disk);
  assert.deepEqual(await server.end('SIGTERM'), { code: 0, signal: null });
  disk.fill(0);
  const full = launch({ data });
  const started = await full.ready.then(
    () => true,
    () => false,
  );
  if (started) assert.equal((await full.end('SIGTERM')).code, 0);
  else {
    assert.equal((await full.exited).code, 1);
    assert.match(full.output(), /full|space|room/i);
    assert.doesNotMatch(full.output(), /^\s+at /m, 'a stack is no message for people');
  }
  await disk.free();
  assert.deepEqual(inspectAtRest(data).problems, []);
  assert.deepEqual(checkIntegrity(data), []);
  server = launch({ data, env: { GANTRY_LOG_LEVEL: 'error' } });
  registry.close();
  registry = new Registry(await server.ready, registry.authorization);
  await expectWhole(image);
});

function uploads(): string {
  return `/v2/${repository}/blobs/uploads/`;
}

function begin(): Promise<string> {
  return beginUpload(registry, repository);
}

function ask(method: string, target: string, options: Parameters<Registry['ask']>[2] = {}) {
  return registry.ask(method, target, { headers: octets, check: false, ...options });
}

function sendPart(location: string, blob: Content, start: number, stop: number): Promise<Answer> {
  return ask('PATCH', location, {
    headers: { ...octets, 'content-range': `${start}-${stop - 1}` },
    body: blob.bytes.subarray(start, stop),
  });
}

function put(tag: string, { bytes, descriptor }: Content): Promise<Answer> {
  const headers = { 'content-type': descriptor.mediaType };
  return ask('PUT', `/v2/${repository}/manifests/${tag}`, { headers, body: bytes });
}

async function pushImage(tag: string, size: number) {
  const layer = content(randomBytes(size), mediaTypes.layer);
  const config = content(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [] },
    }),
    mediaTypes.config,
  );
  for (const blob of [layer, config]) expectStatus(await ways['one POST']!(blob), 201);
  const manifest = content(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: config.descriptor,
      layers: [layer.descriptor],
    }),
    mediaTypes.manifest,
  );
  expectStatus(await putManifest(registry, repository, tag, manifest), 201);
  return { layer, manifest };
}

/** An index of nothing, made large by an annotation. */
function artifact(size: number): Content {
  const annotations = { 'org.example.bulk': randomBytes(size / 2).toString('hex') };
  const body = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [], annotations };
  return content(JSON.stringify(body), mediaTypes.index);
}

/** The spec's error JSON, which says what is wrong. */
function expectFull(answer: Answer): void {
  expectStatus(answer, 507, 503);
  assert.match(answer.header('content-type') ?? '', /^application\/json\b/, answer.what);
  const { errors } = answer.json() as { errors: { code: string; message: string }[] };
  assert.equal(errors.length, 1, answer.text());
  assert.match(errors[0]!.code, /^(?:STORAGE_FULL|UNAVAILABLE)$/);
  assert.match(errors[0]!.message, /space|room|full|disk/i);
}

async function expectTag(tag: string, manifest: Content): Promise<void> {
  const got = expectStatus(await registry.get(`/v2/${repository}/manifests/${tag}`), 200);
  assert.ok(got.body.equals(manifest.bytes), `${tag}: other bytes`);
}

async function expectWhole({ layer, manifest }: typeof image): Promise<void> {
  await expectTag('first', manifest);
  const got = expectStatus(await registry.get(`/v2/${repository}/blobs/${layer.digest}`), 200);
  assert.ok(got.body.equals(layer.bytes), 'the layer has other bytes');
}

/** What is swept in the background is gone within seconds. */
async function settles(check: () => boolean, otherwise: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!check()) {
    assert.ok(Date.now() < deadline, otherwise);
    await delay(50);
  }
}
