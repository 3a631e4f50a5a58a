import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formats, patterns } from './formats.ts';
import { openApiDocument } from './openapi.ts';
import type { Route } from './route.ts';
import { object, slug, text } from './schema.ts';

type Json = Record<string, never>;

const thing = object({ slug }, { title: 'Thing' });
const make = (more: Partial<Route>): Route => ({
  ...{ method: 'GET', path: '/things', operationId: 'things', tag: 'Things', summary: 'Things.' },
  ...{ access: { at: 'signed-in' }, replies: { 200: { description: 'Them.', schema: thing } } },
  handle: async () => undefined,
  ...more,
});
const pathsOf = (...routes: Route[]) =>
  (openApiDocument(routes, { version: '1' }) as { paths: Json }).paths as unknown as Record<
    string,
    Record<string, { parameters: { name: string }[]; responses: Record<string, Json> }>
  >;

describe('the OpenAPI document', () => {
  test('a schema with a title stands once; two of one title are a fault', () => {
    const document = openApiDocument([make({})], { version: '1' }) as {
      components: { schemas: Record<string, { properties: { slug: { pattern: string } } }> };
    };
    assert.equal(document.components.schemas.Thing?.properties.slug.pattern, patterns.slug);
    const other = make({
      path: '/others',
      replies: { 200: { description: '', schema: object({ a: text(3) }, { title: 'Thing' }) } },
    });
    assert.throws(
      () => openApiDocument([make({}), other], { version: '1' }),
      /two schemas have the title Thing/,
    );
  });

  test('statuses and headers follow from the route', () => {
    const { get } = pathsOf(make({}))['/api/v1/things']!;
    assert.ok(get);
    assert.deepEqual(Object.keys(get.responses), '200 304 400 401 403 429 500 503'.split(' '));
    const headers = (status: string) => Object.keys(get.responses[status]?.headers ?? {});
    assert.deepEqual(headers('200'), ['ETag']);
    assert.deepEqual(headers('401'), ['WWW-Authenticate']);
    assert.deepEqual(headers('429'), ['Retry-After']);
  });

  test('If-Match is for changes of what can be read', () => {
    const change = make({ method: 'PUT', operationId: 'putThings', body: thing });
    const lone = make({ method: 'POST', path: '/lone', operationId: 'lone', idempotent: true });
    const paths = pathsOf(make({}), change, lone);
    const names = (path: string, method: string) =>
      paths[path]?.[method]?.parameters.map(({ name }) => name);
    assert.deepEqual(names('/api/v1/things', 'put'), ['If-Match']);
    assert.deepEqual(names('/api/v1/things', 'get'), []);
    assert.deepEqual(names('/api/v1/lone', 'post'), ['Idempotency-Key']);
  });

  test('an answer may have a type and no schema', () => {
    const replies = { 200: { description: 'A stream.', mediaType: 'text/event-stream' } };
    const { get } = pathsOf(make({ replies }))['/api/v1/things']!;
    assert.deepEqual(get?.responses['200']?.content, { 'text/event-stream': {} });
  });
});

/** By format: what it takes, and what it does not. */
const samples: Record<string, readonly [good: readonly string[], bad: readonly string[]]> = {
  slug: [
    ['a', 'web-shop', 'a.b_c__d--e'],
    ['', '-a', 'a-', 'A', 'a..b', 'a___b', 'a b'],
  ],
  'repository-name': [
    ['web', 'a.b'],
    ['', 'a/b', '.a'],
  ],
  tag: [
    ['latest', '_a', 'v1.0-rc', 'A'.repeat(128)],
    ['', '.a', 'a/b', 'A'.repeat(129)],
  ],
  digest: [
    [`sha256:${'a'.repeat(64)}`, `sha512:${'0'.repeat(128)}`],
    ['sha256:', `sha256:${'A'.repeat(64)}`, `sha256:${'a'.repeat(65)}`, `md5:${'a'.repeat(32)}`],
  ],
  platform: [['linux/amd64'], ['linux', 'linux/', 'Linux/amd64', 'linux/amd64/v8']],
  lifetime: [
    ['1s', '90d', '12h', '99999m', '9999d'],
    ['0s', '90', 'd', '1.5h', '10000d', '1w', ' 1d'],
  ],
};

test('patterns of the document and formats that are checked take the same', () => {
  assert.deepEqual(Object.keys(samples).sort(), Object.keys(patterns).sort());
  for (const [name, [good, bad]] of Object.entries(samples)) {
    const pattern = new RegExp(patterns[name]!);
    for (const text of good) {
      assert.ok(formats[name]!(text), `format ${name}: ${text}`);
      assert.match(text, pattern, name);
    }
    for (const text of bad) {
      assert.equal(formats[name]!(text), false, `format ${name}: ${text}`);
      assert.doesNotMatch(text, pattern, name);
    }
  }
});
