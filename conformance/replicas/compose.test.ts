/** docker-compose.yml and deploy/nginx.conf agree with each other and with the settings. Images are not pulled. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { root } from '../faults/support/gantry.ts';
import { nginxConfig } from '../tools/nginx.ts';

const file = join(root, 'docker-compose.yml');
const env = { PATH: process.env.PATH, HOME: process.env.HOME, GANTRY_SECRET_KEY: 'ab'.repeat(32) };

interface Service {
  readonly profiles?: string[];
  readonly environment?: Record<string, string>;
  readonly depends_on?: Record<string, unknown> | string[];
  readonly ports?: string[];
  readonly volumes?: string[];
}

/** By Python's YAML parser; undefined where that is not there. */
function parsed(): { services: Record<string, Service>; volumes: object } | undefined {
  const program =
    'import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)';
  const done = spawnSync('python3', ['-c', program, file], { encoding: 'utf8' });
  return done.status === 0 ? JSON.parse(done.stdout) : undefined;
}

/** `${NAME:-text}` as compose fills it in. */
const filled = (text: string) =>
  text.replace(/\$\{(\w+):-([^}]*)\}/g, (_all, name, otherwise) =>
    name === 'GANTRY_SECRET_KEY' ? env.GANTRY_SECRET_KEY : otherwise,
  );

const plugin = spawnSync('docker', ['compose', 'version']).status === 0;

test('docker compose takes the file', {
  skip: plugin ? false : 'docker compose is not there',
}, () => {
  const args = ['compose', '-f', file, '--profile', '*', 'config', '--quiet'];
  const { status, stderr } = spawnSync('docker', args, { encoding: 'utf8', env });
  assert.equal(status, 0, stderr);
});

const compose = parsed();
test('two replicas, what they need, and nginx before them', {
  skip: compose ? false : 'Python has no yaml',
}, () => {
  const { services, volumes } = compose!;
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
    const next = service.depends_on ?? [];
    for (const one of Array.isArray(next) ? next : Object.keys(next)) needed(one);
    for (const volume of service.volumes ?? []) {
      const [from] = volume.split(':') as [string];
      if (!/^[./]/.test(from)) assert.ok(from in volumes, `${from} is no volume`);
    }
  };
  needed('balancer');
  for (const one of [...upstreams, 'postgres', 'store']) assert.ok(seen.has(one), one);
  assert.ok(services.balancer!.volumes!.some((one) => one.startsWith('./deploy/nginx.conf:')));

  const configs = upstreams.map((name) => {
    assert.deepEqual(services[name]!.ports, [], 'clients come through nginx');
    const given = Object.entries(services[name]!.environment!).map(
      ([key, value]) => [key, filled(value)] as const,
    );
    return loadConfig(Object.fromEntries(given), { cwd: root });
  });
  const [one, other] = configs;
  assert.notEqual(one!.data, other!.data);
  for (const config of configs) {
    assert.equal(config.port, 5050);
    assert.equal(config.databaseUrl, one!.databaseUrl);
    assert.equal(config.secretKey, one!.secretKey);
    assert.deepEqual(config.storage, { type: 's3', bucket: 'gantry', prefix: '' });
  }
});
