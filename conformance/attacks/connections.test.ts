import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { image } from '../spec/bundles.ts';
import { expectStatus } from '../spec/check.ts';
import { useServer } from '../spec/fixture.ts';
import { pushBundle } from '../spec/push.ts';
import { expectUsableOrClosed, requestLines, withWire } from './wire.ts';

const fixture = useServer();
const signed = () => ({ Authorization: fixture.registry.authorization! });

describe('Bad input: what is no request', () => {
  const lines: [string, string[]][] = [
    ['no HTTP', ['hello']],
    ['a version that is none', ['GET /v2/ HTTP/9.9', 'Host: x']],
    ['a method that is none', ['FROB /v2/ HTTP/1.1', 'Host: x']],
    ['a header without a colon', ['GET /v2/ HTTP/1.1', 'Host: x', 'broken']],
    ['a space in the path', ['GET /v2/ /x HTTP/1.1', 'Host: x']],
    ['a null byte in a header', ['GET /v2/ HTTP/1.1', 'Host: x', 'X-A: a\u0000b']],
    ['no Host', ['GET /v2/ HTTP/1.1']],
    ['two Hosts', ['GET /v2/ HTTP/1.1', 'Host: a', 'Host: b']],
    ['a TLS hello', ['\u0016\u0003\u0001\u0002\u0000\u0001']],
  ];
  for (const [name, request] of lines)
    test(`Bad input: ${name}: 400 with the connection closed, or a refusal`, async () => {
      await withWire(fixture.server.origin, async (wire) => {
        await wire.send(request);
        const got = await wire.answer();
        if (got) assert.ok(got.status >= 400 && got.status < 500, `${got.status}`);
        if (got?.status === 400) await wire.expectClosed();
      });
      expectStatus(await fixture.registry.get('/healthz'), 200);
    });

  test('Bad input: a Host that is none is not sent back in headers', async () => {
    const { origin } = fixture.server;
    for (const host of ['a"b', 'a,b', 'a b', '<script>', 'x@y', 'a/b', 'ü', 'h'.repeat(300), ''])
      await withWire(origin, async (wire) => {
        await wire.send(['GET /v2/ HTTP/1.1', `Host: ${host}`]);
        const got = await wire.answer();
        assert.ok(got && got.status >= 400 && got.status < 500, `${host}: ${got?.status}`);
        const challenge = got.headers.get('www-authenticate');
        assert.ok(
          challenge === undefined || !challenge.includes(host) || host === '',
          `${challenge}`,
        );
      });
  });

  test('Bad input: absolute, asterisk and authority targets are answered', async () => {
    const { origin } = fixture.server;
    for (const [method, target] of [
      ['GET', `${origin}/v2/`],
      ['GET', 'http://elsewhere.example/v2/'],
      ['OPTIONS', '*'],
      ['OPTIONS', '/v2/'],
      ['TRACE', '/v2/'],
      ['CONNECT', 'elsewhere.example:443'],
    ] as const)
      await withWire(origin, async (wire) => {
        await wire.send(requestLines(origin, method, target, signed()));
        const got = await wire.answer();
        if (got === undefined) assert.equal(method, 'CONNECT', 'closed without an answer');
        else assert.ok(got.status < 500, `${method} ${target}: ${got.status}`);
        assert.ok(
          method !== 'TRACE' || !got?.body.includes('Basic '),
          'TRACE sends credentials back',
        );
      });
  });
});

describe('Bad input: one connection for many requests', () => {
  test('Bad input: requests sent in one go are answered in order, refusals among them', async () => {
    const { origin } = fixture.server;
    const repository = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(fixture.registry, repository, bundle, 'latest');
    const get = (target: string) =>
      `${requestLines(origin, 'GET', target, signed()).join('\r\n')}\r\n\r\n`;
    await withWire(origin, async (wire) => {
      const targets = [
        `/v2/${repository}/manifests/latest`,
        `/v2/${repository}/manifests/absent`,
        `/v2/UPPER/a/b/tags/list`,
        `/v2/${repository}/blobs/${bundle.blobs[0]!.digest}`,
        `/v2/${repository}/blobs/sha256:bad`,
        '/v2/',
      ];
      await wire.write(targets.map(get).join(''));
      const statuses: (number | undefined)[] = [];
      const bodies: (Buffer | undefined)[] = [];
      for (const _ of targets) {
        const got = await wire.answer();
        statuses.push(got?.status);
        bodies.push(got?.body);
      }
      assert.deepEqual(statuses, [200, 404, 400, 200, 400, 200]);
      assert.ok(bodies[0]!.equals(top.bytes));
      assert.ok(bodies[3]!.equals(bundle.blobs[0]!.bytes));
    });
  });

  test('Bad input: a body that was refused is never read as the next request', async () => {
    const { origin } = fixture.server;
    const inner = requestLines(
      origin,
      'POST',
      `/v2/${fixture.repository('inner')}/blobs/uploads/`,
      {
        ...signed(),
        'Content-Length': '0',
      },
    );
    const name = /\/v2\/(\S+)\/blobs/.exec(inner[0]!)![1]!;
    const body = `${inner.join('\r\n')}\r\n\r\n`;
    await withWire(origin, async (wire) => {
      const headers = { 'Content-Length': String(body.length) };
      const target = `/v2/${fixture.repository()}/manifests/outer`;
      await wire.send(requestLines(origin, 'PUT', target, headers), body);
      const got = await wire.answer();
      assert.equal(got?.status, 401);
      await expectUsableOrClosed(wire, origin, got);
    });
    expectStatus(await fixture.registry.get(`/v2/${name}/tags/list`), 404);
  });
});
