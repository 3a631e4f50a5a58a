/**
 * Bytes that go bad under a running server: the scrub finds all of them, no pull gets any of them, and pushing the
 * image again repairs it. On the filesystem, and on an S3 server with pulls that are redirected to it.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connectSocket } from '../../src/cli/socket-client.ts';
import type { ScrubRun } from '../../src/ports/scrub.ts';
import { basic, Registry } from '../spec/client.ts';
import {
  type Content,
  content,
  digestOf,
  imageConfig,
  manifest,
  mediaTypes,
  tarOf,
  uniqueBytes,
} from '../spec/content.ts';
import { blobStatus, pushBlob, putManifest } from '../spec/push.ts';
import { findVersitygw, startVersitygw } from '../tools/versitygw.ts';
import { type Launched, launch, readBootstrap } from './support/gantry.ts';

interface World {
  readonly data: string;
  /** Where the bytes of blobs lie. */
  readonly bytes: string;
  readonly env: Readonly<Record<string, string>>;
}

type Place = (t: TestContext) => Promise<World | string>;

const onFilesystem: Place = async (t) => {
  const data = await folderOf(t);
  return { data, bytes: join(data, 'blobs'), env: {} };
};
const onS3: Place = async (t) => {
  const found = findVersitygw();
  if (!('path' in found)) return found.missing;
  const [data, folder] = [await folderOf(t), await folderOf(t)];
  const s3 = await startVersitygw({ program: found.path, folder });
  t.after(() => s3.stop());
  const env = {
    GANTRY_STORAGE: `s3://${s3.bucket}/registry`,
    GANTRY_S3_ENDPOINT: s3.endpoint,
    GANTRY_S3_PUBLIC_ENDPOINT: s3.endpoint.replace('127.0.0.1', 'localhost'),
    GANTRY_S3_REDIRECT: 'on',
    GANTRY_S3_REGION: s3.region,
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
  };
  return { data, bytes: join(folder, s3.bucket), env };
};

for (const [name, place] of Object.entries({ filesystem: onFilesystem, S3: onS3 })) {
  test(`on ${name}: what goes bad is found, never sent, and repaired by a push`, async (t) => {
    const world = await place(t);
    if (typeof world === 'string') return t.skip(world);
    const server = await open(t, world, { GANTRY_SCRUB_RATE: '100MB' });
    const { registry, repository } = server;
    const image = imageOf(4);
    await pushLikeDocker(registry, repository, image);
    const [config, flipped, cut, gone, whole] = image.blobs as [
      ...[Content, Content, Content, Content, Content],
    ];
    await damage(world, flipped, async (path, bytes) => {
      bytes[bytes.length >> 1]! ^= 1;
      await writeFile(path, bytes);
    });
    await damage(world, cut, (path, bytes) => truncate(path, bytes.length - 1));
    await damage(world, gone, (path) => rm(path));

    const run = await server.scrub();
    assert.equal(run.quarantined, 3);
    const { faults } = (await server.admin('scrub.list')) as {
      faults: { digest: string; reason: string; repositories: string[] }[];
    };
    const reasons = Object.fromEntries(faults.map((one) => [one.digest, one.reason]));
    assert.deepEqual(reasons, {
      [flipped.digest]: 'digest',
      [cut.digest]: 'size',
      [gone.digest]: 'missing',
    });

    for (const bad of [flipped, cut, gone]) {
      const target = `/v2/${repository}/blobs/${bad.digest}`;
      for (const headers of [{}, { range: 'bytes=0-9' }, { 'if-none-match': `"${bad.digest}"` }]) {
        const got = await registry.get(target, { headers, check: false });
        assert.equal(got.status, 404, `${got.what} ${JSON.stringify(headers)}`);
        assert.match(got.body.toString(), /BLOB_UNKNOWN.*damaged/);
      }
      assert.equal(await blobStatus(registry, repository, bad.digest), 404);
      const elsewhere = repository.replace(/[^/]*$/, 'elsewhere');
      const mount = await registry.ask('POST', `/v2/${elsewhere}/blobs/uploads/`, {
        query: { mount: bad.digest, from: repository },
      });
      assert.equal(mount.status, 202, 'not mounted: its bytes are asked for');
    }
    for (const good of [config, whole]) await pulls(registry, repository, good);
    const named = manifest(mediaTypes.manifest, {
      config: config.descriptor,
      layers: [flipped.descriptor],
    });
    const put = await putManifest(registry, repository, 'named', named);
    assert.equal(put.status, 404, put.body.toString());
    assert.match(put.body.toString(), /MANIFEST_BLOB_UNKNOWN/);
    assert.ok(/"level":"error".*quarantined/.test(server.launched.output()), 'an operator sees it');

    // Pushed again, as docker and crane do: asking first what is there.
    assert.equal(await pushLikeDocker(registry, repository, image), 3);
    for (const blob of image.blobs) await pulls(registry, repository, blob);
    const again = await server.scrub();
    assert.deepEqual([again.quarantined, again.blobs], [0, image.blobs.length]);
  });
}

