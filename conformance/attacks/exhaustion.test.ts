import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { image } from '../spec/bundles.ts';
import { expectError, expectHeader, expectStatus } from '../spec/check.ts';
import { Answer } from '../spec/client.ts';
import { content, uniqueBytes } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { beginUpload, octets, pushBundle, putManifest } from '../spec/push.ts';
import { expectUsableOrClosed, requestLines, type WireAnswer, withWire } from './wire.ts';

const fixture = useServer();
const signed = () => ({ Authorization: fixture.registry.authorization! });

function asAnswer(method: string, target: string, got: WireAnswer): Answer {
  const url = new URL(target.slice(0, 200), fixture.server.origin);
  return new Answer(method, url, got.status, [...got.headers], got.body);
}

describe('A29: how much a list gives', () => {
  let repository: string;
  const count = 1_205;

  before(async () => {
    repository = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(fixture.registry, repository, bundle);
    const tags = Array.from({ length: count }, (_, at) => `t${String(at).padStart(5, '0')}`);
    for (let at = 0; at < count; at += 100) {
      const query = { tag: tags.slice(at, at + 100) };
      expectStatus(await putManifest(fixture.registry, repository, top.digest, top, query), 201);
    }
  });

  for (const n of ['1000000000', '4294967296', '9007199254740991', '9'.repeat(30), '1e9'])
    test(`A29: n=${n} is clamped with a Link, or 400`, async () => {
      const answer = await fixture.registry.get(`/v2/${repository}/tags/list`, { query: { n } });
      if (answer.status === 400) return;
      const first = (expectStatus(answer, 200).json() as { tags: string[] }).tags;
      assert.ok(first.length < count, `${first.length} tags in one page`);
      const second = await fixture.registry.get(answer.nextPage()!);
      const rest = (second.json() as { tags: string[] }).tags;
      assert.equal(first.length + rest.length, count);
    });

  test('A29: n=1000000000 is not 400: the specification knows no upper limit', async () => {
    const query = { n: '1000000000' };
    expectStatus(await fixture.registry.get(`/v2/${repository}/tags/list`, { query }), 200);
  });

  test('A29: without n the whole list can be read by Links', async () => {
    let answer = await fixture.registry.get(`/v2/${repository}/tags/list`);
    let seen = (answer.json() as { tags: string[] }).tags.length;
    for (let next = answer.nextPage(); next !== undefined; next = answer.nextPage()) {
      answer = await fixture.registry.get(next);
      seen += (answer.json() as { tags: string[] }).tags.length;
    }
    assert.equal(seen, count);
  });

  for (const path of ['tags/list', '_catalog'])
    for (const n of ['-1', 'abc', '-9223372036854775808', 'NaN', 'Infinity', '1;2', '%00'])
      test(`A29: ${path} with n=${n} is 400`, async () => {
        const where = path === '_catalog' ? '/v2/_catalog' : `/v2/${repository}/${path}`;
        expectStatus(await fixture.registry.get(`${where}?n=${n}`), 400);
      });

  test('A29: n=0 is an empty list without a Link', async () => {
    const query = { n: '0' };
    const tags = await fixture.registry.get(`/v2/${repository}/tags/list`, { query });
    assert.deepEqual(expectStatus(tags, 200).json(), { name: repository, tags: [] });
    assert.equal(tags.header('link'), undefined);
    const catalog = await fixture.registry.get('/v2/_catalog', { query });
    assert.deepEqual(expectStatus(catalog, 200).json(), { repositories: [] });
    assert.equal(catalog.header('link'), undefined);
  });

  test('A29: a last or a cursor of nonsense is a place in the list, or 400', async () => {
    for (const last of [
      '%00',
      '%ff%fe',
      '../..',
      "'%20OR%201=1--",
      'x'.repeat(4_000),
      '%F0%9F%90%8B',
    ]) {
      for (const where of [`/v2/${repository}/tags/list`, '/v2/_catalog'])
        expectStatus(await fixture.registry.get(`${where}?n=3&last=${last}`), 200, 400);
      const { digest } = content('');
      const referrers = `/v2/${repository}/referrers/${digest}?last=${last}&artifactType=${last}`;
      expectStatus(await fixture.registry.get(referrers), 200, 400);
    }
  });
});

