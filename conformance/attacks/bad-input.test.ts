import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { image } from '../spec/bundles.ts';
import { expectStatus } from '../spec/check.ts';
import { content, mediaTypes, uniqueBytes, unknownDigest } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { beginUpload, blobStatus, closeUpload, expectCreated } from '../spec/push.ts';
import {
  expectUsableOrClosed,
  requestLines,
  type Wire,
  type WireAnswer,
  withWire,
} from './wire.ts';

const fixture = useServer();
const signed = () => ({ Authorization: fixture.registry.authorization! });

/** A refusal with the error JSON; the connection serves on or closes in order. */
async function expectRefusal(wire: Wire, ...allowed: number[]): Promise<WireAnswer> {
  const got = await wire.answer();
  assert.ok(got, 'closed without an answer');
  assert.ok(allowed.includes(got.status), `${got.status} ${got.body.toString().slice(0, 300)}`);
  assert.match(got.headers.get('content-type') ?? '', /^application\/json/);
  const { errors } = JSON.parse(got.body.toString()) as { errors: { code: string }[] };
  assert.ok(errors[0]?.code);
  await expectUsableOrClosed(wire, fixture.server.origin, got);
  return got;
}

async function sessionPath(): Promise<{ path: string; location: string }> {
  const location = await beginUpload(fixture.registry, fixture.repository());
  const { pathname, search } = new URL(location);
  return { path: pathname + search, location };
}

describe('Bad input: a refusal before the body was read', () => {
  const cases: [
    string,
    string,
    () => Promise<string> | string,
    Record<string, string>,
    number[],
  ][] = [
    ['no credentials', 'PUT', () => `/v2/${fixture.repository()}/manifests/x`, {}, [401]],
    [
      'a wrong token',
      'PUT',
      () => `/v2/${fixture.repository()}/manifests/x`,
      { Authorization: 'Basic eDp5' },
      [401],
    ],
    ['no such route', 'PUT', () => '/v2/nothing', {}, [401, 404]],
    ['a wrong method', 'POST', () => `/v2/${fixture.repository()}/tags/list`, {}, [401, 405]],
  ];
  for (const [name, method, targetOf, headers, allowed] of cases)
    for (const size of [10, 100_000, 8_000_000])
      test(`Bad input: ${name}, with a body of ${size} bytes: the answer arrives`, async () => {
        const { origin } = fixture.server;
        await withWire(origin, async (wire) => {
          const target = await targetOf();
          const all = { ...headers, 'Content-Length': String(size) };
          await Promise.all([
            wire.send(requestLines(origin, method, target, all), Buffer.alloc(size, 'x')),
            expectRefusal(wire, ...allowed),
          ]);
        });
      });

  test('Bad input: a manifest of 8 MB: the 413 arrives while it is still sent', async () => {
    const { origin } = fixture.server;
    for (const coding of ['Content-Length: 8000000', 'Transfer-Encoding: chunked'])
      await withWire(origin, async (wire) => {
        const target = `/v2/${fixture.repository()}/manifests/large`;
        const headers = { ...signed(), 'Content-Type': mediaTypes.manifest };
        const body = Buffer.alloc(8_000_000, 'x');
        const framed = coding.startsWith('C')
          ? body
          : Buffer.concat([
              Buffer.from(`${body.length.toString(16)}\r\n`),
              body,
              Buffer.from('\r\n0\r\n\r\n'),
            ]);
        await Promise.all([
          wire.send([...requestLines(origin, 'PUT', target, headers), coding], framed),
          expectRefusal(wire, 413),
        ]);
      });
  });

  test('Bad input: what is refused makes no repository', async () => {
    const { registry } = fixture;
    const { top, ...bundle } = image();
    const refused: [string, string, Parameters<typeof registry.ask>[2]][] = [
      ['PUT', 'manifests/x', { headers: { 'content-type': mediaTypes.manifest }, body: '{' }],
      ['PUT', 'manifests/x', { headers: { 'content-type': mediaTypes.manifest }, body: top.bytes }],
      [
        'PUT',
        `manifests/${unknownDigest()}`,
        { headers: { 'content-type': mediaTypes.manifest }, body: top.bytes },
      ],
      ['PUT', 'manifests/x', { headers: { 'content-type': 'text/plain' }, body: top.bytes }],
      ['POST', 'blobs/uploads/', { query: { digest: 'md5:00' }, body: 'x' }],
      ['POST', 'blobs/uploads/', { query: { 'digest-algorithm': 'md5' } }],
      ['DELETE', 'manifests/latest', {}],
      ['DELETE', `blobs/${bundle.blobs[0]!.digest}`, {}],
    ];
    for (const [method, rest, options] of refused) {
      const repository = fixture.repository('never');
      const answer = await registry.ask(method, `/v2/${repository}/${rest}`, options);
      assert.ok(answer.status >= 400, answer.what);
      const list = await registry.get(`/v2/${repository}/tags/list`);
      assert.equal(list.status, 404, `${answer.what} made ${repository}`);
    }
  });
});

