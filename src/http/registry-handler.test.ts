import assert from 'node:assert/strict';
import { type IncomingHttpHeaders, request } from 'node:http';
import test, { after, describe } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { Line } from './http-test-kit.ts';
import { openApplication } from './services-test-kit.ts';

const application = await openApplication({ after });
const { world, services, logged, port } = application;
const name = 'acme/shop/web';
const [reader, writer] = [await application.token('read'), await application.token('write')];

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}
/** A request whose path goes out as it is: `fetch` would fold dots. */
function ask(method: string, path: string, authorization?: string): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers = authorization ? { authorization } : {};
    request({ host: '127.0.0.1', port, method, path, headers }, async (res) => {
      const text = Buffer.concat(await res.toArray()).toString();
      resolve({ status: res.statusCode!, headers: res.headers, text });
    })
      .on('error', reject)
      .end();
  });
}
const code = ({ text }: Got) => JSON.parse(text).errors[0].code as string;

test('what is no route, no method and no name', async () => {
  const cases: [string, string, number, string][] = [
    ['GET', '/v2/a', 404, 'UNSUPPORTED'],
    ['GET', '/v2/manifests/x', 404, 'UNSUPPORTED'],
    ['POST', `/v2/${name}/manifests/x`, 405, 'UNSUPPORTED'],
    ['PROPFIND', `/v2/${name}/tags/list`, 405, 'UNSUPPORTED'],
    ['DELETE', '/v2/_catalog', 405, 'UNSUPPORTED'],
    ['GET', `/v2/${name}/blobs/uploads/`, 405, 'UNSUPPORTED'],
    ['GET', '/v2/UPPER/a/b/tags/list', 400, 'NAME_INVALID'],
    ['GET', '/v2/a/b/tags/list', 400, 'NAME_INVALID'],
    ['GET', '/v2/a/b/c/d/tags/list', 400, 'NAME_INVALID'],
    ['GET', '/v2/%2e%2e/b/c/tags/list', 400, 'NAME_INVALID'],
    ['GET', '/v2/a%00/b/c/tags/list', 400, 'NAME_INVALID'],
    ['GET', `/v2/a/b/${'c'.repeat(256)}/tags/list`, 400, 'NAME_INVALID'],
    ['GET', `/v2/${name}/manifests/${'t'.repeat(129)}`, 400, 'NAME_INVALID'],
    ['GET', `/v2/${name}/manifests/sha256:short`, 400, 'DIGEST_INVALID'],
    ['GET', `/v2/${name}/blobs/md5:d41d8cd98f00b204e9800998ecf8427e`, 400, 'DIGEST_INVALID'],
  ];
  for (const authorization of [undefined, writer.basic])
    for (const [method, path, status, expected] of cases) {
      const got = await ask(method, path, authorization);
      assert.deepEqual([got.status, code(got)], [status, expected], `${method} ${path}`);
      assert.equal(got.headers.allow !== undefined, status === 405);
      assert.equal(got.headers['www-authenticate'], undefined);
    }
});

describe('the challenge', () => {
  const scopeOf = async (method: string, path: string, authorization?: string) => {
    const got = await ask(method, path, authorization);
    assert.equal(got.status, 401, `${method} ${path}`);
    const header = got.headers['www-authenticate']!;
    assert.ok(header.startsWith(`Bearer realm="http://127.0.0.1:${port}/token"`), header);
    return /scope="([^"]*)"/.exec(header)?.[1];
  };
  const digest = digestOf(Buffer.from('x'));

  test('asks for what the request needs', async () => {
    const cases: [string, string, string | undefined][] = [
      ['GET', '/v2/', undefined],
      ['GET', '/v2/_catalog', 'registry:catalog:*'],
      ['GET', `/v2/${name}/manifests/x`, `repository:${name}:pull`],
      ['HEAD', `/v2/${name}/blobs/${digest}`, `repository:${name}:pull`],
      ['PUT', `/v2/${name}/manifests/x`, `repository:${name}:pull,push`],
      ['POST', `/v2/${name}/blobs/uploads/`, `repository:${name}:pull,push`],
      ['GET', `/v2/${name}/blobs/uploads/u`, `repository:${name}:pull,push`],
      ['DELETE', `/v2/${name}/blobs/uploads/u`, `repository:${name}:pull,push`],
      ['DELETE', `/v2/${name}/manifests/x`, `repository:${name}:delete`],
      ['GET', `/v2/${name}/tags/list`, `repository:${name}:pull`],
      [
        'POST',
        `/v2/${name}/blobs/uploads/?mount=${digest}&from=acme/shop/other`,
        `repository:${name}:pull,push repository:acme/shop/other:pull`,
      ],
    ];
    for (const [method, path, scope] of cases)
      assert.equal(await scopeOf(method, path), scope, `${method} ${path}`);
  });

  test('asks for nothing that a URL slips in', async () => {
    const own = `repository:${name}:pull,push`;
    const smuggled = ['x:pull%20repository:victim/a/b', 'a"b', 'a%0d%0aX:%20y', 'a,b', '*'];
    for (const from of smuggled)
      assert.equal(
        await scopeOf('POST', `/v2/${name}/blobs/uploads/?mount=${digest}&from=${from}`),
        own,
      );
    const path = '/v2/x:pull%20repository:victim/a/b/manifests/y';
    assert.equal(await scopeOf('GET', path, 'Basic x'), undefined);
  });
});

