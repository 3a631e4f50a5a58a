/** docker-compose.yml is read as docker compose does, and agrees with deploy/nginx.conf and the settings. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { parseDuration } from '../../src/config/units.ts';
import { root } from '../faults/support/gantry.ts';
import { findProgram } from '../tools/cache.ts';
import { nginxConfig } from '../tools/nginx.ts';

const file = join(root, 'docker-compose.yml');
const env = { PATH: process.env.PATH, HOME: process.env.HOME, GANTRY_SECRET_KEY: 'ab'.repeat(32) };

interface Service {
  readonly profiles?: string[];
  readonly stop_grace_period?: string;
  readonly environment?: Record<string, string>;
  readonly depends_on?: Record<string, unknown>;
  readonly ports?: object[];
  readonly volumes?: { type: string; source: string; target: string }[];
}

interface Project {
  readonly services: Record<string, Service>;
  readonly volumes: object;
}

const found = findProgram('compose');
const options = 'missing' in found ? { skip: found.missing } : {};

/** As `docker compose --profile '*' config`: the schema of the specification, and what services name. */
function compose(path: string) {
  return spawnSync('path' in found ? found.path : '', [path], { encoding: 'utf8', env });
}

test('docker compose takes the file, with all profiles', options, () => {
  const { status, stderr } = compose(file);
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '', 'it warns of nothing');
});

test('what is wrong in it would be noticed', options, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-compose-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const text = readFileSync(file, 'utf8');
  const mistakes: readonly [from: string, to: string, said: RegExp][] = [
    ['depends_on: [store]', 'depends_on: [shop]', /shop/],
    ['stop_grace_period:', 'stop_grace_time:', /stop_grace_time/],
    ['- bucket:/store/gantry', '- buckets:/store/gantry', /buckets/],
  ];
  for (const [from, to, said] of mistakes) {
    assert.ok(text.includes(from), from);
    const path = join(folder, 'docker-compose.yml');
    writeFileSync(path, text.replace(from, to));
    const { status, stderr } = compose(path);
    assert.notEqual(status, 0, `${to} is taken`);
    assert.match(stderr, said);
  }
});

test('two replicas, what they need, and nginx before them', options, () => {
  const { services, volumes } = JSON.parse(compose(file).stdout) as Project;
  const upstreams = [
    ...readFileSync(nginxConfig, 'utf8').matchAll(/^ *server (gantry-\d+):5050 /gm),
  ].map((match) => match[1]!);
  assert.deepEqual(upstreams, ['gantry-1', 'gantry-2']);
  const seen = new Set<string>();
  const needed = (name: string): void => {
    const service = services[name];
    assert.ok(service, `${name} is no service`);
    assert.ok(service.profiles?.includes('replicas'), `${name} is not in the profile`);
    seen.add(name);
    for (const one of Object.keys(service.depends_on ?? {})) needed(one);
    for (const { type, source } of service.volumes ?? [])
      if (type === 'volume') assert.ok(source in volumes, `${source} is no volume`);
  };
  needed('balancer');
  for (const one of [...upstreams, 'postgres', 'store']) assert.ok(seen.has(one), one);
  const mounted = services.balancer!.volumes!.map(({ source, target }) => [source, target]);
  assert.deepEqual(mounted, [[join(root, 'deploy', 'nginx.conf'), '/etc/nginx/nginx.conf']]);

  const configs = upstreams.map((name) => {
    assert.deepEqual(services[name]!.ports ?? [], [], 'clients come through nginx');
    return loadConfig(services[name]!.environment!, { cwd: root });
  });
  const [one, other] = configs;
  assert.notEqual(one!.data, other!.data);
  for (const config of configs) {
    assert.equal(config.port, 5050);
    assert.equal(config.databaseUrl, one!.databaseUrl);
    assert.equal(config.secretKey, one!.secretKey);
    assert.deepEqual(config.storage, { type: 's3', bucket: 'gantry', prefix: '' });
    assert.ok(config.drainDelay > 2_000, 'nginx leaves out for up to 2 s one that was away');
  }
  for (const [at, name] of upstreams.entries()) {
    const { drainDelay, drainTimeout } = configs[at]!;
    const grace = parseDuration(services[name]!.stop_grace_period!)!;
    assert.ok(grace > drainDelay + drainTimeout, `${name} is killed in its drain`);
  }
});
