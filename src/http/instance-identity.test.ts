import assert from 'node:assert/strict';
import test, { after, describe } from 'node:test';
import { roleLifetimeMs } from '../auth/minted-credentials.ts';
import { openApplication } from './services-test-kit.ts';

const application = await openApplication({ after });
const { world, services, minted } = application;
const name = 'acme/shop/app';
const digest = await world.addBlob('of the project', await world.ensure('app'));

const basic = (username: string, password: string) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
const status = async (method: string, path: string, authorization: string) =>
  (await application.fetch(path, { method, headers: { authorization } })).status;

/** As a client does: the challenge's scope, then Bearer. */
async function bearer(authorization: string, scope = `repository:${name}:pull`) {
  const response = await application.fetch(`/token?service=x&scope=${scope}`, {
    headers: { authorization },
  });
  const body = (await response.json()) as { token: string; scope: string };
  return { status: response.status, header: `Bearer ${body.token}`, ...body };
}

describe("an instance's identity", () => {
  const place = {
    ...{ teamId: 'team_1', teamSlug: 'acme', projectId: 'prj_1', projectSlug: 'shop' },
    ...{ environment: 'production' as const, service: 'web' },
  };
  const pullOwn = `/v2/${name}/blobs/${digest}`;
  const upload = `/v2/${name}/blobs/uploads/`;

  test('its JWT logs in with no policy: pulls in its own project', async () => {
    const { oidcToken } = await minted.issue({ ...place, role: undefined });
    const authorization = basic('oidc', oidcToken);
    const issued = await bearer(authorization, `repository:${name}:pull,push`);
    assert.equal(issued.status, 200);
    assert.equal(issued.scope, `repository:${name}:pull`);
    for (const header of [authorization, issued.header]) {
      assert.equal(await status('GET', pullOwn, header), 200);
      assert.equal(await status('POST', upload, header), 403);
    }
    assert.equal(
      await status('GET', '/api/v1/teams/acme/projects/shop', `Bearer ${oidcToken}`),
      200,
    );
  });

  test('with a role: what the role may do', async () => {
    const role = { actions: ['pull', 'push'] as const };
    const { oidcToken } = await minted.issue({ ...place, role });
    const issued = await bearer(basic('oidc', oidcToken), `repository:${name}:pull,push`);
    assert.equal(issued.scope, `repository:${name}:pull,push`);
    assert.equal(await status('POST', upload, issued.header), 202);
    const removal = `/v2/${name}/blobs/${digest}`;
    assert.equal(await status('DELETE', removal, basic('oidc', oidcToken)), 403);
  });

  test("not in another project, and not for a team that is not the token's", async () => {
    const { writer: write } = world.metadata;
    const other = { id: 'prj_2', teamId: 'team_1', slug: 'second', settings: {}, createdAt: 0 };
    await write.run('CreateProject', other);
    const { oidcToken } = await minted.issue({ ...place, projectId: 'prj_2', role: undefined });
    assert.equal(await status('GET', pullOwn, basic('oidc', oidcToken)), 404);
    const mine = await minted.issue({ ...place, role: undefined });
    assert.equal(await status('GET', '/v2/', basic('oidc:team_2', mine.oidcToken)), 401);
    assert.equal(await status('GET', '/v2/', basic('oidc:team_1', mine.oidcToken)), 200);
  });

  test("its role's credentials: id, and secret and token together", async () => {
    const role = { actions: ['pull', 'create'] as const };
    const keys = await minted.issue({ ...place, role });
    const { accessKeyId: id, accessKeySecret: secret, securityToken: token } = keys;
    const authorization = basic(id, `${secret}:${token}`);
    assert.equal(await status('GET', pullOwn, authorization), 200);
    assert.equal(await status('POST', upload, authorization), 202);
    const other = await minted.issue({ ...place, role });
    for (const [username, password] of [
      [id, token],
      [id, secret],
      [id, `:${token}`],
      [id, `${other.accessKeySecret}:${token}`],
      [other.accessKeyId, `${secret}:${token}`],
      [other.accessKeyId, `${other.accessKeySecret}:${token}`],
      ['pull', token],
      ['oidc', token],
    ] as const) {
      assert.equal(await status('GET', '/v2/', basic(username, password)), 401, username);
    }
    world.pass(roleLifetimeMs);
    assert.equal(await status('GET', pullOwn, authorization), 401);
  });

  test('without a role its credentials have no rights', async () => {
    const keys = await minted.issue({ ...place, role: undefined });
    const authorization = basic(keys.accessKeyId, `${keys.accessKeySecret}:${keys.securityToken}`);
    assert.equal(await status('GET', pullOwn, authorization), 404);
    assert.equal(await status('GET', '/api/v1/teams/acme/projects/shop', authorization), 404);
  });

  test('what was issued for a project that is gone is good for nothing', async () => {
    const { oidcToken } = await minted.issue({ ...place, projectId: 'prj_gone', role: undefined });
    const issued = await bearer(basic('oidc', oidcToken));
    assert.equal(issued.scope, '');
    assert.equal(await status('GET', pullOwn, issued.header), 401);
  });

  test('a token for another audience is none for here', async () => {
    const { token } = await services.issuer.sign(
      { id: 'team_1', slug: 'acme' },
      { id: 'prj_1', slug: 'shop' },
      { environment: 'production', audience: 'sts.example' },
    );
    assert.equal(await status('GET', '/v2/', basic('oidc', token)), 401);
  });
});
