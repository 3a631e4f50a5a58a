import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from '../../../oci/digest.ts';
import { ociConfig, ociManifest } from '../../../oci/media-types.ts';
import {
  type Ask,
  eventsOf,
  expectError,
  gzipLayer,
  openShop,
  pushImage,
} from './repositories/repository-test-kit.ts';

const zstdLayer = 'application/vnd.oci.image.layer.v1.tar+zstd';
const configOf = (more: object = {}) =>
  JSON.stringify({ os: 'linux', architecture: 'amd64', ...more });
const absent = (size = 10, mediaType = zstdLayer, text = 'layer') => ({
  ...{ mediaType, size, digest: digestOf(Buffer.from(`${text} ${size} ${mediaType}`)) },
});
const manifestOf = (config: string, layers: object[] = [absent()], more: object = {}) =>
  JSON.stringify({
    ...{ schemaVersion: 2, mediaType: ociManifest, layers },
    config: {
      ...{ mediaType: ociConfig, size: Buffer.byteLength(config) },
      digest: digestOf(Buffer.from(config)),
    },
    ...more,
  });

async function check(ask: Ask, body: object) {
  const answer = await ask('POST', '/api/v1/check', { repository: 'acme/shop/web', ...body });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(answer.body.allowed, answer.body.problems.length === 0);
  for (const { code, message, hint } of answer.body.problems) {
    assert.match(code, /^[A-Z_]+$/);
    assert.ok(message.length > 0 && hint.length > 0, JSON.stringify({ code, message, hint }));
  }
  return answer.body;
}

const rulesOf = (body: { problems: { rule: string }[] }) => body.problems.map(({ rule }) => rule);

test('an image that breaks no rule may be pushed, and nothing is made of it', async (t) => {
  const { as, app } = await openShop(t);
  const ask = await as('write');
  const config = configOf();
  for (const manifest of [manifestOf(config), JSON.parse(manifestOf(config))]) {
    const body = { repository: 'acme/shop/new', tags: ['v1'], manifest, config };
    assert.deepEqual(await check(ask, body), { allowed: true, problems: [], warnings: [] });
  }
  assert.equal(await app.world.metadata.repositories.count('prj_1'), 1);
  expectError(await ask('GET', '/new'), 404, 'NOT_FOUND');
  const rows = await eventsOf(app, app.world.repository.id);
  assert.deepEqual(
    rows.map((row) => row.type),
    ['repository.created'],
  );
});

test('every rule that is broken is named, with what to do', async (t) => {
  const { as, app } = await openShop(t);
  const { writer } = app.world.metadata;
  await writer.run('SetProjectSettings', {
    projectId: 'prj_1',
    settings: { layerCompressions: ['zstd'], platforms: ['linux/amd64'] },
  });
  await writer.run('SetTeamPlan', { teamId: 'team_1', plan: 'hobby' });
  const config = configOf({ architecture: 'arm64', config: { Labels: { x: 'x'.repeat(1e6) } } });
  const body = {
    repository: 'acme/shop/Web_',
    tags: ['ok', '-bad', 'b d'],
    config,
    manifest: manifestOf(config, [
      absent(6e8),
      absent(7e8, gzipLayer),
      absent(1, 'application/vnd.oci.image.layer.v1.tar+xz'),
      ...Array.from({ length: 40 }, (_, at) => absent(4e8 + at)),
    ]),
  };
  const answer = await check(await as('write'), body);
  assert.deepEqual(rulesOf(answer), [
    'repository-name',
    ...['tag-name', 'tag-name'],
    'config-size',
    ...['layer-size', 'layer-size'],
    'image-size',
    ...['layer-media-type', 'layer-media-type'],
    'platform',
  ]);
  const by = (rule: string) =>
    answer.problems.filter((problem: { rule: string }) => problem.rule === rule);
  assert.match(by('repository-name')[0].hint, /acme\/shop\/web/);
  assert.match(by('layer-media-type')[1].message, /Layer 3/);
  assert.deepEqual(
    ['repository-name', 'config-size', 'layer-media-type', 'platform'].map((r) => by(r)[0].code),
    ['NAME_INVALID', 'SIZE_INVALID', 'UNSUPPORTED', 'MANIFEST_INVALID'],
  );
  const thousand = Array.from({ length: 1000 }, (_, at) => absent(1, `x/y${at}`));
  const many = await check(await as('write'), {
    manifest: manifestOf(config, [absent(), ...thousand]),
  });
  assert.equal(rulesOf(many).filter((rule) => rule === 'layer-media-type').length, 20);
});