describe('Bad input: Expect: 100-continue', () => {
  const expecting = (length: number) => ({
    ...signed(),
    'Content-Type': mediaTypes.bytes,
    'Content-Length': String(length),
    Expect: '100-continue',
  });

  test('Expect: 100-continue: the body is asked for, then taken', async () => {
    const { origin } = fixture.server;
    const { path, location } = await sessionPath();
    const blob = content(uniqueBytes(1_000));
    await withWire(origin, async (wire) => {
      await wire.send(requestLines(origin, 'PATCH', path, expecting(1_000)));
      assert.equal((await wire.answer())?.status, 100);
      await wire.write(blob.bytes);
      assert.equal((await wire.answer())?.status, 202);
    });
    await expectCreated(
      fixture.registry,
      await closeUpload(fixture.registry, location, blob.digest),
      blob,
    );
  });

  test('Expect: 100-continue: a body that will be refused is not asked for', async () => {
    const { origin } = fixture.server;
    const { path } = await sessionPath();
    const repository = fixture.repository();
    const manifest = { ...expecting(5_000_000), 'Content-Type': mediaTypes.manifest };
    for (const [method, target, headers, status] of [
      ['PATCH', path, { ...expecting(10), Authorization: 'Basic eDp5' }, 401],
      ['PATCH', path.replace(/.$/, 'x'), expecting(10), 404],
      ['PATCH', path, { ...expecting(10), 'Content-Range': '5-14' }, 416],
      ['PUT', `/v2/${repository}/manifests/latest`, manifest, 413],
      ['PUT', `/v2/${repository}/manifests/-bad`, { ...manifest, 'Content-Length': '5' }, 400],
      ['POST', `/v2/${repository}/blobs/uploads/?digest=md5:0`, expecting(10), 400],
    ] as const)
      await withWire(origin, async (wire) => {
        await wire.send(requestLines(origin, method, target, headers));
        const got = await wire.answer();
        assert.equal(got?.status, status, `${method} ${target}: ${got?.body}`);
        await wire.expectClosed();
      });
  });
});

describe('Bad input: bodies that are not what was announced', () => {
  test('Bad input: a body cut short makes no blob, and the server goes on', async () => {
    const { origin } = fixture.server;
    const repository = fixture.repository();
    const blob = content(uniqueBytes(5_000));
    for (const leave of ['end', 'reset', 'close'] as const) {
      const location = new URL(await beginUpload(fixture.registry, repository));
      for (const [method, target] of [
        ['PUT', `${location.pathname}${location.search}&digest=${blob.digest}`],
        ['POST', `/v2/${repository}/blobs/uploads/?digest=${blob.digest}`],
        ['PATCH', location.pathname + location.search],
        ['PUT', `/v2/${repository}/manifests/cut`],
      ] as const)
        await withWire(origin, async (wire) => {
          const headers = { ...signed(), 'Content-Length': '5000' };
          await wire.send(
            requestLines(origin, method, target, headers),
            blob.bytes.subarray(0, 2_500),
          );
          wire[leave]();
          await wire.expectClosed();
        });
    }
    assert.equal(await blobStatus(fixture.registry, repository, blob.digest), 404);
    expectStatus(await fixture.registry.get(`/v2/${repository}/manifests/cut`), 404);
    expectStatus(await fixture.registry.get('/healthz'), 200);
  });

  test('Bad input: chunked coding that is broken is 400, and closes', async () => {
    const { origin } = fixture.server;
    for (const body of [
      'zz\r\nhello\r\n0\r\n\r\n',
      '-5\r\nhello\r\n0\r\n\r\n',
      '5\r\nhelloworld\r\n0\r\n\r\n',
      'ffffffffffffffffff\r\nx',
    ]) {
      const { path, location } = await sessionPath();
      await withWire(origin, async (wire) => {
        const headers = { ...signed(), 'Transfer-Encoding': 'chunked' };
        await wire.send(requestLines(origin, 'PATCH', path, headers), body);
        const got = await wire.answer();
        if (got)
          assert.ok([400, 413].includes(got.status), `${got.status} for ${JSON.stringify(body)}`);
        await wire.expectClosed();
      });
      expectStatus(await fixture.registry.get(location), 204);
    }
  });

  test('Bad input: two lengths, or a length and a coding, are 400: no request is smuggled', async () => {
    const { origin } = fixture.server;
    const { path } = await sessionPath();
    const smuggled = `GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n`;
    for (const lines of [
      ['Content-Length: 5', 'Content-Length: 6'],
      ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: chunked', 'Content-Length: 5'],
      ['Transfer-Encoding: identity, chunked, x'],
      ['Content-Length: 5, 5'],
      ['Content-Length: +5'],
      ['Content-Length: 5x'],
      ['Content-Length: -1'],
      ['Transfer-Encoding : chunked'],
    ])
      await withWire(origin, async (wire) => {
        await wire.send(
          [...requestLines(origin, 'PATCH', path, signed()), ...lines],
          `0\r\n\r\n${smuggled}`,
        );
        const got = await wire.answer();
        assert.equal(got?.status, 400, lines.join(' and '));
        await wire.expectClosed();
      });
  });
});