test('a scrub that is killed goes on where it was', async (t) => {
  const world = (await onFilesystem(t)) as World;
  const slow = await open(t, world, { GANTRY_SCRUB_RATE: '64KiB' });
  const image = imageOf(16, 16_000);
  await pushLikeDocker(slow.registry, slow.repository, image);
  const [bad] = image.blobs.slice(-1) as [Content];
  await damage(world, bad, (path) => rm(path));
  const { id } = (await slow.admin('scrub.start', {})) as ScrubRun;
  let seen = 0;
  while (seen === 0) {
    seen = ((await slow.admin('scrub.show', { run: id })) as ScrubRun).blobs;
    await delay(100);
  }
  assert.ok(seen < image.blobs.length, `it was too quick: ${seen} blobs`);
  await slow.launched.end('SIGKILL');
  const next = await open(t, world, { GANTRY_SCRUB_RATE: '100MB' });
  const done = await next.ended(id);
  assert.deepEqual([done.state, done.blobs, done.quarantined], ['done', image.blobs.length, 1]);
  const metrics = await next.registry.get('/metrics', { check: false });
  const read = Number(/^gantry_scrub_bytes_total (\d+)$/m.exec(metrics.body.toString())?.[1]);
  assert.ok(read > 0 && read < done.total.bytes - seen * 10_000, `${read} bytes after the kill`);
});

async function open(t: TestContext, world: World, env: Readonly<Record<string, string>>) {
  const { data } = world;
  const launched: Launched = launch({ data, env: { ...world.env, ...env } });
  t.after(() => launched.end('SIGKILL'));
  const origin = await launched.ready;
  const { teamId, teamSlug, projectSlug, token } = readBootstrap(data);
  const registry = new Registry(origin, basic(teamId, token));
  t.after(() => registry.close());
  const socket = await connectSocket(data);
  assert.ok(socket);
  t.after(() => socket.close());
  const admin = (method: string, params: object = {}) => socket.call(method, params);
  const ended = async (id: string): Promise<ScrubRun> => {
    for (;;) {
      const run = (await admin('scrub.show', { run: id })) as ScrubRun;
      if (run.state !== 'running') return run;
      await delay(50);
    }
  };
  const scrub = async () => ended(((await admin('scrub.start')) as ScrubRun).id);
  return {
    ...{ launched, registry, admin, ended, scrub },
    repository: `${teamSlug}/${projectSlug}/scrubbed`,
  };
}

interface Image {
  /** The config first. */
  readonly blobs: readonly Content[];
  readonly manifest: Content;
}

function imageOf(count: number, size = 100_000): Image {
  const layers = Array.from({ length: count }, () => {
    const tar = tarOf('file', uniqueBytes(size));
    return content(tar, mediaTypes.layer);
  });
  const config = imageConfig(layers.map(({ digest }) => digest));
  const fields = {
    config: config.descriptor,
    layers: layers.map((one) => one.descriptor),
  };
  return { blobs: [config, ...layers], manifest: manifest(mediaTypes.manifest, fields) };
}

/** How many blobs were sent. */
async function pushLikeDocker(registry: Registry, repository: string, image: Image) {
  let sent = 0;
  for (const blob of image.blobs) {
    if ((await blobStatus(registry, repository, blob.digest)) === 200) continue;
    const pushed = await pushBlob(registry, repository, blob, 'chunks');
    assert.equal(pushed.status, 201, pushed.body.toString());
    sent += 1;
  }
  const put = await putManifest(registry, repository, 'v1', image.manifest);
  assert.equal(put.status, 201, put.body.toString());
  return sent;
}

async function pulls(registry: Registry, repository: string, blob: Content): Promise<void> {
  const got = await registry.get(`/v2/${repository}/blobs/${blob.digest}`, { check: false });
  assert.equal(got.status, 200, got.what);
  assert.equal(digestOf(got.body), blob.digest);
}

/** Does something to the file that holds the blob. */
async function damage(
  { bytes: folder }: World,
  blob: Content,
  change: (path: string, bytes: Buffer) => Promise<unknown>,
): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    if (digestOf(bytes) !== blob.digest) continue;
    await change(path, bytes);
    return;
  }
  assert.fail(`no file holds ${blob.digest}`);
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-scrub-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