test('what the push itself says of the same, the check says before', async (t) => {
  const { as, app } = await openShop(t);
  const ask = await as('write');
  const { services, world } = app;
  const config = configOf({ os: undefined });
  await world.addBlob(config);
  await world.addBlob('0123456789');
  const layer = { mediaType: gzipLayer, size: 10, digest: digestOf(Buffer.from('0123456789')) };
  const manifest = manifestOf(config, [layer]);
  const pushed = await services
    .putManifest({
      ...{ repository: world.repository, project: world.project, plan: services.plans.pro },
      ensure: () => Promise.resolve(world.repository),
      ...{ bytes: Buffer.from(manifest), contentType: undefined, digest: undefined, tags: [] },
      ...{ overwrite: true, actor: 'x' },
    })
    .catch((error: Error) => error);
  const { problems, warnings } = await check(ask, { manifest, config });
  assert.deepEqual(
    problems.map((problem: { message: string }) => problem.message),
    [(pushed as Error).message],
  );
  assert.match(warnings[0], /zstd is recommended/);
});

describe('the manifest', () => {
  for (const [title, manifest, rule] of [
    ['no JSON', '{', 'manifest'],
    ['of another kind', { schemaVersion: 1 }, 'manifest'],
    ['both kinds', { ...JSON.parse(manifestOf(configOf())), manifests: [] }, 'manifest'],
    ['too large', manifestOf(configOf(), [absent()], { x: 'x'.repeat(4 << 20) }), 'manifest-size'],
  ] as const)
    test(`${title}: ${rule}`, async (t) => {
      const { as } = await openShop(t);
      assert.deepEqual(rulesOf(await check(await as('write'), { manifest })), [rule]);
    });

  test('is read by the media type that is given, where it names none', async (t) => {
    const { as } = await openShop(t);
    const ask = await as('write');
    const manifest = { ...JSON.parse(manifestOf(configOf())), mediaType: undefined };
    assert.deepEqual(rulesOf(await check(ask, { manifest })), ['manifest']);
    assert.deepEqual(rulesOf(await check(ask, { manifest, mediaType: ociManifest })), []);
  });

  test('must be of the config that is given, and of the blobs that are there', async (t) => {
    const { as, app } = await openShop(t);
    const ask = await as('write');
    const config = configOf();
    const digest = await app.world.addBlob('stored');
    const manifest = manifestOf(config, [{ mediaType: zstdLayer, size: 7, digest }]);
    assert.deepEqual(rulesOf(await check(ask, { manifest, config: `${config} ` })), [
      'config',
      'blob-size',
    ]);
    const unsaid = await check(ask, { manifest: manifestOf(config) });
    assert.match(unsaid.warnings[0], /Without the config/);
  });
});

describe('a token that may create only', () => {
  test('hears of each tag that it would overwrite, and of none that stays', async (t) => {
    const { as, app } = await openShop(t);
    const image = await pushImage(app, { tags: ['latest', 'v1'] });
    const manifest = manifestOf(configOf());
    const creator = await as('create');
    const tags = ['latest', 'v1', 'v2'];
    const denied = await check(creator, { manifest, tags });
    assert.deepEqual(rulesOf(denied), ['tag-overwrite', 'tag-overwrite']);
    assert.deepEqual([denied.problems[0].code, denied.allowed], ['DENIED', false]);
    assert.match(denied.problems[0].hint, /new tag/);
    assert.deepEqual(rulesOf(await check(creator, { manifest: image.bytes.toString(), tags })), []);
    assert.deepEqual(rulesOf(await check(await as('write'), { manifest, tags })), []);
  });
});

