import assert from 'node:assert/strict';
import test, { after, describe } from 'node:test';
import { pullLifetimeMs } from '../auth/minted-credentials.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { openApplication } from './services-test-kit.ts';

const application = await openApplication({ after });
const { world, minted } = application;
const writer = await application.token('write');

const basic = (username: string, password: string) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
const status = async (method: string, path: string, authorization?: string, body?: string) =>
  (
    await application.fetch(path, {
      method,
      ...(authorization && { headers: { authorization } }),
      ...(body !== undefined && { body }),
    })
  ).status;

const image = 'application/vnd.oci.image.manifest.v1+json';
const index = 'application/vnd.oci.image.index.v1+json';

async function put(name: string, reference: string, mediaType: string, document: object) {
  const body = JSON.stringify({ schemaVersion: 2, ...document });
  const response = await application.fetch(`/v2/${name}/manifests/${reference}`, {
    method: 'PUT',
    headers: { authorization: writer.basic, 'content-type': mediaType },
    body,
  });
  assert.equal(response.status, 201, await response.text());
  return { digest: digestOf(Buffer.from(body)), mediaType, size: Buffer.byteLength(body) };
}

/** An image whose config and layer are of its own; it names no media type itself, as some do. */
async function push(name: string, repository: string, tag: string) {
  const into = await world.ensure(repository);
  const blob = async (content: string, mediaType: string) => ({
    ...{ digest: await world.addBlob(content, into), size: Buffer.byteLength(content), mediaType },
  });
  const config = await blob(
    JSON.stringify({ os: 'linux', architecture: 'amd64', author: tag }),
    'application/vnd.oci.image.config.v1+json',
  );
  const layer = await blob(`layer of ${tag}`, 'application/vnd.oci.image.layer.v1.tar');
  const manifest = await put(name, tag, image, { config, layers: [layer] });
  return { ...manifest, repositoryId: into.id, config, layer };
}

const name = 'acme/shop/app';
const own = await push(name, 'app', 'own');
const sibling = await push(name, 'app', 'sibling');
const foreign = await push('acme/shop/other', 'other', 'foreign');
const many = await put(name, 'many', index, {
  manifests: [{ ...{ mediaType: own.mediaType, digest: own.digest, size: own.size } }],
});

const mintFor = (digest: Digest, repositoryId = own.repositoryId) =>
  minted.mint({ teamId: 'team_1', repositoryId, repository: name, digest });
const authorizationFor = async (digest: Digest, repositoryId?: string) => {
  const { username, password } = await mintFor(digest, repositoryId);
  return basic(username, password);
};

/** As a client does: the challenge's scope, then Bearer. */
async function bearer(authorization: string, scope = `repository:${name}:pull`) {
  const response = await application.fetch(`/token?service=x&scope=${scope}`, {
    headers: { authorization },
  });
  const body = (await response.json()) as { token: string; scope: string; refresh_token?: string };
  return { status: response.status, header: `Bearer ${body.token}`, ...body };
}

