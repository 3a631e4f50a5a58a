import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tarOf } from '../../src/registry/archives/archive-test-kit.ts';
import { expectStatus } from '../spec/check.ts';
import { fresh } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { end, expectRefusal, Forms, good, image, multipart, part } from './form-kit.ts';
import { requestLines, withWire } from './wire.ts';

const limit = 20_000_000;
const fixture = useServer({
  env: { GANTRY_IMAGE_LIMIT: String(limit), GANTRY_BODY_TIMEOUT: '2s' },
});
const forms = new Forms(fixture);

describe('A30: names of fields', () => {
  const cases: [string, string][] = [
    ['an empty name', '; name=""'],
    ['no name', ''],
    ['an empty name of a file', '; name=""; filename="x"'],
    ['no name of a file', '; filename="x"'],
    ['__proto__', '; name="__proto__"'],
    ['a nested name', '; name="tag[a][b][c]"'],
    ['a large index', '; name="tag[4294967290]"'],
    ['an unknown name', '; name="admin"'],
    ['a name of 64 KiB', `; name="${'x'.repeat(65_000)}"`],
  ];
  for (const [what, disposition] of cases)
    test(`A30: ${what}: 400, and the process lives`, async () => {
      const archive = await tarOf(await good());
      for (const body of [
        [part(disposition, 'v1'), image(archive), end],
        [image(archive), part(disposition, 'v1'), end],
      ])
        assert.equal((await forms.send(Buffer.concat(body))).status, 400);
    });

  test('A30: a hundred thousand fields, and a file in a field of another name', async () => {
    const many = Buffer.concat(Array(100_000).fill(part('; name="tag"', 'v1')));
    assert.equal((await forms.send(Buffer.concat([many, end]))).status, 400);
    const other = part('; name="picture"; filename="x"', 'x');
    expectRefusal(await forms.send(Buffer.concat([other, end])), 400, /wanted in "image"/);
  });

  test('A30: two files, no file, no tag that is one', async () => {
    const archive = await tarOf(await good());
    assert.equal(
      (await forms.send(Buffer.concat([image(archive), image(archive), end]))).status,
      400,
    );
    expectRefusal(await forms.send(end), 400, /no file in the field "image"/);
    const tag = part('; name="tag"', '../x');
    assert.equal((await forms.sendArchive(archive, tag)).status, 400);
  });
});

describe('A32: a form that is cut short', () => {
  test('A32: at any place: 400', async () => {
    const whole = Buffer.concat([
      part('; name="tag"', 'v1'),
      image(await tarOf(await good())),
      part('; name="tag"', 'v2'),
      end,
    ]);
    for (const length of [1, 20, 60, 100, 200, 700, 2_000, whole.length - end.length - 40])
      expectRefusal(await forms.send(whole.subarray(0, length)), 400, /form is malformed/);
    assert.equal((await forms.send(whole.subarray(0, whole.length - 4))).status, 400);
  });

  test('A32: by a client that goes away: nothing stays', async () => {
    const repository = fresh('gone');
    const body = Buffer.concat([image(await tarOf(await good())), end]);
    await withWire(fixture.server.origin, async (wire) => {
      const lines = requestLines(fixture.server.origin, 'POST', forms.target(repository), {
        Authorization: fixture.registry.authorization!,
        'Content-Type': multipart,
        'Content-Length': String(body.length + 1_000),
      });
      await wire.send(lines, body.subarray(0, 3_000));
      await forms.spoolHas(1);
      wire.reset();
    });
    await forms.spoolHas(0);
    await forms.expectNothing(repository);
  });

  test('A32: by one that stops sending: 408', async () => {
    const body = image(await tarOf(await good()));
    const refusal = await forms.send(body, { 'Content-Length': String(body.length + 1_000) });
    assert.equal(refusal.status, 408);
  });

  test('A32: no boundary, an endless boundary, another type', async () => {
    const body = Buffer.concat([image('x'), end]);
    const typed = (type: string) => forms.send(body, { 'Content-Type': type });
    assert.equal((await typed('multipart/form-data')).status, 415);
    assert.equal((await typed('multipart/form-data; charset=utf-8')).status, 400);
    assert.equal((await typed(`multipart/form-data; boundary=${'b'.repeat(4_000)}`)).status, 400);
    assert.equal((await typed('multipart/mixed; boundary=----gantry')).status, 415);
    assert.equal((await typed('application/x-tar')).status, 415);
    assert.equal((await typed('application/json')).status, 415);
  });
});

describe('A33: forms where a few fields are wanted', () => {
  const nested = `${'a[b]'.repeat(1)}${'[c]'.repeat(5_000)}=1`;
  const bodies: [string, string][] = [
    ['nested', `grant_type=password&${nested}`],
    [
      'many',
      `grant_type=password&${Array.from({ length: 5_000 }, (_, at) => `k${at}=1`).join('&')}`,
    ],
    ['large', `grant_type=password&password=${'x'.repeat(1_000_000)}`],
    ['__proto__', 'grant_type=password&__proto__[admin]=1&constructor[prototype][x]=1'],
  ];
  for (const [what, body] of bodies)
    for (const path of ['/token', '/oauth/token', '/oauth/revoke'])
      test(`A33: ${what} at ${path}: 4xx`, async () => {
        const headers = { 'content-type': 'application/x-www-form-urlencoded' };
        const { registry } = fixture;
        const answer = await registry
          .as(undefined)
          .ask('POST', path, { headers, body, check: false });
        assert.ok([400, 401, 404, 413].includes(answer.status), String(answer.status));
        if (what === 'many' || what === 'large')
          assert.ok([400, 413].includes(answer.status) || answer.status === 404);
        expectStatus(await registry.get('/healthz'), 200);
      });

  test('A33: where JSON or a multipart form is wanted: 415', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await fixture.registry.ask('POST', forms.target(fresh('form')), {
      headers,
      body: nested,
    });
    expectStatus(answer, 415);
  });
});