describe('A1, A2, A5: absent and foreign are alike, over every route', () => {
  test('for those without credentials, of another team, and with a token for elsewhere', async () => {
    const { writer: commands } = world.metadata;
    const common = { name: 'T', plan: 'pro', createdAt: 0 } as const;
    await commands.run('CreateTeam', { ...common, id: 'team_2', slug: 'foreign' });
    const project = { id: 'prj_2', teamId: 'team_2', slug: 'shop', settings: {}, createdAt: 0 };
    await commands.run('CreateProject', project);
    const foreign = await world.ensure('there', 'private', 'prj_2');
    await world.addBlob('private', foreign);
    const digest = digestOf(Buffer.from('private'));
    const started = await services.blobPush.start(foreign.id, 'tok_1', 'sha256');
    const session = services.uploadUrls.sign('foreign/shop/there', started.id).split('/').at(-1);
    const routes: [string, string][] = [
      ['GET', 'manifests/latest'],
      ['HEAD', 'manifests/latest'],
      ['PUT', 'manifests/latest'],
      ['DELETE', `manifests/${digest}`],
      ['GET', `blobs/${digest}`],
      ['DELETE', `blobs/${digest}`],
      ['POST', 'blobs/uploads/'],
      ['GET', `blobs/uploads/${session}`],
      ['PATCH', `blobs/uploads/${session}`],
      ['PUT', `blobs/uploads/${session}&digest=${digest}`],
      ['DELETE', `blobs/uploads/${session}`],
      ['GET', 'tags/list'],
      ['GET', `referrers/${digest}`],
    ];
    for (const authorization of [undefined, writer.basic])
      for (const [method, rest] of routes) {
        const shapes = [];
        for (const full of ['foreign/shop/there', 'foreign/shop/void', 'nobody/shop/void']) {
          const { status, headers, text } = await ask(method, `/v2/${full}/${rest}`, authorization);
          const kept = Object.entries(headers).filter(
            ([key]) => !/^(date|x-request-id)$/.test(key),
          );
          shapes.push(JSON.stringify({ status, kept, text }).replaceAll(full, 'NAME'));
        }
        assert.equal(new Set(shapes).size, 1, `${method} ${rest}: ${shapes.join('\n')}`);
        assert.match(shapes[0]!, authorization ? /"status":404/ : /"status":401/);
      }
    assert.ok(await world.metadata.uploads.find(started.id), 'the session was not touched');
  });
});

test('reader and writer, by the status of a push', async () => {
  const push = (authorization: string) => ask('POST', `/v2/${name}/blobs/uploads/`, authorization);
  assert.equal((await push(reader.basic)).status, 403);
  assert.equal((await push(writer.basic)).status, 202);
});

test('many requests on one connection, refused and not', async (t) => {
  const line = await Line.open(t, port);
  const statuses = ['401', '200', '404', '400', '401'];
  const send = (path: string, ...headers: string[]) =>
    line.send(`GET ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', '');
  send('/v2/');
  send('/v2/', `Authorization: ${writer.basic}`);
  send(`/v2/${name}/manifests/absent`, `Authorization: ${writer.basic}`);
  send('/v2/A/b/c/tags/list', `Authorization: ${writer.basic}`);
  send('/v2/', 'Authorization: Bearer x');
  const text = await line.until(/(HTTP\/1\.1 [\s\S]*){5}registry token is not valid/);
  assert.deepEqual(
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
    statuses,
  );
  assert.doesNotMatch(text, /Connection: close/);
});

test('what is logged of a request: who, where, why; no secret, and no endless name', async () => {
  logged.length = 0;
  const long = 'x'.repeat(10_000);
  await ask('GET', `/v2/${long}/b/c/tags/list?token=${writer.secret}`, writer.basic);
  await ask('GET', `/v2/${name}/manifests/absent`, writer.basic);
  await ask('GET', '/v2/', `Bearer ${writer.secret}`);
  const lines = logged.filter(({ message }) => message === 'request');
  assert.equal(lines.length, 3);
  assert.deepEqual(
    lines.map(({ actor, status, error }) => [actor, status, error]),
    [
      ['name-of-tok_2', 400, 'name-invalid'],
      ['name-of-tok_2', 404, 'manifest-unknown'],
      [undefined, 401, 'unauthorized'],
    ],
  );
  const text = JSON.stringify(logged);
  assert.ok(text.length < 4000, `${text.length} characters for three requests`);
  assert.ok(!text.includes(writer.secret));
  assert.equal(lines[1]?.repository, name);
  assert.equal(lines[1]?.client, '127.0.0.1');
});

test('requests under way are counted until they have ended, however they end', async () => {
  await ask('GET', `/v2/${name}/manifests/absent`, writer.basic);
  await ask('GET', '/v2/x');
  assert.equal(services.metrics.active, 0);
  const { text } = await ask('GET', '/metrics');
  assert.match(text, /gantry_http_active_requests 0\n/);
  assert.match(text, /gantry_http_requests_total\{route="manifest",method="GET",status="404"\} \d/);
});