describe('A34: huge path segments', () => {
  const timed = async (target: string): Promise<{ took: number; answer: Answer }> => {
    const { origin } = fixture.server;
    return withWire(origin, async (wire) => {
      const started = performance.now();
      await wire.send(requestLines(origin, 'GET', target, signed()));
      const got = await wire.answer();
      assert.ok(got, `${target.slice(0, 60)}: closed without an answer`);
      const took = performance.now() - started;
      await expectUsableOrClosed(wire, origin, got);
      return { took, answer: asAnswer('GET', target, got) };
    });
  };
  const digest = content('').digest;
  const targets: [string, string][] = [
    ['one segment of 12 kB', `/v2/${'a'.repeat(12_000)}/manifests/latest`],
    ['one tag of 12 kB', `/v2/a/b/c/manifests/${'t'.repeat(12_000)}`],
    ['6,000 segments', `/v2/${'a/'.repeat(6_000)}tags/list`],
    ['6,000 slashes', `/v2/${'/'.repeat(6_000)}tags/list`],
    ['separators without end', `/v2/a/b/${'a-'.repeat(6_000)}/tags/list`],
    ['dashes without end', `/v2/a/b/a${'-'.repeat(12_000)}/tags/list`],
    ['underscores without end', `/v2/a/b/${'_'.repeat(12_000)}a/tags/list`],
    ['manifests over and over', `/v2/${'manifests/'.repeat(1_200)}latest`],
    ['4,000 escapes', `/v2/a/b/c${'%2e'.repeat(4_000)}/tags/list`],
    ['a digest of 12 kB', `/v2/a/b/c/blobs/sha256:${'0'.repeat(12_000)}`],
    ['3,000 parameters', `/v2/a/b/c/blobs/${digest}x?${'a=1&'.repeat(3_000)}`],
  ];
  for (const [name, target] of targets)
    test(`A34: ${name}: 400 in under 50 ms`, async () => {
      let best = Number.POSITIVE_INFINITY;
      for (let time = 0; time < 5; time++) {
        const { took, answer } = await timed(target);
        expectStatus(answer, 400, 404);
        best = Math.min(best, took);
      }
      assert.ok(best < 50, `${best.toFixed(1)} ms at best`);
    });

  for (const size of [20_000, 100_000, 2_000_000])
    test(`A34: a path of ${size} bytes is refused with the connection closed in order`, async () => {
      const { answer } = await timed(`/v2/${'a'.repeat(size)}/tags/list`);
      expectStatus(answer, 400, 414, 431);
      assert.ok(answer.body.length < 10_000, 'the path is not sent back whole');
    });

  test('A34: headers of 200 kB are refused', async () => {
    const { origin } = fixture.server;
    await withWire(origin, async (wire) => {
      const many = Object.fromEntries(
        Array.from({ length: 2_000 }, (_, at) => [`X-Filler-${at}`, 'x'.repeat(80)]),
      );
      await wire.send(requestLines(origin, 'GET', '/v2/', { ...signed(), ...many }));
      const got = await wire.answer();
      assert.ok(got);
      assert.ok([400, 413, 431].includes(got.status), `${got.status}`);
      await wire.expectClosed();
    });
  });
});

describe('A37: chunks out of order', () => {
  for (const range of [
    '1-10',
    '10-19',
    '4294967296-4294967305',
    '9007199254740992-9007199254741001',
    '18446744073709551616-18446744073709551625',
    '-10--1',
    '00000000000000000000-9',
  ])
    for (const method of ['PATCH', 'PUT'])
      test(`A37: ${method} of ${range} first: 416 or 400, and nothing is taken`, async () => {
        const location = await beginUpload(fixture.registry, fixture.repository());
        const blob = content(uniqueBytes(10));
        const headers = { ...octets, 'content-range': range };
        const answer = await fixture.registry.ask(method, location, {
          headers,
          body: blob.bytes,
          ...(method === 'PUT' && { query: { digest: blob.digest } }),
        });
        if (/^\d{1,15}-/.test(range)) expectError(answer, 416, 'BLOB_UPLOAD_INVALID');
        else expectStatus(answer, 400, 416);
        const status = expectStatus(await fixture.registry.get(location), 204);
        expectHeader(status, 'range', /^0-(?:0|-1)$/);
      });
});
