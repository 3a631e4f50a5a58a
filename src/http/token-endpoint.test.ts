import assert from 'node:assert/strict';
import test, { after, beforeEach, describe } from 'node:test';
import { Line } from './http-test-kit.ts';
import { openApplication } from './services-test-kit.ts';

const application = await openApplication({ after });
const { services, logged, port, world } = application;
const { id, secret, basic } = await application.token('write');
const scope = 'repository:acme/shop/web:pull,push,delete';
const granted = 'repository:acme/shop/web:pull,push';
beforeEach(() => {
  logged.length = 0;
});

interface Issued {
  readonly token: string;
  readonly access_token: string;
  readonly expires_in: number;
  readonly issued_at: string;
  readonly scope: string;
  readonly refresh_token?: string;
}
async function issued(response: Response): Promise<Issued> {
  assert.equal(response.status, 200, await response.clone().text());
  assert.equal(response.headers.get('cache-control'), 'no-store');
  const body = (await response.json()) as Issued;
  assert.equal(body.token, body.access_token);
  assert.ok(body.expires_in >= 60);
  assert.ok(!Number.isNaN(Date.parse(body.issued_at)));
  return body;
}
const get = (query: string, authorization?: string) =>
  application.fetch(`/token?${query}`, authorization ? { headers: { authorization } } : {});
const post = (form: Record<string, string> | string) =>
  application.fetch('/token', { method: 'POST', body: new URLSearchParams(form) });

describe('GET, as docker asks', () => {
  test('with Basic and scopes: what may be granted', async () => {
    const cases: [string, string][] = [
      [`scope=${scope}`, granted],
      [`service=x&scope=${scope}&account=me`, granted],
      [
        `scope=${scope}&scope=repository:acme/shop/b:pull`,
        `${granted} repository:acme/shop/b:pull`,
      ],
      [
        `scope=${encodeURIComponent(`${scope} registry:catalog:*`)}`,
        `${granted} registry:catalog:*`,
      ],
      ['scope=repository:foreign/x/y:pull', ''],
      ['scope=', ''],
      ['', ''],
    ];
    for (const [query, expected] of cases)
      assert.equal((await issued(await get(query, basic))).scope, expected, query);
  });

  test('without credentials: an anonymous token, not an error', async () => {
    const body = await issued(await get(`scope=${scope}&offline_token=true`));
    assert.equal(body.scope, '');
    assert.equal(body.refresh_token, undefined);
  });

  test('a refresh token only where it is asked for', async () => {
    for (const [query, expected] of [
      ['', false],
      ['offline_token=false', false],
      ['offline_token=true', true],
      ['access_type=offline', true],
    ] as const)
      assert.equal('refresh_token' in (await issued(await get(query, basic))), expected, query);
  });

  test('in any form that HTTP allows for a target', async (t) => {
    for (const target of ['http://x:99999999/token?scope=a', '/token?%', '/token?a=%zz']) {
      const line = await Line.open(t, port);
      line.send(`GET ${target} HTTP/1.1`, 'Host: x', 'Connection: close', '', '');
      assert.match(await line.closed(), /^HTTP\/1\.1 200 /, target);
    }
  });
});

describe('POST, as containerd asks first', () => {
  test('with a password', async () => {
    const form = { grant_type: 'password', username: 'team_1', password: secret, scope };
    const body = await issued(await post(form));
    assert.equal(body.scope, granted);
    assert.equal(body.refresh_token, undefined);
    assert.ok((await issued(await post({ ...form, access_type: 'offline' }))).refresh_token);
  });

  test('with several scopes, in one field or in many', async () => {
    const both = `${granted} repository:acme/shop/b:pull`;
    const form = { grant_type: 'password', username: 'team_1', password: secret };
    assert.equal((await issued(await post({ ...form, scope: both }))).scope, both);
    const fields = new URLSearchParams(form);
    for (const one of both.split(' ')) fields.append('scope', one);
    assert.equal((await issued(await post(fields.toString()))).scope, both);
  });

  test('with a refresh token, which stays the same', async () => {
    const first = await issued(await get('offline_token=true', basic));
    const refresh = { grant_type: 'refresh_token', refresh_token: first.refresh_token! };
    const body = await issued(await post({ ...refresh, scope }));
    assert.equal(body.scope, granted);
    assert.equal(body.refresh_token, first.refresh_token);
    const authorization = `Bearer ${body.token}`;
    const used = await application.fetch('/v2/', { headers: { authorization } });
    assert.equal(used.status, 200);
  });
});

