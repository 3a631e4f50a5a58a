/** An archive of 240 MB by form takes no 200 MB resident, and comes back from skopeo as it was. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { after, before, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { createZstdCompress } from 'node:zlib';
import { pack } from 'tar-stream';
import { decompress } from '../../src/compression/decompress.ts';
import { sniff } from '../../src/registry/archives/receive-archive.ts';
import { asStarted } from '../tools/start-env.ts';
import { type Launched, launch, readBootstrap } from './support/gantry.ts';
import { peakResident, resetPeak, resident } from './support/memory.ts';

const MB = 1_000_000;
const run = promisify(execFile);

const unable =
  process.env.GANTRY_TEST_QUICK === '1'
    ? 'sends 240 MB three times, which takes half a minute: run it without GANTRY_TEST_QUICK'
    : process.platform !== 'linux'
      ? 'resident memory is read from /proc, which Linux has'
      : existsSync('/usr/bin/skopeo')
        ? undefined
        : 'skopeo is not installed';

let folder: string;
let server: Launched;
let origin: string;
let archive: string;
/** Name in the archive -> digest of its bytes. */
let files: Map<string, string>;

before(async () => {
  if (unable) return;
  folder = await mkdtemp(join(tmpdir(), 'gantry-form-'));
  const data = join(folder, 'data');
  server = launch({ data, env: { ...asStarted, GANTRY_LOG_LEVEL: 'error' } });
  origin = await server.ready;
  archive = join(folder, 'image.tar');
  files = await makeArchive(archive);
});

after(async () => {
  if (unable) return;
  await server?.end('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

test('docker save, plain', (t) => roundTrip(t, 'plain', archive));

test('docker save, compressed with zstd, layers stored with zstd', async (t) => {
  if (unable) return t.skip(unable);
  const packed = `${archive}.zst`;
  await pipeline(createReadStream(archive), createZstdCompress(), createWriteStream(packed));
  await roundTrip(t, 'zstd', packed, '-F', 'compression=zstd');
});

async function roundTrip(
  t: TestContext,
  name: string,
  file: string,
  ...fields: string[]
): Promise<void> {
  if (unable) return t.skip(unable);
  const data = join(folder, 'data');
  const { teamId, teamSlug, projectSlug, token } = readBootstrap(data);
  const api = `${origin}/api/v1/teams/${teamSlug}/projects/${projectSlug}/repositories`;
  resetPeak(server.pid);
  const idle = resident(server.pid);
  const started = performance.now();
  const sent = await run('curl', [
    ...['-sS', '--fail-with-body', '-u', `${teamId}:${token}`, '-F', `image=@${file}`],
    ...['-F', 'tag=v1', ...fields, `${api}/${name}/uploads`],
  ]);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const peak = peakResident(server.pid);
  const figures = `${Math.round(idle / MB)} MB before, ${Math.round(peak / MB)} MB at most, ${Math.round(resident(server.pid) / MB)} MB after ${seconds} s`;
  t.diagnostic(`${name}, ${Math.round((await stat(file)).size / MB)} MB sent: ${figures}`);
  assert.ok(peak < 200 * MB, figures);
  assert.deepEqual(JSON.parse(sent.stdout).tags, ['v1']);
  assert.deepEqual(await readdir(join(data, 'spool')), [], 'nothing stays on disk');

  const returned = await pulledBack(name, `${teamId}:${token}`, `${teamSlug}/${projectSlug}`);
  for (const [entry, digest] of files)
    assert.ok(returned.has(digest), `${entry} came back changed`);
}

/** Digests of the config and of the uncompressed layers, as skopeo pulls them. */
async function pulledBack(name: string, credentials: string, project: string) {
  const back = join(folder, `${name}-back`);
  await run('skopeo', [
    ...['copy', '-q', '--src-tls-verify=false', '--src-creds', credentials],
    ...[`docker://${new URL(origin).host}/${project}/${name}:v1`, `dir:${back}`],
  ]);
  const digests = new Set<string>();
  for (const file of await readdir(back)) {
    const path = join(back, file);
    const { compression, bytes } = await sniff(createReadStream(path));
    const hash = createHash('sha256');
    for await (const chunk of decompress(compression, bytes)) hash.update(chunk);
    digests.add(hash.digest('hex'));
  }
  await rm(back, { recursive: true });
  return digests;
}

/** Three layers, half of them text; what they are called, and the digests of config and layers. */
async function makeArchive(path: string): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  const out = pack();
  const written = pipeline(out, createWriteStream(path));
  for (let at = 0; at < 3; at++) {
    const layer = await layerOf(40 * MB);
    const digest = sha256(layer);
    digests.set(`${digest}/layer.tar`, digest);
    await new Promise<void>((resolve, reject) => {
      out.entry({ name: `${digest}/layer.tar` }, layer, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }
  const config = Buffer.from(
    JSON.stringify({
      ...{ architecture: 'amd64', os: 'linux', config: { Cmd: ['/bin/true'] } },
      rootfs: { type: 'layers', diff_ids: [...digests.values()].map((one) => `sha256:${one}`) },
    }),
  );
  const name = `${sha256(config)}.json`;
  const list = [{ Config: name, RepoTags: ['big:v1'], Layers: [...digests.keys()] }];
  digests.set(name, sha256(config));
  out.entry({ name }, config);
  out.entry({ name: 'manifest.json' }, JSON.stringify(list));
  out.finalize();
  await written;
  return digests;
}

async function layerOf(half: number): Promise<Buffer> {
  const layer = pack();
  const text = Buffer.alloc(half, 'all work and no play makes jack a dull boy\n');
  layer.entry({ name: 'random' }, randomBytes(half));
  layer.entry({ name: 'text' }, text);
  layer.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of layer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
