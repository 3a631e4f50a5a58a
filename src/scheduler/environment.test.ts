import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { openSqliteMetadata } from '../../storage-adapters/metadata/sqlite.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { ServiceSettings } from '../ports/functions.ts';
import type { VolumeSpec } from '../ports/runtime-driver.ts';
import { secretContext, variableContext } from '../ports/secrets.ts';
import type { ActivationTarget } from './activation.ts';
import type { Contract } from './contracts/contract.ts';
import { Environments } from './environment.ts';
import { TokenFiles } from './token-files.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 10, 21);

async function open(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-env-'));
  t.after(() => rm(folder, { recursive: true }));
  const metadata = await openSqliteMetadata({ folder: join(folder, 'data') });
  t.after(() => metadata.close());
  const { writer } = metadata;
  await writer.run('CreateTeam', {
    ...{ id: 'team_1', slug: 'acme', name: 'Acme', plan: 'pro', createdAt: start },
  });
  await writer.run('CreateProject', {
    ...{ id: 'prj_1', teamId: 'team_1', slug: 'shop', settings: {}, createdAt: start },
  });
  let now = start;
  let issued = 0;
  let down = false;
  const warned: string[] = [];
  const ensured: VolumeSpec[] = [];
  const openFiles = () =>
    TokenFiles.open({
      folder: join(folder, 'run'),
      clock: { now: () => now },
      log: { warn: (message) => void warned.push(message) },
      identities: {
        async issue({ environment, service }) {
          if (down) throw new Error('no key');
          issued += 1;
          return {
            oidcToken: `token ${issued} of ${environment}/${service}`,
            ...{ accessKeyId: 'id', accessKeySecret: 'secret', securityToken: 'token' },
            expiresAt: now + hour,
          };
        },
      },
    });
  const files = await openFiles();
  t.after(() => files.close());
  const contract = {
    name: 'vercel',
    environment: ({ port, memory }, { oidcToken }) => ({
      ...{ FROM_CONTRACT: `${port} ${memory} ${oidcToken}`, SHARED: 'contract' },
    }),
  } as Pick<Contract, 'name' | 'environment'> as Contract;
  const environments = new Environments({
    ...metadata,
    // What is sealed says where it belongs: an open by another name fails.
    open: (sealed, context) => {
      const [where, value] = sealed.split('|') as [string, string];
      assert.equal(where, context);
      return value;
    },
    files,
    contracts: {
      contractOf: () => contract,
      portOf: (service, env) => service.settings.port ?? Number(env.PORT ?? 80),
    },
    machines: { of: () => ({ name: 'S', cpus: 1, memory: 512, gpu: undefined }) },
    runtimeVolumes: { ensure: async (spec) => void ensured.push(spec) },
    region: 'local',
  });
  const target = (settings: ServiceSettings = {}): ActivationTarget => ({
    ...{ deploymentId: 'dpl_1', teamId: 'team_1', teamSlug: 'acme', projectId: 'prj_1' },
    ...{ projectSlug: 'shop', environment: 'production', host: 'shop.localhost' },
    service: {
      ...{ serviceId: 'svc_1', name: 'web', repositoryId: 'repo_1', settings },
      ...{ repository: 'acme/shop/web', digest: digestOf(Buffer.from('image')) },
    },
  });
  return {
    ...{ environments, files, openFiles, target, writer, warned, ensured },
    run: join(folder, 'run'),
    pass: (ms: number) => {
      now += ms;
    },
    setDown: (value: boolean) => {
      down = value;
    },
    variable: (name: string, value: string, environment: 'production' | 'preview' = 'production') =>
      writer.run('PutVariable', {
        ...{ projectId: 'prj_1', environment, name, actor: 'ada', now },
        sealed: `${variableContext('prj_1', environment, name)}|${value}`,
      }),
    secret: (name: string, value: string) =>
      writer.run('PutSecret', {
        ...{ id: `sec_${name}_${now}`, projectId: 'prj_1', name, actor: 'ada', now },
        sealed: `${secretContext('prj_1', name)}|${value}`,
      }),
  };
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(error instanceof RegistryError, String(error));
  assert.equal(error.kind, 'invalid');
  return error.message;
}

