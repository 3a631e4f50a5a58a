/** What a client holds outlives a restart; what was revoked does not live on anywhere. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expectStatus } from '../spec/check.ts';
import { type Answer, addQuery, basic, Registry } from '../spec/client.ts';
import { type Algorithm, content, mediaTypes } from '../spec/content.ts';
import { beginUpload, octets, pushBlob, putManifest, sendChunk } from '../spec/push.ts';
import { type Bootstrap, type Launched, launch, readBootstrap, root } from './support/gantry.ts';

const run = promisify(execFile);
/** How long a revoked token may go on: architecture.md asks each 2 s, and a server may be busy. */
const revokedWithinMs = 5_000;

let folder: string;
let data: string;
let server: Launched;
let origin: string;
let bootstrap: Bootstrap;
let repository: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-restart-'));
  data = join(folder, 'data');
  await start();
  bootstrap = readBootstrap(data);
  repository = `${bootstrap.teamSlug}/${bootstrap.projectSlug}/restart`;
});
after(async () => {
  await server?.end('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  server = launch({ data, env: { GANTRY_LOG_LEVEL: 'warn' } });
  origin = await server.ready;
}

async function restart(signal: NodeJS.Signals): Promise<void> {
  await server.end(signal);
  await start();
}

/** A client with connections of its own, closed after `use`. */
async function withRegistry<T>(
  authorization: string | undefined,
  use: (registry: Registry) => Promise<T>,
): Promise<T> {
  const registry = new Registry(origin, authorization);
  try {
    return await use(registry);
  } finally {
    registry.close();
  }
}

function owner(): string {
  return basic(bootstrap.teamId, bootstrap.token);
}

/** A location that an earlier server gave, at the present one. */
function here(location: string): string {
  const { pathname, search } = new URL(location);
  return origin + pathname + search;
}

for (const algorithm of ['sha256', 'sha512'] as const satisfies Algorithm[]) {
  test(`an upload by ${algorithm} goes on over restarts`, async () => {
    const blob = content(randomBytes(3_000_000), mediaTypes.bytes, algorithm);
    const query = algorithm === 'sha256' ? {} : { 'digest-algorithm': algorithm };
    let location = await withRegistry(owner(), (one) => beginUpload(one, repository, query));
    const cuts = [0, 1_000_000, 1_000_001, 2_500_000];
    for (const [at, from] of cuts.entries()) {
      await restart(at % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
      location = await withRegistry(owner(), async (registry) => {
        const part = blob.bytes.subarray(from, cuts[at + 1] ?? 2_999_990);
        const sent = await sendChunk(registry, here(location), part, from);
        return expectStatus(sent, 202).location();
      });
    }
    await restart('SIGKILL');
    await withRegistry(owner(), async (registry) => {
      const stands = expectStatus(await registry.get(here(location)), 204);
      assert.equal(stands.header('range'), '0-2999989');
      const target = addQuery(here(location), { digest: blob.digest });
      const rest = { headers: octets, body: blob.bytes.subarray(2_999_990) };
      expectStatus(await registry.ask('PUT', target, rest), 201);
      const got = expectStatus(await registry.get(`/v2/${repository}/blobs/${blob.digest}`), 200);
      assert.ok(got.body.equals(blob.bytes));
    });
  });
}

interface Login {
  readonly bearer: string;
  readonly refresh: string;
}

async function ask(form: Record<string, string>): Promise<Response> {
  const scope = `repository:${repository}:pull,push,delete registry:catalog:*`;
  const body = new URLSearchParams({ service: 'gantry', client_id: 'test', scope, ...form });
  return fetch(`${origin}/token`, { method: 'POST', body });
}

async function login(username: string, password: string): Promise<Login> {
  const form = { grant_type: 'password', access_type: 'offline', username, password };
  const answer = await ask(form);
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  const { access_token, refresh_token } = JSON.parse(text);
  return { bearer: `Bearer ${access_token}`, refresh: refresh_token };
}

test('registry and refresh tokens of before a restart are good after it', async () => {
  const { bearer, refresh } = await login(bootstrap.teamId, bootstrap.token);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await restart(signal);
    await withRegistry(bearer, async (registry) => {
      expectStatus(await registry.get('/v2/'), 200);
      expectStatus(await pushBlob(registry, repository, content(randomBytes(100))), 201);
    });
    const answer = await ask({ grant_type: 'refresh_token', refresh_token: refresh });
    assert.equal(answer.status, 200, signal);
    const { access_token } = (await answer.json()) as { access_token: string };
    await withRegistry(`Bearer ${access_token}`, async (registry) => {
      expectStatus(await registry.get(`/v2/${repository}/tags/list`), 200);
    });
  }
});

/** The CLI, on the server that runs. */
async function admin(...args: string[]): Promise<unknown> {
  const program = [join(root, 'src', 'cli', 'main.ts'), 'admin', ...args, '--json'];
  const env = { PATH: process.env.PATH ?? '', GANTRY_DATA: data };
  const { stdout } = await run(process.execPath, program, { cwd: root, env, timeout: 60_000 });
  return stdout.trim() === '' ? undefined : JSON.parse(stdout);
}

/** A request of every verb on every route, by name. */
async function everyVerb(registry: Registry): Promise<Record<string, () => Promise<Answer>>> {
  const base = `/v2/${repository}`;
  const blob = content(randomBytes(500));
  expectStatus(await pushBlob(registry, repository, blob), 201);
  const body = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] };
  const manifest = content(JSON.stringify(body), mediaTypes.index);
  expectStatus(await putManifest(registry, repository, 'verbs', manifest), 201);
  const open = await beginUpload(registry, repository);
  const piece = content(randomBytes(200));
  return {
    'GET base': () => registry.get('/v2/'),
    'GET catalog': () => registry.get('/v2/_catalog'),
    'GET tags': () => registry.get(`${base}/tags/list`),
    'GET referrers': () => registry.get(`${base}/referrers/${manifest.digest}`),
    'PUT manifest': () => putManifest(registry, repository, 'verbs', manifest),
    'GET manifest': () => registry.get(`${base}/manifests/verbs`),
    'HEAD manifest': () => registry.head(`${base}/manifests/verbs`),
    'GET blob': () => registry.get(`${base}/blobs/${blob.digest}`),
    'HEAD blob': () => registry.head(`${base}/blobs/${blob.digest}`),
    'POST upload': () => registry.ask('POST', `${base}/blobs/uploads/`),
    'POST blob': () => pushBlob(registry, repository, content(randomBytes(20))),
    'POST mount': () =>
      registry.ask('POST', `${base}/blobs/uploads/?mount=${blob.digest}&from=${repository}`),
    'GET upload': () => registry.get(open),
    'PATCH upload': () => registry.ask('PATCH', open, { headers: octets, body: piece.bytes }),
    'PUT upload': () =>
      registry.ask('PUT', addQuery(open, { digest: piece.digest }), { headers: octets }),
    'DELETE upload': async () => registry.delete(open),
    'DELETE tag': () => registry.delete(`${base}/manifests/verbs`),
    'DELETE manifest': () => registry.delete(`${base}/manifests/${manifest.digest}`),
    'DELETE blob': () => registry.delete(`${base}/blobs/${blob.digest}`),
  };
}

