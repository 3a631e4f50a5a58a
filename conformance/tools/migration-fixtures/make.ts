/**
 * Makes the fixtures of a released schema anew: starts that version's own program from git's history on a folder of
 * its own, pushes and sets up what its API can, ends it, and writes down what it left.
 *
 *   node scripts/run.mjs conformance/tools/migration-fixtures/make.ts <version>     (of fixtures/released.ts)
 *
 *   v<version>/data.sql      the whole database, schema and rows
 *   v<version>/files.json    the data folder's other files, base64
 *   v<version>/known.json    what was pushed and made, for the test to look for
 *   v<version>/queries.jsonl of a version that knows Postgres: what it asked there, in order
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { Known } from '../../../storage-adapters/metadata/migrations/fixtures/known.ts';
import { releases } from '../../../storage-adapters/metadata/migrations/fixtures/released.ts';
import { startPostgres } from '../postgres.ts';

const version = process.argv[2] ?? '';
const release = releases.find(({ schema }) => String(schema) === version);
if (!release) throw new Error(`no release is known with the schema "${version}"`);
const { commit } = release;
const root = join(import.meta.dirname, '..', '..', '..');
const fixtures = join(root, 'storage-adapters', 'metadata', 'migrations', 'fixtures');
const out = join(fixtures, `v${version}`);
const work = mkdtempSync(join(tmpdir(), 'gantry-fixture-'));
const tree = join(work, 'tree');
const digestOf = (bytes: Buffer | string) =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

interface Bootstrap {
  readonly url: string;
  readonly teamId: string;
  readonly teamSlug: string;
  readonly projectSlug: string;
  readonly token: string;
}

/** Runs `use` on that version's server. */
async function serve(
  data: string,
  env: Record<string, string>,
  use: (first: Bootstrap) => Promise<void>,
): Promise<void> {
  const { DOCKER_HOST: _, ...own } = process.env;
  const settings = {
    ...{ GANTRY_DATA: data, GANTRY_PORT: '0' },
    ...(Number(version) >= 3 && { GANTRY_DOCKER_HOST: `unix://${work}/none.sock` }),
  };
  const server = spawn(process.execPath, ['src/main.ts'], {
    cwd: tree,
    env: { ...own, ...settings, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  server.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  while (!/ready at /.test(output)) {
    if (server.exitCode !== null) throw new Error(`it did not start: ${output}`);
    await delay(100);
  }
  const first = JSON.parse(readFileSync(join(data, 'bootstrap.json'), 'utf8')) as Bootstrap;
  const url = /ready at (\S+)/.exec(output)![1]!;
  try {
    await use({ ...first, url });
    // Events reach their table, uses and audit rows theirs.
    await delay(2_000);
  } finally {
    server.kill('SIGTERM');
    await ended;
  }
}

async function fill(first: Bootstrap, known: Known): Promise<void> {
  const basic = `Basic ${Buffer.from(`${first.teamId}:${first.token}`).toString('base64')}`;
  const at = `/v2/${first.teamSlug}/${first.projectSlug}`;
  async function ask(method: string, path: string, body?: string | Buffer, type?: string) {
    const answer = await fetch(new URL(path, first.url), {
      method,
      headers: {
        authorization: path.startsWith('/api') ? `Bearer ${first.token}` : basic,
        ...(type && { 'content-type': type }),
      },
      ...(body !== undefined && { body }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return { headers: answer.headers, text };
  }
  async function api(path: string, body: object, method = 'POST') {
    const { text } = await ask(method, `/api/v1${path}`, JSON.stringify(body), 'application/json');
    return (text ? JSON.parse(text) : {}) as { id: string; token: string };
  }
  async function blob(repository: string, bytes: Buffer) {
    const digest = digestOf(bytes);
    const begun = await ask('POST', `${at}/${repository}/blobs/uploads/`);
    const location = new URL(begun.headers.get('location')!, first.url);
    location.searchParams.set('digest', digest);
    await ask('PUT', `${location.pathname}${location.search}`, bytes, 'application/octet-stream');
    return { digest, size: bytes.length };
  }
  const manifestType = 'application/vnd.oci.image.manifest.v1+json';
  async function image(repository: string, tag: string, text: string, more: object = {}) {
    const config = await blob(
      repository,
      Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', text })),
    );
    const layer = await blob(repository, Buffer.from(`layer of ${text}`));
    const manifest = JSON.stringify({
      ...{ schemaVersion: 2, mediaType: manifestType },
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
      ...more,
    });
    const reference = tag || digestOf(manifest);
    await ask('PUT', `${at}/${repository}/manifests/${reference}`, manifest, manifestType);
    const descriptor = {
      ...{ mediaType: manifestType, digest: digestOf(manifest), size: manifest.length },
    };
    known.manifests.push({ repository, reference, digest: descriptor.digest });
    return descriptor;
  }
  const app = await image('app', 'v1', 'one');
  await image('app', 'latest', 'two');
  await image('app', '', 'signature', { subject: app });
  const indexType = 'application/vnd.oci.image.index.v1+json';
  const index = JSON.stringify({
    ...{ schemaVersion: 2, mediaType: indexType },
    manifests: [{ ...app, platform: { os: 'linux', architecture: 'amd64' } }],
  });
  await ask('PUT', `${at}/app/manifests/multi`, index, indexType);
  known.manifests.push({ repository: 'app', reference: 'multi', digest: digestOf(index) });
  known.tags.app = ['latest', 'multi', 'v1'];
  const gone = await image('app', 'gone', 'gone');
  known.manifests.pop();
  await ask('DELETE', `${at}/app/manifests/${gone.digest}`);
  await image('other', 'v1', 'other');
  known.tags.other = ['v1'];
  // Moved, so that a history begins.
  await image('other', 'moving', 'first');
  known.manifests.pop();
  await image('other', 'moving', 'second');
  known.tags.other = ['moving', 'v1'];
  const begun = await ask('POST', `${at}/app/blobs/uploads/`);
  const location = begun.headers.get('location')!;
  await ask('PATCH', location, 'a chunk', 'application/octet-stream');

  if (Number(version) < 2) return;
  const team = `/teams/${first.teamSlug}`;
  const token = await api(`${team}/tokens`, { name: 'ci', scope: 'write', expires: '3650d' });
  known.tokens.push(token.token);
  await api(`${team}/projects`, { slug: 'second' });
  const webhook = { name: 'ci', url: 'https://hooks.example/in', types: ['tag.moved'] };
  known.webhooks.push((await api(`${team}/webhooks`, webhook)).id);
  const project = `${team}/projects/${first.projectSlug}`;
  await api(`${project}/env/production/COLOUR`, { value: 'green' }, 'PUT');
  if (Number(version) < 3) return;
  await api(`${project}/services`, {
    ...{ name: 'app', repository: 'app', settings: { port: 8080, maxInstances: 2 } },
  });
  known.services.push('app');
}

/** Tables, indexes and rows, as statements. */
function dump(file: string): string {
  const db = new DatabaseSync(file, { readOnly: true });
  const lines: string[] = [];
  const named = db
    .prepare(
      "select type, name, sql from sqlite_master where sql is not null order by type = 'index', rowid",
    )
    .all() as { type: string; name: string; sql: string }[];
  for (const { sql } of named) lines.push(`${sql};`);
  for (const { type, name } of named) {
    if (type !== 'table') continue;
    for (const row of db.prepare(`select * from "${name}"`).all()) {
      const values = Object.values(row).map((value) => {
        if (value === null) return 'NULL';
        if (value instanceof Uint8Array) return `X'${Buffer.from(value).toString('hex')}'`;
        return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
      });
      const columns = Object.keys(row).map((column) => `"${column}"`);
      lines.push(`INSERT INTO "${name}" (${columns.join(', ')}) VALUES (${values.join(', ')});`);
    }
  }
  db.close();
  return `${lines.join('\n')}\n`;
}

const isDatabase = (path: string) => /^(gantry\.db.*|lock|admin\.sock|queries)$/.test(path);

function filesOf(data: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(data, { recursive: true, withFileTypes: true })) {
    const path = relative(data, join(entry.parentPath, entry.name));
    if (!entry.isFile() || isDatabase(path)) continue;
    found[path] = readFileSync(join(data, path)).toString('base64');
  }
  return found;
}

const newKnown = (token = ''): Known => ({
  ...{ commit, token, teamId: '', team: '', project: '' },
  ...{ manifests: [], tags: {}, tokens: [], webhooks: [], services: [] },
});

execFileSync('git', ['worktree', 'add', '-q', '--detach', tree, commit], { cwd: root });
try {
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  mkdirSync(out, { recursive: true });
  const data = join(work, 'data');
  const known = newKnown();
  await serve(data, {}, async (first) => {
    await fill(first, known);
    const { token, teamId, teamSlug: team, projectSlug: project } = first;
    Object.assign(known, { token, teamId, team, project });
  });
  writeFileSync(join(out, 'data.sql'), dump(join(data, 'gantry.db')));
  writeFileSync(join(out, 'files.json'), `${JSON.stringify(filesOf(data), undefined, 1)}\n`);
  writeFileSync(join(out, 'known.json'), `${JSON.stringify(known, undefined, 1)}\n`);
  if (Number(version) >= 4) {
    const server = await startPostgres();
    const shared = join(work, 'shared');
    mkdirSync(shared, { mode: 0o700 });
    const queries = join(work, 'queries');
    const recorder = join(import.meta.dirname, 'record-queries.mjs');
    await serve(
      shared,
      {
        ...{ GANTRY_DATABASE_URL: server.url, RECORD_QUERIES: queries },
        ...{ GANTRY_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') },
        NODE_OPTIONS: `--import=${recorder}`,
      },
      (first) => fill(first, newKnown()),
    );
    await server.stop();
    copyFileSync(queries, join(out, 'queries.jsonl'));
  }
} finally {
  execFileSync('git', ['worktree', 'remove', '--force', tree], { cwd: root });
  rmSync(work, { recursive: true, force: true });
}