describe('credentials for a pull', () => {
  test('read what the image is made of, as Basic and by the token endpoint', async () => {
    const direct = await authorizationFor(own.digest);
    const issued = await bearer(direct);
    assert.equal(issued.scope, `repository:${name}:pull`);
    for (const authorization of [direct, issued.header]) {
      assert.equal(await status('GET', '/v2/', authorization), 200);
      for (const path of [
        `manifests/${own.digest}`,
        `blobs/${own.config.digest}`,
        `blobs/${own.layer.digest}`,
      ]) {
        assert.equal(await status('GET', `/v2/${name}/${path}`, authorization), 200, path);
        assert.equal(await status('HEAD', `/v2/${name}/${path}`, authorization), 200, path);
      }
    }
  });

  test('of an index: its children with theirs', async () => {
    const authorization = await authorizationFor(many.digest);
    for (const digest of [many.digest, own.digest]) {
      assert.equal(await status('GET', `/v2/${name}/manifests/${digest}`, authorization), 200);
    }
    const layer = `/v2/${name}/blobs/${own.layer.digest}`;
    assert.equal(await status('GET', layer, authorization), 200);
    const strange = `/v2/${name}/manifests/${sibling.digest}`;
    assert.equal(await status('GET', strange, authorization), 404);
  });

  test('nothing else: it looks absent, with the same words', async () => {
    const direct = await authorizationFor(own.digest);
    const absent = async (authorization: string) =>
      (
        await application.fetch('/v2/acme/none/none/manifests/latest', {
          headers: { authorization },
        })
      ).text();
    for (const authorization of [direct, (await bearer(direct)).header]) {
      const expected = await absent(authorization);
      for (const path of [
        `/v2/${name}/manifests/${sibling.digest}`,
        `/v2/${name}/manifests/own`,
        `/v2/${name}/blobs/${sibling.layer.digest}`,
        `/v2/${name}/blobs/${sibling.config.digest}`,
        `/v2/acme/shop/other/manifests/${foreign.digest}`,
        `/v2/acme/shop/other/manifests/${own.digest}`,
        `/v2/acme/shop/other/blobs/${foreign.layer.digest}`,
        `/v2/${name}/tags/list`,
        `/v2/${name}/referrers/${own.digest}`,
      ]) {
        const response = await application.fetch(path, { headers: { authorization } });
        assert.equal(response.status, 404, path);
        assert.equal(await response.text(), expected, path);
      }
    }
    // Nor the parent of what they were minted for.
    assert.equal(await status('GET', `/v2/${name}/manifests/${many.digest}`, direct), 404);
  });

  test('public repositories of others are none of its business', async () => {
    const open = await world.ensure('open', 'public');
    const digest = await world.addBlob('public bytes', open);
    const path = `/v2/acme/shop/open/blobs/${digest}`;
    assert.equal(await status('GET', path), 200);
    assert.equal(await status('GET', path, await authorizationFor(own.digest)), 404);
  });

  test('writes: refused', async () => {
    const direct = await authorizationFor(own.digest);
    const asked = await bearer(direct, `repository:${name}:pull,push,delete`);
    assert.equal(asked.scope, `repository:${name}:pull`);
    for (const authorization of [direct, asked.header]) {
      for (const [method, path] of [
        ['POST', `/v2/${name}/blobs/uploads/`],
        ['POST', `/v2/${name}/blobs/uploads/?mount=${own.layer.digest}&from=${name}`],
        ['PUT', `/v2/${name}/manifests/latest`],
        ['DELETE', `/v2/${name}/manifests/${own.digest}`],
        ['DELETE', `/v2/${name}/blobs/${own.layer.digest}`],
      ] as const) {
        const got = await status(method, path, authorization, '{}');
        assert.equal(got, 404, `${method} ${path}`);
      }
    }
  });

  test('scopes of other repositories and of the catalog are left out', async () => {
    const direct = await authorizationFor(own.digest);
    for (const scope of ['repository:acme/shop/other:pull', 'registry:catalog:*']) {
      assert.equal((await bearer(direct, scope)).scope, '');
    }
    assert.equal(await status('GET', '/v2/_catalog', direct).then((s) => s), 200);
    const listed = await application.fetch('/v2/_catalog', { headers: { authorization: direct } });
    assert.deepEqual(await listed.json(), { repositories: [] });
  });

  test('no refresh token, and nothing on the API', async () => {
    const direct = await authorizationFor(own.digest);
    const offline = await bearer(direct, `repository:${name}:pull&offline_token=true`);
    assert.equal(offline.refresh_token, undefined);
    const { password } = await mintFor(own.digest);
    for (const authorization of [direct, offline.header, `Bearer ${password}`]) {
      for (const path of ['/api/v1/me', '/api/v1/teams/acme/projects/shop']) {
        assert.equal(await status('GET', path, authorization), 401, path);
      }
    }
  });

  test('forged, of another kind, or under another username', async () => {
    const { password } = await mintFor(own.digest);
    const [head, body, signature] = password.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
    const forged = Buffer.from(JSON.stringify({ ...claims, digest: sibling.digest })).toString(
      'base64url',
    );
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const registryToken = (await bearer(writer.basic)).token;
    for (const [username, bad] of [
      ['pull', `${head}.${forged}.${signature}`],
      ['pull', `${none}.${body}.`],
      ['pull', registryToken],
      ['pull', ''],
      ['team_1', password],
      ['oidc', password],
      ['Pull', password],
    ] as const) {
      const authorization = basic(username, bad);
      assert.equal(await status('GET', '/v2/', authorization), 401, username);
      assert.equal((await bearer(authorization)).status, 401, username);
    }
    assert.equal(await status('GET', '/v2/', `Bearer ${password}`), 401);
  });

  test('after their minutes: neither they nor a token that was issued for them', async () => {
    const direct = await authorizationFor(own.digest);
    const path = `/v2/${name}/manifests/${own.digest}`;
    assert.equal(await status('GET', path, direct), 200);
    world.pass(pullLifetimeMs - 1000);
    const late = await bearer(direct);
    assert.equal(await status('GET', path, late.header), 200);
    world.pass(2000);
    assert.equal(await status('GET', path, direct), 401);
    assert.equal(await status('GET', path, late.header), 401);
    assert.equal((await bearer(direct)).status, 401);
  });
});
