import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ConfigError, loadConfig } from './load.ts';
import { envName, settingNames, settings } from './schema.ts';

const cwd = '/srv/gantry';

function refusal(env: Record<string, string>): ConfigError {
  try {
    loadConfig(env, { cwd });
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error;
  }
  assert.fail('was not refused');
}

function file(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'gantry.json');
  writeFileSync(path, text);
  return path;
}

test('nothing set: the defaults, with paths from the working directory', () => {
  const config = loadConfig({ PATH: '/bin' }, { cwd });
  assert.equal(config.data, '/srv/gantry/data');
  assert.equal(config.host, '127.0.0.1');
  assert.equal(config.port, 5050);
  assert.deepEqual(config.storage, { type: 'filesystem' });
  assert.equal(config.uploadExpiry, 24 * 3600 * 1000);
  assert.equal(config.plan, 'self-hosted');
  assert.equal(config.layerLimit, undefined);
  assert.equal(config.measure, true);
});

test('the settings are frozen, all the way down', () => {
  const config = loadConfig({ GANTRY_TRUSTED_PROXIES: '10.0.0.1' }, { cwd });
  assert.throws(() => Object.assign(config, { port: 1 }), TypeError);
  assert.throws(() => Object.assign(config.s3, { region: 'x' }), TypeError);
  assert.throws(() => (config.trustedProxies as string[]).push('x'), TypeError);
});

const values: [variable: string, text: string, read: unknown][] = [
  ['GANTRY_PORT', '0', 0],
  ['GANTRY_PUBLIC_URL', 'https://registry.example.com/', 'https://registry.example.com'],
  ['GANTRY_LAYER_LIMIT', '500MB', 500_000_000],
  ['GANTRY_IMAGE_LIMIT', '1.5GiB', 1.5 * 2 ** 30],
  ['GANTRY_CACHE_MANIFESTS', '1048576', 1_048_576],
  ['GANTRY_TOKEN_TTL', '60s', 60_000],
  ['GANTRY_BODY_TIMEOUT', '500ms', 500],
  ['GANTRY_MEASURE', 'off', false],
  ['GANTRY_MEASURE', 'TRUE', true],
  [
    'GANTRY_TRUSTED_PROXIES',
    '127.0.0.1, 10.0.0.0/8,::1/128',
    ['127.0.0.1', '10.0.0.0/8', '::1/128'],
  ],
  [
    'GANTRY_OUTBOUND_ALLOW',
    'loopback,idp.internal:8443,fd00::/8',
    ['loopback', 'idp.internal:8443', 'fd00::/8'],
  ],
  ['GANTRY_STORAGE', 's3://bucket', { type: 's3', bucket: 'bucket', prefix: '' }],
  ['GANTRY_STORAGE', 's3://bucket/a/b/', { type: 's3', bucket: 'bucket', prefix: 'a/b' }],
  ['GANTRY_SECRET_KEY', 'AB'.repeat(32), 'ab'.repeat(32)],
  ['GANTRY_SECRET_KEY', Buffer.alloc(32, 7).toString('base64'), '07'.repeat(32)],
  ['GANTRY_SECRET_KEY', Buffer.alloc(32, 255).toString('base64url'), 'ff'.repeat(32)],
  ['GANTRY_DATA', '/var/lib/gantry', '/var/lib/gantry'],
  ['GANTRY_PUBLIC_URL', '', undefined],
];
for (const [variable, text, read] of values) {
  test(`${variable}=${text}`, () => {
    const config = loadConfig({ [variable]: text }, { cwd });
    const name = settingNames.find((setting) => envName(setting) === variable);
    assert.deepEqual(config[name as keyof typeof config], read);
  });
}

