import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { expectStatus } from '../spec/check.ts';
import { type Answer, type AskOptions, addQuery, basic } from '../spec/client.ts';
import { content, mediaTypes, uniqueBytes, unknownDigest } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { beginUpload, closeUpload, pushBlob, sendChunk } from '../spec/push.ts';
import { requestLines, withWire } from './wire.ts';

const fixture = useServer({
  env: { GANTRY_LOG_LEVEL: 'debug', GANTRY_HEADERS_TIMEOUT: '1s', GANTRY_BODY_TIMEOUT: '1s' },
});

/** What must not turn up anywhere, by what it is: of the present test, and of all. */
const canaries = new Map<string, string>();
const planted = new Map<string, string>();
const refusals: Answer[] = [];

function plant(name: string, secret: string): string {
  canaries.set(name, secret);
  planted.set(name, secret);
  return secret;
}

function word(prefix: string): string {
  return `${prefix}${randomBytes(18).toString('hex')}`;
}

async function refused(
  authorization: string | undefined,
  method: string,
  target: string,
  options: AskOptions = {},
): Promise<Answer> {
  const answer = await fixture.registry.as(authorization).ask(method, target, options);
  assert.ok(answer.status >= 400, `${answer.what}: ${answer.status}`);
  refusals.push(answer);
  return answer;
}

function form(fields: Record<string, string>): AskOptions {
  return {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ service: 'any', client_id: 'x', ...fields }).toString(),
  };
}

/** A JWT that is well formed and worth nothing here. */
function madeUpJwt(): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: 'https://issuer.example.test', sub: 'x', aud: 'y', exp: 9_999_999_999 };
  const signature = randomBytes(64).toString('base64url');
  return `${part({ alg: 'ES256', kid: 'k' })}.${part(claims)}.${signature}`;
}

async function expectNowhere(secrets = canaries): Promise<void> {
  const { server } = fixture;
  const places = new Map<string, string>([['the log', server.output()]]);
  for (const entry of await readdir(server.dataFolder, { recursive: true, withFileTypes: true })) {
    // What the first start made is handed over in bootstrap.json, on purpose.
    if (!entry.isFile() || entry.name === 'bootstrap.json') continue;
    const path = join(entry.parentPath, entry.name);
    places.set(path, await readFile(path, 'latin1'));
  }
  for (const answer of refusals)
    places.set(
      `the answer ${answer.status} to ${answer.method} ${answer.path}, number ${places.size}`,
      `${answer.rawHeaders.map((header) => header.join(': ')).join('\n')}\n${answer.text()}`,
    );
  const metrics = await fixture.registry.as(undefined).get('/metrics');
  places.set('/metrics', metrics.text());
  const found: string[] = [];
  for (const [place, text] of places)
    for (const [name, secret] of secrets) {
      const at = text.indexOf(secret);
      if (at >= 0)
        found.push(`${name} is in ${place}, after: ${text.slice(Math.max(0, at - 150), at)}`);
    }
  assert.deepEqual(found, []);
}