test('variables, own settings, secrets, then PORT and tokens: later ones win', async (t) => {
  const { environments, target, variable, secret, run } = await open(t);
  await variable('SHARED', 'project');
  await variable('LEVEL', 'project');
  await variable('KEY', 'project');
  await variable('PORT', '3000');
  await variable('GANTRY_OIDC_TOKEN', 'forged');
  await variable('LEVEL', 'of preview', 'preview');
  await secret('db', 's3cret');
  const settings = { env: { LEVEL: 'service', KEY: 'service' }, secrets: { KEY: 'db' } };
  const { env, files } = await environments.resolve(target(settings), 'ins_1');
  const token = 'token 1 of production/web';
  assert.deepEqual(env, {
    ...{ FROM_CONTRACT: `3000 512 ${token}`, SHARED: 'project', LEVEL: 'service' },
    ...{ KEY: 's3cret', PORT: '3000', GANTRY_OIDC_TOKEN: token, VERCEL_OIDC_TOKEN: token },
    GANTRY_OIDC_TOKEN_FILE: '/var/run/gantry/oidc-token',
  });
  assert.deepEqual(files, [{ path: '/var/run/gantry', source: join(run, 'ins_1', 'files') }]);
  const own = await environments.resolve(target({ port: 9000 }), 'ins_2');
  assert.equal(own.env.PORT, '9000');
});

test('the fingerprint changes with all that an instance is made of, and with nothing else', async (t) => {
  const { environments, target, variable, secret, writer, pass } = await open(t);
  const settings = { secrets: { KEY: 'db' }, volumes: [{ name: 'data', path: '/data' }] };
  const seen = new Set<string>();
  const changed = async (what: string, of = settings as ServiceSettings) => {
    const fingerprint = await environments.fingerprint(target(of));
    assert.ok(!seen.has(fingerprint), what);
    seen.add(fingerprint);
    assert.equal(await environments.fingerprint(target(structuredClone(of))), fingerprint, what);
  };
  await changed('nothing is there yet');
  await secret('db', 'one');
  await changed('a secret');
  await secret('db', 'two');
  await changed("a secret's value");
  pass(1);
  await writer.run('DeleteSecret', { projectId: 'prj_1', name: 'db' });
  await secret('db', 'three');
  await changed('a secret made anew');
  await variable('A', '1');
  await changed('a variable');
  await variable('A', '2');
  await changed("a variable's value");
  await writer.run('CreateVolume', {
    ...{ id: 'vol_1', projectId: 'prj_1', name: 'data', kind: 'disk', bucket: undefined },
    ...{ maxBytes: undefined, createdAt: start, createdBy: 'ada' },
  });
  await changed('a volume');
  await changed('settings', { ...settings, args: ['--x'] });
  const before = await environments.fingerprint(target(settings));
  const moved = { ...target(settings), host: 'shop-1.localhost:6060' };
  assert.notEqual(await environments.fingerprint(moved), before, 'the address that it is told');
  await secret('other', 'x');
  await variable('A', 'x', 'preview');
  assert.equal(await environments.fingerprint(target(settings)), before, 'what is not its own');
  const swapped = { volumes: settings.volumes, secrets: settings.secrets };
  assert.equal(await environments.fingerprint(target(swapped)), before, 'the order of keys');
  const { fingerprint } = await environments.resolve(target(settings), 'ins_1');
  assert.equal(fingerprint, before);
});

test('what is missing is named, nothing is made, and no value is in the message', async (t) => {
  const { environments, target, variable, run } = await open(t);
  await variable('LONG', `canary${'x'.repeat(65_536)}`);
  for (const [settings, expected] of [
    [{ secrets: { KEY: 'db' } }, /takes KEY from the secret "db"/],
    [{ volumes: [{ name: 'data', path: '/data' }] }, /mounts the volume "data"/],
    [{}, /has \d+ bytes; at most 65536/],
  ] as const) {
    for (const work of [
      () => environments.resolve(target(settings), 'ins_1'),
      () => environments.check(target(settings)),
    ]) {
      const message = await refusal(work());
      assert.match(message, expected);
      assert.ok(!message.includes('canary'));
    }
  }
  await environments.fingerprint(target({ secrets: { KEY: 'db' } }));
  assert.deepEqual(await readdir(run), []);
});