const bad: [variable: string, text: string][] = [
  ['GANTRY_PORT', 'abc'],
  ['GANTRY_PORT', '70000'],
  ['GANTRY_PORT', '50.5'],
  ['GANTRY_PORT', '0x10'],
  ['GANTRY_PUBLIC_URL', 'registry.example.com'],
  ['GANTRY_PUBLIC_URL', 'https://registry.example.com/path'],
  ['GANTRY_PUBLIC_URL', 'ftp://registry.example.com'],
  ['GANTRY_LOG_LEVEL', 'verbose'],
  ['GANTRY_LAYER_LIMIT', '500 megabytes'],
  ['GANTRY_LAYER_LIMIT', '0'],
  ['GANTRY_LAYER_LIMIT', '99999999999GB'],
  ['GANTRY_TOKEN_TTL', '59s'],
  ['GANTRY_TOKEN_TTL', '300'],
  ['GANTRY_MEASURE', 'maybe'],
  ['GANTRY_TRUSTED_PROXIES', '10.0.0.0/33'],
  ['GANTRY_TRUSTED_PROXIES', 'proxy.internal'],
  ['GANTRY_OUTBOUND_ALLOW', 'https://idp.internal'],
  ['GANTRY_STORAGE', 's3:/bucket'],
  ['GANTRY_STORAGE', 'gcs://bucket'],
  ['GANTRY_PLAN', 'free'],
  ['GANTRY_FILE_THREADS', '0'],
  ['GANTRY_FUNCTIONS_DOMAIN', 'http://functions.example.net'],
  ['GANTRY_FUNCTIONS_DOMAIN', 'Functions.example.net'],
  ['GANTRY_FUNCTIONS_DOMAIN', '10.0.0.5'],
  ['GANTRY_FUNCTIONS_DOMAIN', '*.example.net'],
  ['GANTRY_PULL_ADDRESS', 'http://10.0.0.5:5050'],
  ['GANTRY_PULL_ADDRESS', 'registry'],
  ['GANTRY_SIGNIN_ALLOW', 'a b@example.com'],
  ['GANTRY_EXCHANGED_TOKEN_TTL', '2h'],
];
for (const [variable, text] of bad) {
  test(`${variable}=${text} is refused with what came, what is allowed and an example`, () => {
    const { problems, message } = refusal({ [variable]: text });
    assert.equal(problems.length, 1);
    assert.ok(message.includes(variable), message);
    assert.ok(message.includes(JSON.stringify(text)), message);
    assert.match(message, /; allowed: .+\. Example: GANTRY_/);
  });
}

test('every setting takes its own example, and says what it does', () => {
  for (const name of settingNames) {
    const { example, secret, description } = settings[name];
    assert.ok(description.endsWith('.'), name);
    const env: Record<string, string> = {
      [envName(name)]: secret && name !== 'databaseUrl' ? 'ab'.repeat(32) : example,
    };
    if (name === 'databaseUrl') env.GANTRY_SECRET_KEY = 'ab'.repeat(32);
    if (name.startsWith('s3')) env.GANTRY_STORAGE = 's3://bucket';
    if (name.startsWith('signin')) {
      env.GANTRY_SIGNIN_ISSUER ??= 'https://accounts.example.com';
      env.GANTRY_SIGNIN_CLIENT_ID ??= 'gantry';
    }
    if (name === 'tlsCert') env.GANTRY_TLS_KEY = 'key.pem';
    if (name === 'tlsKey') env.GANTRY_TLS_CERT = 'cert.pem';
    loadConfig(env, { cwd });
  }
});

test('an unknown variable is refused with the closest one and all that are allowed', () => {
  const { message } = refusal({ GANTRY_PROT: '1' });
  assert.match(message, /GANTRY_PROT: there is no such setting\. Did you mean GANTRY_PORT\?/);
  for (const name of settingNames) assert.ok(message.includes(envName(name)), name);
});

test('an unknown variable near to none is not given a guess', () => {
  assert.doesNotMatch(refusal({ GANTRY_ZZZZZZZZZZ: '1' }).message, /Did you mean/);
});

test('everything that is wrong is said at once', () => {
  const { problems } = refusal({ GANTRY_PROT: '1', GANTRY_PORT: 'x', GANTRY_PLAN: 'y' });
  assert.equal(problems.length, 3);
});

test('what the tests alone read is no setting', () => {
  loadConfig({ GANTRY_TEST_QUICK: '1', GANTRY_TOOLS_BIN: '/x' }, { cwd });
});

test('a secret and a password in a URL are never in the message', () => {
  const { message } = refusal({
    GANTRY_SECRET_KEY: 'canary-1',
    GANTRY_METRICS_TOKEN: 'canary-2',
    GANTRY_STORAGE: 's3://b-1',
    GANTRY_S3_ENDPOINT: 'https://user:canary-3@s3.example.net',
  });
  assert.doesNotMatch(message, /canary/);
  assert.match(message, /a value of 8 characters/);
});

