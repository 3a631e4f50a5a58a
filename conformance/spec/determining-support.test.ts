import assert from 'node:assert/strict';
import { test } from 'node:test';
import { image } from './bundles.ts';
import { errorsOf, expectError, expectHeader, expectStatus } from './check.ts';
import { basic } from './client.ts';
import { mediaTypes, unknownDigest } from './content.ts';
import { useServer } from './fixture.ts';
import { blobStatus, pushBlob, pushBundle } from './push.ts';

const fixture = useServer();

test('Determining Support: GET /v2/ is 200 for who is signed in', async () => {
  expectStatus(await fixture.registry.get('/v2/'), 200);
});

test('Determining Support: HEAD /v2/ is 200, too', async () => {
  expectStatus(await fixture.registry.head('/v2/'), 200);
});

test('Determining Support: without credentials 401 says where to sign in', async () => {
  const answer = expectError(await fixture.registry.as(undefined).get('/v2/'), 401, 'UNAUTHORIZED');
  const host = new URL(fixture.server.origin).host;
  const challenge = answer.header('www-authenticate') ?? '';
  assert.match(challenge, /^Bearer /);
  assert.equal(/realm="([^"]*)"/.exec(challenge)?.[1], `http://${host}/token`);
  assert.equal(/service="([^"]*)"/.exec(challenge)?.[1], host);
});

test('Determining Support: the realm is on the host that the client used, or the public one', async () => {
  const { publicUrl } = fixture.server;
  for (const host of ['registry.example.test:8443', 'localhost', '[::1]:5000']) {
    const answer = await fixture.registry.as(undefined).get('/v2/', { headers: { host } });
    expectStatus(answer, 401);
    const challenge = answer.header('www-authenticate') ?? '';
    assert.ok(challenge.includes(`realm="${publicUrl ?? `http://${host}`}/token"`), challenge);
  }
});

test('Determining Support: wrong credentials are 401', async () => {
  for (const wrong of [
    basic(fixture.server.bootstrap.teamId, 'gnt_wrong'),
    'Basic !!!',
    'Basic',
    'Bearer',
    'Bearer not.a.token',
    'Digest username="x"',
  ])
    expectError(await fixture.registry.as(wrong).get('/v2/'), 401, 'UNAUTHORIZED');
});

test('Determining Support: a client can push and pull by the token of the challenge', async () => {
  const { registry, server } = fixture;
  const { top, ...bundle } = image();
  const repository = fixture.repository();
  const target = `/v2/${repository}/manifests/latest`;
  const refused = expectStatus(await registry.as(undefined).ask('PUT', target), 401);
  const challenge = refused.header('www-authenticate') ?? '';
  const scope = /scope="([^"]*)"/.exec(challenge)?.[1] ?? '';
  assert.ok(scope.startsWith(`repository:${repository}:`), challenge);
  assert.ok(scope.split(':').at(-1)!.split(',').includes('push'), challenge);
  const realm = /realm="([^"]*)"/.exec(challenge)![1]!;
  const service = /service="([^"]*)"/.exec(challenge)![1]!;
  const login = registry.as(basic(server.bootstrap.teamId, server.bootstrap.token));
  const answer = expectStatus(await login.get(realm, { query: { service, scope } }), 200);
  const issued = answer.json() as Record<string, unknown>;
  assert.equal(issued.token, issued.access_token);
  assert.ok(Number(issued.expires_in) >= 60);
  const bearer = registry.as(`Bearer ${issued.token}`);
  await pushBundle(bearer, repository, bundle, 'latest');
  const pulled = expectStatus(await bearer.get(target), 200);
  assert.ok(pulled.body.equals(top.bytes));
});