describe('A49: secrets in logs, files and errors', () => {
  const repository = () => fixture.repository();
  beforeEach(() => canaries.clear());

  test('A49: tokens of teams, right ones and wrong ones, in every place of a request', async () => {
    const { teamId, token } = fixture.server.bootstrap;
    plant('the token', token);
    const wrong = plant('a wrong token', word('gnt_'));
    const password = plant('a password', word('hunter2'));
    for (const secret of [token, wrong, password]) {
      const mistaken = basic(secret, 'x');
      plant('a Basic header', mistaken.slice('Basic '.length));
      for (const authorization of [
        basic('team_0', secret),
        mistaken,
        basic('oidc', secret),
        basic(`oidc:${secret}`, secret),
        basic('', secret),
        basic(secret, secret),
        `Bearer ${secret}`,
        `Basic ${secret}`,
        `Token ${secret}`,
        secret,
      ]) {
        await refused(authorization, 'GET', '/v2/');
        await refused(authorization, 'GET', `/v2/${repository()}/manifests/latest`);
        await refused(authorization, 'POST', `/v2/${repository()}/blobs/uploads/`);
        await refused(authorization, 'GET', '/token');
      }
      for (const fields of [
        { grant_type: 'password', username: 'team_0', password: secret },
        { grant_type: 'password', username: secret, password: 'x' },
        { grant_type: 'password', username: 'oidc', password: secret },
        { grant_type: secret, password: secret },
        { grant_type: 'refresh_token', refresh_token: secret },
        { grant_type: 'refresh_token', refresh_token: `${secret}\u0000` },
      ])
        await refused(undefined, 'POST', '/token', form(fields));
      await refused(undefined, 'POST', '/token', {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ password: secret }),
      });
    }
    const allowed = basic(teamId, token);
    plant("the first start's Basic header", allowed.slice('Basic '.length));
    for (const [method, rest] of [
      ['GET', 'manifests/latest'],
      ['DELETE', 'manifests/latest'],
      ['GET', `blobs/${unknownDigest()}`],
      ['GET', 'blobs/sha256:bad'],
      ['PATCH', 'blobs/uploads/x'],
      ['PUT', 'tags/list'],
      ['PUT', 'manifests/-x'],
      ['GET', 'tags/list?n=-1'],
    ] as const)
      await refused(allowed, method, `/v2/${repository()}/${rest}`);
    await expectNowhere();
  });

  test('A49: a JWT, whole and in its signature', async () => {
    const jwt = plant('a JWT', madeUpJwt());
    plant("a JWT's signature", jwt.split('.')[2]!);
    for (const username of ['oidc', `oidc:${fixture.server.bootstrap.teamId}`, jwt]) {
      await refused(basic(username, jwt), 'GET', '/token');
      await refused(basic(username, jwt), 'GET', '/v2/');
      const fields = { grant_type: 'password', username, password: jwt };
      await refused(undefined, 'POST', '/token', form(fields));
    }
    await refused(`Bearer ${jwt}`, 'GET', '/v2/');
    await refused(`Bearer ${jwt}`, 'PUT', `/v2/${repository()}/manifests/x`, { body: '{' });
    await expectNowhere();
  });

  test('A49: what the token endpoint issued, and what is left of it after a change', async () => {
    const name = repository();
    const answer = await fixture.registry.get('/token', {
      query: { service: 'any', scope: `repository:${name}:pull`, offline_token: 'true' },
    });
    const issued = expectStatus(answer, 200).json() as { token: string; refresh_token: string };
    const bearer = plant('a registry token', issued.token);
    plant("a registry token's signature", bearer.split('.')[2]!);
    const refresh = plant('a refresh token', issued.refresh_token);
    await refused(`Bearer ${bearer}`, 'GET', `/v2/${name}/manifests/latest`);
    await refused(`Bearer ${bearer}`, 'POST', `/v2/${name}/blobs/uploads/`);
    await refused(`Bearer ${bearer}x`, 'GET', '/v2/');
    await refused(`Bearer ${refresh}`, 'GET', '/v2/');
    await refused(basic(fixture.server.bootstrap.teamId, refresh), 'GET', '/token');
    const again = form({ grant_type: 'refresh_token', refresh_token: refresh });
    expectStatus(await fixture.registry.as(undefined).ask('POST', '/token', again), 200);
    const changed = form({ grant_type: 'refresh_token', refresh_token: `${refresh}x` });
    await refused(undefined, 'POST', '/token', changed);
    await expectNowhere();
  });

  test('A49: the signature of an upload URL', async () => {
    const { registry } = fixture;
    const name = repository();
    const location = await beginUpload(registry, name);
    const signature = new URL(location).search.replace(/^\?[^=]*=/, '');
    plant("an upload URL's signature", signature);
    const allowed = registry.authorization;
    const blob = content(uniqueBytes());
    expectStatus(await sendChunk(registry, location, blob.bytes, 9), 416);
    await refused(undefined, 'GET', location);
    await refused(allowed, 'PATCH', location, {
      headers: { 'content-range': '7-9' },
      body: 'abc',
    });
    await refused(allowed, 'PUT', addQuery(location, { digest: 'md5:x' }), { body: 'x' });
    await refused(allowed, 'POST', location);
    await refused(allowed, 'GET', `${location}x`);
    await refused(allowed, 'GET', location.replace(name, repository()));
    await withWire(fixture.server.origin, async (wire) => {
      const { pathname, search } = new URL(location);
      const headers = { Authorization: allowed!, 'Content-Length': '1000' };
      const lines = requestLines(fixture.server.origin, 'PATCH', pathname + search, headers);
      await wire.send(lines, 'short');
      assert.equal((await wire.answer())?.status, 408);
    });
    const put = await closeUpload(registry, location, unknownDigest(), blob.bytes);
    assert.equal(put.status, 400);
    refusals.push(put);
    await refused(allowed, 'DELETE', location);
    await expectNowhere();
  });

  test('A49: secrets in other headers, in the query and in what was refused', async () => {
    const secret = plant('a secret elsewhere', word('elsewhere'));
    const allowed = fixture.registry.authorization;
    const headers = {
      cookie: `session=${secret}`,
      'proxy-authorization': `Basic ${secret}`,
      'x-registry-auth': secret,
      'x-amz-security-token': secret,
      referer: `http://x/?token=${secret}`,
    };
    const query = { token: secret, access_token: secret, password: secret };
    await refused(undefined, 'GET', '/v2/', { headers, query });
    await refused(allowed, 'GET', `/v2/${repository()}/tags/list`, { headers, query });
    await refused(undefined, 'GET', `/nothing`, { headers, query });
    const manifests = [
      `{"config": "${secret}"}`,
      `{"${secret}": `,
      secret,
      `{"schemaVersion": 2, ${secret}`,
    ];
    for (const body of manifests) {
      const sent = { headers: { ...headers, 'content-type': mediaTypes.manifest }, body };
      await refused(allowed, 'PUT', `/v2/${repository()}/manifests/x`, sent);
    }
    const wrong = { ...content(secret), digest: unknownDigest() };
    refusals.push(await pushBlob(fixture.registry, repository(), wrong));
    await withWire(fixture.server.origin, async (wire) => {
      await wire.send([
        'GET /v2/ HTTP/1.1',
        'Host: x',
        `Authorization: Bearer ${secret}`,
        'broken',
      ]);
      const got = await wire.answer();
      assert.equal(got?.status, 400);
      assert.ok(!got?.body.includes(secret));
    });
    await expectNowhere();
  });

  test('A49: nor after the server has ended and started again', async () => {
    await fixture.server.halt();
    await fixture.server.resume();
    await expectNowhere(planted);
  });
});