test(`a revoked token is refused on every verb within ${revokedWithinMs / 1000} s, and after a restart`, async (t) => {
  const args = ['--team', bootstrap.teamSlug, '--scope', 'admin', '--name', 'to-be-revoked'];
  const made = (await admin('token', 'create', ...args)) as { id: string; token: string };
  const { bearer, refresh } = await login(bootstrap.teamId, made.token);
  const credentials = { Basic: basic(bootstrap.teamId, made.token), Bearer: bearer };
  const registries = Object.values(credentials).map((each) => new Registry(origin, each));
  try {
    const verbs: Record<string, () => Promise<Answer>> = {};
    for (const [at, name] of Object.keys(credentials).entries()) {
      const each = await everyVerb(registries[at]!);
      for (const [verb, request] of Object.entries(each)) verbs[`${verb} by ${name}`] = request;
    }
    // Each is asked once before, so that what a server caches of them is there.
    for (const [verb, request] of Object.entries(verbs)) {
      const { status, ...answer } = await request();
      const denied = status === 401 || status === 403;
      assert.ok(!denied, `${verb}: ${status} before the token was revoked: ${answer.body}`);
    }

    await admin('token', 'revoke', made.id);
    const revoked = performance.now();
    let taken = Object.keys(verbs);
    while (taken.length > 0) {
      const answers = await Promise.all(taken.map((verb) => verbs[verb]!()));
      taken = taken.filter((_, at) => answers[at]!.status !== 401);
      const late = performance.now() - revoked > revokedWithinMs;
      assert.ok(taken.length === 0 || !late, `still answered: ${taken.join(', ')}`);
      if (taken.length > 0) await delay(50);
    }
    t.diagnostic(`every verb refused ${Math.round(performance.now() - revoked)} ms after`);
    const again = await ask({ grant_type: 'refresh_token', refresh_token: refresh });
    assert.equal(again.status, 401, 'the refresh token');
  } finally {
    for (const registry of registries) registry.close();
  }
  await restart('SIGKILL');
  for (const [name, authorization] of Object.entries(credentials)) {
    await withRegistry(authorization, async (registry) => {
      assert.equal((await registry.get('/v2/')).status, 401, `${name} after a restart`);
      assert.equal((await registry.get(`/v2/${repository}/tags/list`)).status, 401, name);
    });
  }
  const after = await ask({ grant_type: 'refresh_token', refresh_token: refresh });
  assert.equal(after.status, 401, 'the refresh token after a restart');
});