test('Error Codes: refusals of each kind are JSON with codes of the specification', async () => {
  const { registry } = fixture;
  const repository = fixture.repository();
  const { blobs } = image();
  expectStatus(await pushBlob(registry, repository, blobs[0]!), 201);
  const refusals = [
    await registry.get(`/v2/${repository}/manifests/absent`),
    await registry.get(`/v2/${repository}/blobs/${unknownDigest()}`),
    await registry.get(`/v2/${repository}/blobs/sha256:short`),
    await registry.get(`/v2/UPPER/case/name/manifests/latest`),
    await registry.ask('PUT', `/v2/${repository}/manifests/tag`, { body: '{' }),
    await registry.as(undefined).get(`/v2/${repository}/tags/list`),
  ];
  for (const answer of refusals) {
    assert.ok(answer.status >= 400, answer.what);
    for (const { code, message } of errorsOf(answer)) {
      assert.match(code, /^[A-Z_]+$/);
      assert.ok(message);
    }
  }
});

test('API: a route that is not there is 404, a method that a route lacks is 405 with Allow', async () => {
  const { registry } = fixture;
  const repository = fixture.repository();
  expectStatus(await registry.get(`/v2/${repository}/nothing/here`), 404);
  expectStatus(await registry.get('/v2/nothing-at-all'), 404);
  for (const [method, path] of [
    ['PUT', `/v2/${repository}/tags/list`],
    ['DELETE', '/v2/'],
    ['PATCH', `/v2/${repository}/manifests/latest`],
    ['POST', `/v2/${repository}/blobs/${unknownDigest()}`],
    ['PUT', `/v2/${repository}/blobs/uploads/`],
    ['POST', `/v2/${repository}/referrers/${unknownDigest()}`],
  ] as const) {
    const answer = expectError(await registry.ask(method, path), 405, 'UNSUPPORTED');
    expectHeader(answer, 'allow', /GET|POST/);
  }
});

test('API: paths end where they end: a trailing slash or a doubled one is no other route', async () => {
  const { registry } = fixture;
  const { top, ...bundle } = image();
  const repository = fixture.repository();
  await pushBundle(registry, repository, bundle, 'latest');
  for (const path of [
    `/v2/${repository}/manifests/latest/`,
    `/v2/${repository}//manifests/latest`,
    `//v2/${repository}/manifests/latest`,
    `/v2//${repository}/manifests/latest`,
    `/v2/${repository}/manifests/${top.digest}/x`,
  ]) {
    const answer = await registry.get(path, { check: false });
    assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`);
  }
});

test('Registry Proxying: an ns parameter changes nothing for a registry that is no proxy', async () => {
  const { registry } = fixture;
  const { top, ...bundle } = image();
  const repository = fixture.repository();
  await pushBundle(registry, repository, bundle, 'latest');
  const query = { ns: 'docker.io' };
  const answer = await registry.get(`/v2/${repository}/manifests/latest`, { query });
  assert.ok(expectStatus(answer, 200).body.equals(top.bytes));
});

test('Warnings: a gzip layer is taken, and a warning may say what would be better', async () => {
  const { registry } = fixture;
  const repository = fixture.repository();
  const { top, ...bundle } = image({ compression: 'gzip' });
  for (const blob of bundle.blobs) await pushBlob(registry, repository, blob);
  const answer = await registry.ask('PUT', `/v2/${repository}/manifests/warned`, {
    headers: { 'content-type': mediaTypes.manifest },
    body: top.bytes,
  });
  expectStatus(answer, 201);
  expectHeader(answer, 'warning', /^299 - ".*zstd.*"/);
});

test('Definitions: Repository is a scope: content of one is not in another', async () => {
  const { registry } = fixture;
  const [one, other] = [fixture.repository(), fixture.repository()];
  const { top, ...bundle } = image();
  await pushBundle(registry, one, bundle, 'latest');
  await pushBundle(registry, other, image(), 'latest');
  expectError(await registry.get(`/v2/${other}/manifests/${top.digest}`), 404, 'MANIFEST_UNKNOWN');
  for (const blob of bundle.blobs)
    assert.equal(await blobStatus(registry, other, blob.digest), 404);
});