test('volumes are made where instances run, with their keys opened', async (t) => {
  const { environments, target, writer, ensured } = await open(t);
  const common = { projectId: 'prj_1', maxBytes: undefined, createdAt: start, createdBy: 'ada' };
  await writer.run('CreateVolume', {
    ...{ ...common, id: 'vol_1', name: 'data', kind: 'disk', bucket: undefined },
  });
  const keys = { accessKeyId: 'a', secretAccessKey: 'b' };
  const bucket = { endpoint: 'http://s3', region: 'eu', bucket: 'b', prefix: 'p/' };
  await writer.run('CreateVolume', {
    ...{ ...common, id: 'vol_2', name: 'assets', kind: 'bucket' },
    bucket: { ...bucket, sealedKeys: `volume:vol_2|${JSON.stringify(keys)}` },
  });
  const volumes = [
    { name: 'assets', path: '/assets', readOnly: true },
    { name: 'data', path: '/data' },
  ];
  const { mounts } = await environments.resolve(target({ volumes }), 'ins_1');
  assert.deepEqual(mounts, [
    { volume: 'vol_2', path: '/assets', readOnly: true },
    { volume: 'vol_1', path: '/data', readOnly: false },
  ]);
  assert.deepEqual(ensured, [
    { name: 'vol_2', projectId: 'prj_1', source: { kind: 'bucket', ...bucket, ...keys } },
    { name: 'vol_1', projectId: 'prj_1', source: { kind: 'disk', maxBytes: undefined } },
  ]);
});

test('a token file is replaced whole before it runs out, kept by the next process, and goes with its instance', async (t) => {
  const { environments, target, files, openFiles, run, pass, setDown, warned } = await open(t);
  const source = join(run, 'ins_1', 'files');
  const token = () => readFile(join(source, 'oidc-token'), 'utf8');
  await environments.resolve(target(), 'ins_1');
  assert.equal(await token(), 'token 1 of production/web');
  assert.equal((await stat(run)).mode & 0o777, 0o700);
  assert.equal((await stat(source)).mode & 0o777, 0o755);
  assert.equal((await stat(join(source, 'oidc-token'))).mode & 0o777, 0o444);
  assert.deepEqual(await readdir(source), ['oidc-token']);
  await files.renew();
  assert.equal(await token(), 'token 1 of production/web', 'it is fresh');
  pass(hour / 2);
  setDown(true);
  await files.renew();
  assert.equal(await token(), 'token 1 of production/web');
  assert.deepEqual(warned, ['an instance keeps its old token for now']);
  setDown(false);
  await files.renew();
  assert.equal(await token(), 'token 2 of production/web');

  await environments.resolve(target(), 'ins_2');
  await files.close();
  await writeFile(join(run, 'stray'), '');
  const next = await openFiles();
  t.after(() => next.close());
  assert.deepEqual((await readdir(run)).sort(), ['ins_1', 'ins_2']);
  await next.renew();
  assert.equal(await token(), 'token 4 of production/web');
  next.releaseOthers(new Set(['ins_1']));
  await next.renew();
  assert.deepEqual(await readdir(run), ['ins_1']);
  next.release('ins_1');
  await next.renew();
  assert.deepEqual(await readdir(run), []);
});

test('an instance that is given up while its file is made leaves none', async (t) => {
  const { environments, target, files, run } = await open(t);
  const resolving = environments.resolve(target(), 'ins_1');
  resolving.catch(() => {});
  while ((await readdir(run)).length === 0) await new Promise((resolve) => setImmediate(resolve));
  environments.release('ins_1');
  await resolving.catch(() => {});
  environments.release('ins_1');
  await files.renew();
  assert.deepEqual(await readdir(run), []);
});