test('a file sets the same by camelCase names, and the environment wins', (t) => {
  const path = file(t, '{"port": 8080, "logLevel": "warn", "trustedProxies": ["10.0.0.0/8"]}');
  const config = loadConfig({ GANTRY_CONFIG: path, GANTRY_LOG_LEVEL: 'error' }, { cwd });
  assert.equal(config.port, 8080);
  assert.equal(config.logLevel, 'error');
  assert.deepEqual(config.trustedProxies, ['10.0.0.0/8']);
});

test('a name in the file that is no setting is refused with the file, the closest and all', (t) => {
  const path = file(t, '{"publicURL": "https://x.example"}');
  const { message } = refusal({ GANTRY_CONFIG: path });
  assert.ok(message.includes(`publicURL in ${path}`), message);
  assert.match(message, /Did you mean publicUrl\?/);
});

test('types in the file are as in the schema', (t) => {
  const path = file(t, '{"port": "8080", "measure": "on", "trustedProxies": "10.0.0.1"}');
  assert.equal(refusal({ GANTRY_CONFIG: path }).problems.length, 3);
});

test('a file that is absent, no JSON or no object is refused by its path, its text unseen', (t) => {
  const broken = file(t, '{"port": 1,\n"secretKey": canary}');
  for (const path of ['/absent/gantry.json', broken, file(t, '[1]'), file(t, 'null')]) {
    const { message } = refusal({ GANTRY_CONFIG: path });
    assert.ok(message.includes(path), message);
    assert.doesNotMatch(message, /canary/);
  }
});

const relations: [why: string, env: Record<string, string>, says: RegExp][] = [
  ['a certificate without its key', { GANTRY_TLS_CERT: 'a.pem' }, /without GANTRY_TLS_KEY/],
  ['a key without its certificate', { GANTRY_TLS_KEY: 'a.pem' }, /without GANTRY_TLS_CERT/],
  [
    'an S3 endpoint but no S3',
    { GANTRY_S3_ENDPOINT: 'http://s3:1' },
    /GANTRY_STORAGE is filesystem/,
  ],
  [
    'a redirect below the registry name',
    {
      GANTRY_STORAGE: 's3://b-1',
      GANTRY_PUBLIC_URL: 'https://r.example.com',
      GANTRY_S3_PUBLIC_ENDPOINT: 'https://s3.r.example.com:9000',
    },
    /credentials along/,
  ],
];
for (const [why, env, says] of relations) {
  test(`${why} is refused`, () => assert.match(refusal(env).message, says));
}

test('the same redirect host is allowed where nothing is redirected', () => {
  loadConfig({ ...relations[3]![1], GANTRY_S3_REDIRECT: 'off' }, { cwd });
});

test('S3: path style and region follow from the endpoint unless they are set', () => {
  const s3 = (env: Record<string, string>) =>
    loadConfig({ GANTRY_STORAGE: 's3://b-1', ...env }, { cwd }).s3;
  assert.equal(s3({}).pathStyle, false);
  assert.equal(s3({}).region, undefined);
  const local = { GANTRY_S3_ENDPOINT: 'http://127.0.0.1:7070/' };
  assert.equal(s3(local).endpoint, 'http://127.0.0.1:7070');
  assert.equal(s3(local).pathStyle, true);
  assert.equal(s3(local).region, 'us-east-1');
  assert.equal(s3({ ...local, AWS_REGION: 'eu-west-1' }).region, 'eu-west-1');
  assert.equal(s3({ ...local, GANTRY_S3_PATH_STYLE: 'off' }).pathStyle, false);
});

test('a provider without its client is refused, and a client without its provider', () => {
  for (const env of [
    { GANTRY_SIGNIN_ISSUER: 'https://accounts.example.com' },
    { GANTRY_SIGNIN_CLIENT_ID: 'gantry' },
    { GANTRY_SIGNIN_ALLOW: 'example.com' },
  ]) {
    assert.match(refusal(env).message, /needs GANTRY_SIGNIN_ISSUER and GANTRY_SIGNIN_CLIENT_ID/);
  }
});