test('wrong credentials are 401, never 403, in words for a person and for OAuth2', async () => {
  const wrong = Buffer.from('team_1:gnt_wrong').toString('base64');
  const form = { username: 'team_1', password: 'gnt_wrong' };
  const cases: [string, () => Promise<Response>][] = [
    ['Basic', () => get('', `Basic ${wrong}`)],
    ['malformed Basic', () => get('', 'Basic %%%')],
    ['Bearer', () => get('', 'Bearer x')],
    ['another scheme', () => get('', 'Digest x')],
    ['password', () => post({ grant_type: 'password', ...form })],
    ['no password', () => post({ grant_type: 'password', username: 'team_1' })],
    ['refresh token', () => post({ grant_type: 'refresh_token', refresh_token: 'gntr_wrong' })],
    ['empty refresh token', () => post({ grant_type: 'refresh_token' })],
    ['another grant', () => post({ grant_type: 'client_credentials', ...form })],
    ['no grant', () => post({})],
    ['no form', () => application.fetch('/token', { method: 'POST' })],
    [
      'JSON',
      () => application.fetch('/token', { method: 'POST', body: '{"grant_type":"password"}' }),
    ],
  ];
  for (const [name, ask] of cases) {
    const response = await ask();
    assert.equal(response.status, 401, name);
    assert.match(response.headers.get('www-authenticate') ?? '', /^Basic realm=/);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const text = await response.text();
    const body = JSON.parse(text);
    assert.equal(body.errors[0].code, 'UNAUTHORIZED');
    assert.equal(body.error, 'invalid_grant');
    assert.ok(body.error_description.length > 10 && !text.includes('gnt_wrong'), text);
  }
});

test('logins are logged and counted, without a secret', async () => {
  await get('', basic);
  await get('', `Basic ${Buffer.from('team_1:gnt_wrong').toString('base64')}`);
  await post({ grant_type: 'refresh_token', refresh_token: 'gntr_canary' });
  const lines = logged.filter(({ level }) => level !== 'audit');
  assert.deepEqual(
    lines.map(({ level, message, kind }) => [level, message, kind]),
    [
      ['info', 'login', 'token'],
      ['warn', 'login denied', 'token'],
      ['warn', 'login denied', 'refresh'],
    ],
  );
  assert.equal(lines[0]?.actor, `name-of-${id}`);
  assert.equal(lines[1]?.client, '127.0.0.1');
  assert.doesNotMatch(JSON.stringify(logged), /gnt_wrong|gntr_canary|gnt_x/);
  const metrics = await services.metrics.registry.metrics();
  assert.match(metrics, /gantry_logins_total\{kind="refresh",result="denied"\} \d/);
});

test('a token that was revoked refreshes no more', async () => {
  const other = await application.token('read');
  const { refresh_token } = await issued(await get('offline_token=true', other.basic));
  await world.metadata.writer.run('RevokeToken', { id: other.id, now: world.clock.now() });
  const refresh = { grant_type: 'refresh_token', refresh_token: refresh_token! };
  assert.equal((await post(refresh)).status, 401);
});

test('where something fails inside: no token, and no word of what it was', async (t) => {
  t.mock.method(services.metadata.repositories, 'find', () => {
    throw new Error('canary of the database');
  });
  const response = await get(`scope=${scope}`, basic);
  assert.equal(response.status, 500);
  const text = await response.text();
  assert.doesNotMatch(text, /canary|access_token/);
  assert.match(String(logged.at(-1)?.cause), /canary of the database/);
});

test('A35: a form that does not come is 408, and the connection closes', async (t) => {
  for (const coding of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
    const line = await Line.open(t, port);
    const type = 'Content-Type: application/x-www-form-urlencoded';
    line.send('POST /token HTTP/1.1', 'Host: x', type, coding, '', '3', 'a=b');
    const text = await line.closed();
    assert.match(text, /^HTTP\/1\.1 408 [\s\S]*Connection: close[\s\S]*did not come/);
  }
});

test('a form that is asked for first is asked for', async (t) => {
  const line = await Line.open(t, port);
  const form = new URLSearchParams({
    grant_type: 'password',
    username: 'team_1',
    password: secret,
  });
  const type = 'Content-Type: application/x-www-form-urlencoded';
  const length = `Content-Length: ${form.toString().length}`;
  line.send('POST /token HTTP/1.1', 'Host: x', type, length, 'Expect: 100-continue', '', '');
  await line.until(/^HTTP\/1\.1 100 Continue/);
  line.send(form.toString());
  await line.until(/HTTP\/1\.1 200 OK[\s\S]*access_token/);
});