test('counts are those of the plan', async (t) => {
  const { as, app } = await openShop(t);
  const ask = await as('write');
  await app.world.metadata.writer.run('SetTeamPlan', { teamId: 'team_1', plan: 'hobby' });
  const names = Array.from({ length: 999 }, (_, at) => `t${at}`);
  const image = await pushImage(app, { tags: names });
  const manifest = manifestOf(configOf());
  const tags = (...list: string[]) => check(ask, { manifest, tags: list });
  assert.deepEqual(rulesOf(await tags('a', 't1')), []);
  const full = await tags('a', 'a', 'b');
  assert.deepEqual(rulesOf(full), ['tag-count']);
  assert.match(
    full.problems[0].message,
    /999 tags, this push adds 2, and the hobby plan allows 1000/,
  );
  for (let at = 1; at < 100; at++) await app.world.ensure(`r${at}`);
  const more = await check(ask, { repository: 'acme/shop/more', manifest });
  assert.deepEqual(rulesOf(more), ['repository-count']);
  assert.deepEqual(rulesOf(await check(ask, { manifest: image.bytes.toString() })), []);
});

describe('who may ask', () => {
  test('who may pull is told that pushing is denied; to strangers the place is absent', async (t) => {
    const { as, app, anonymous } = await openShop(t);
    const manifest = manifestOf(configOf());
    await pushImage(app, { tags: ['latest'] });
    const reader = await check(await as('read'), { manifest, tags: ['latest'] });
    assert.deepEqual(rulesOf(reader), ['access']);
    const stranger = await as('admin', { teamId: 'team_2' });
    const of = (repository: string) => stranger('POST', '/api/v1/check', { repository, manifest });
    const none = await of('nobody/shop/web');
    expectError(none, 404, 'NOT_FOUND');
    for (const name of ['acme/shop/web', 'acme/shop/none', 'acme/none/web', 'acme/shop/Web']) {
      assert.deepEqual((await of(name)).body, none.body, name);
    }
    await app.world.ensure('open', 'public');
    assert.deepEqual(rulesOf((await of('acme/shop/open')).body), ['access']);
    const body = { repository: 'acme/shop/web', manifest };
    expectError(await anonymous('POST', '/api/v1/check', body), 401, 'UNAUTHORIZED');
  });

  test('a name that leads nowhere at all breaks its own rule only', async (t) => {
    const { as } = await openShop(t);
    const body = { repository: 'web', manifest: manifestOf(configOf()), tags: ['-'] };
    assert.deepEqual(rulesOf(await check(await as('read'), body)), ['repository-name', 'tag-name']);
  });
});

describe('the body', () => {
  test('has room for a manifest of 4 MB in a text, and for no more', async (t) => {
    const { as } = await openShop(t);
    const ask = await as('write');
    const long = manifestOf(configOf(), [absent()], { annotations: { a: '"'.repeat(2_000_000) } });
    assert.ok(long.length > 4e6 && long.length < 4 << 20);
    assert.deepEqual(rulesOf(await check(ask, { manifest: long })), []);
    const beyond = { repository: 'acme/shop/web', manifest: 'x'.repeat(12 << 20) };
    expectError(await ask('POST', '/api/v1/check', beyond), 413, 'TOO_LARGE');
  });

  test('is not read from who is not known', async (t) => {
    const { app } = await openShop(t);
    const response = await app.fetch('/api/v1/check', { method: 'POST', body: '{' });
    assert.equal(response.status, 401);
    assert.equal(response.headers.get('connection'), 'close');
  });

  test('that is not as it should be: 400 or 415', async (t) => {
    const { as, app } = await openShop(t);
    const ask = await as('write');
    const manifest = manifestOf(configOf());
    for (const body of [
      {},
      { repository: 'acme/shop/web' },
      { manifest },
      { repository: 'acme/shop/web', manifest: [] },
      { repository: 'acme/shop/web', manifest, tags: 'x' },
      { repository: 'acme/shop/web', manifest, tags: Array(101).fill('x') },
      { repository: 'acme/shop/web', manifest, more: 1 },
    ]) {
      expectError(await ask('POST', '/api/v1/check', body), 400, 'INVALID');
    }
    const { secret } = await app.token('write');
    const send = (body: string, type: string) =>
      app.fetch('/api/v1/check', {
        ...{ method: 'POST', body },
        headers: { Authorization: `Bearer ${secret}`, 'Content-Type': type },
      });
    assert.equal((await send('{', 'application/json')).status, 400);
    assert.equal((await send('{}', 'text/plain')).status, 415);
    const deep = `{"repository":"acme/shop/web","manifest":{"x":${'['.repeat(1e5)}${']'.repeat(1e5)}}}`;
    assert.equal((await send(deep, 'application/json')).status, 400);
  });
});
