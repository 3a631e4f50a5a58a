import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { image } from './bundles.ts';
import { expectError, expectHeader, expectStatus } from './check.ts';
import { useServer } from './fixture.ts';
import { pushBlob, pushBundle, putManifest } from './push.ts';

const fixture = useServer();

interface Page {
  readonly tags: string[];
  readonly next: string | undefined;
}

describe('Listing Tags', () => {
  let repository: string;
  // In order of bytes, as Go's sort.Strings has them.
  const all = [
    '0',
    '10',
    '9',
    'A',
    'Z-last',
    '_under',
    'a',
    'a.1',
    'b',
    'latest',
    'v1',
    'v1.0',
    'z',
  ];

  before(async () => {
    repository = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(fixture.registry, repository, bundle);
    for (const tag of [...all].sort(() => 0.5 - Math.random()))
      expectStatus(await putManifest(fixture.registry, repository, tag, top), 201);
  });

  async function list(query: Record<string, string> = {}, from?: string): Promise<Page> {
    const target = from ?? `/v2/${repository}/tags/list`;
    const answer = expectStatus(await fixture.registry.get(target, { query }), 200);
    expectHeader(answer, 'content-type', /^application\/json\b/);
    const body = answer.json() as { name: string; tags: string[] };
    assert.deepEqual(Object.keys(body).sort(), ['name', 'tags']);
    assert.equal(body.name, repository);
    return { tags: body.tags, next: answer.nextPage() };
  }

  test('Listing Tags: all of them, in order, without a Link', async () => {
    assert.deepEqual(await list(), { tags: all, next: undefined });
  });

  for (const n of [1, 2, 5, 12])
    test(`Listing Tags: n=${n} gives the first ${n}, and Link leads through the rest`, async () => {
      const seen: string[] = [];
      let page = await list({ n: String(n) });
      for (;;) {
        seen.push(...page.tags);
        if (page.next === undefined) break;
        assert.equal(page.tags.length, n, 'fewer than n only on the last page');
        page = await list({}, page.next);
      }
      assert.deepEqual(seen, all);
    });

  for (const n of [13, 14, 1_000])
    test(`Listing Tags: n=${n} gives all, and no Link`, async () => {
      assert.deepEqual(await list({ n: String(n) }), { tags: all, next: undefined });
    });

  test('Listing Tags: n=0 gives an empty list and no Link', async () => {
    assert.deepEqual(await list({ n: '0' }), { tags: [], next: undefined });
    assert.deepEqual(await list({ n: '0', last: 'a' }), { tags: [], next: undefined });
  });

  test('Listing Tags: last gives what follows it, itself not included', async () => {
    for (const [at, last] of all.entries())
      assert.deepEqual((await list({ last })).tags, all.slice(at + 1), last);
  });

  test('Listing Tags: last need not be a tag of the repository', async () => {
    assert.deepEqual((await list({ last: 'latesu' })).tags, ['v1', 'v1.0', 'z']);
    assert.deepEqual((await list({ last: 'zz' })).tags, []);
    assert.deepEqual((await list({ last: '' })).tags, all);
  });

  test('Listing Tags: last is a tag, not an index', async () => {
    assert.deepEqual((await list({ last: '9', n: '2' })).tags, ['A', 'Z-last']);
  });

  test('Listing Tags: n and last together, page by page', async () => {
    const seen: string[] = [];
    let last = '';
    for (;;) {
      const { tags } = await list({ n: '4', ...(last && { last }) });
      seen.push(...tags);
      if (tags.length < 4) break;
      last = tags.at(-1)!;
    }
    assert.deepEqual(seen, all);
  });

  test('Listing Tags: a Link keeps n, whatever order the parameters came in', async () => {
    const { next } = await list({ last: '0', n: '3' });
    const page = await list({}, next!);
    assert.deepEqual(page.tags, ['Z-last', '_under', 'a']);
  });

  for (const n of ['-1', 'abc', '1.5', '1e3', '', ' ', '0x10', '9'.repeat(400)])
    test(`Listing Tags: n="${n.slice(0, 8)}" is 400, or taken for what it may mean`, async () => {
      const answer = await fixture.registry.get(`/v2/${repository}/tags/list`, { query: { n } });
      if (n === '' || n.length > 20) expectStatus(answer, 200, 400);
      else expectStatus(answer, 400);
    });

  test('Listing Tags: a repository whose tags are gone has an empty list', async () => {
    const own = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(fixture.registry, own, bundle, 'only');
    expectStatus(await fixture.registry.delete(`/v2/${own}/manifests/only`), 202);
    const answer = expectStatus(await fixture.registry.get(`/v2/${own}/tags/list`), 200);
    assert.deepEqual(answer.json(), { name: own, tags: [] });
    expectStatus(await fixture.registry.get(`/v2/${own}/manifests/${top.digest}`), 200);
  });

  test('Listing Tags: a repository that has had a blob alone has an empty list', async () => {
    const own = fixture.repository();
    expectStatus(await pushBlob(fixture.registry, own, image().blobs[0]!), 201);
    const answer = expectStatus(await fixture.registry.get(`/v2/${own}/tags/list`), 200);
    assert.deepEqual(answer.json(), { name: own, tags: [] });
  });

  test('Listing Tags: a repository that is not there is 404 NAME_UNKNOWN', async () => {
    const answer = await fixture.registry.get(`/v2/${fixture.repository('absent')}/tags/list`);
    expectError(answer, 404, 'NAME_UNKNOWN');
  });

  test('Listing Tags: tags made between two pages are not lost or doubled', async () => {
    const own = fixture.repository();
    const { top, ...bundle } = image();
    await pushBundle(fixture.registry, own, bundle, 'b');
    for (const tag of ['d', 'f']) await putManifest(fixture.registry, own, tag, top);
    const query = { n: '2' };
    const first = await fixture.registry.get(`/v2/${own}/tags/list`, { query });
    assert.deepEqual((first.json() as { tags: string[] }).tags, ['b', 'd']);
    for (const tag of ['a', 'e']) await putManifest(fixture.registry, own, tag, top);
    const second = await fixture.registry.get(first.nextPage()!);
    assert.deepEqual((second.json() as { tags: string[] }).tags, ['e', 'f']);
  });
});
