import assert from 'node:assert/strict';
import { test } from 'node:test';
import { docsPage, docsPolicy } from './docs-page.ts';
import { exampleOf, fieldsOf } from './docs-schema.ts';
import type { Route } from './route.ts';
import { list, nullable, object, oneOf, page, slug, text, time } from './schema.ts';

const thing = object({ name: slug, at: nullable(time), parts: list(object({ size: text(9) })) });
const route: Route = {
  ...{ method: 'POST', path: '/teams/{team}/<things>', operationId: 'createThing', tag: 'A & B' },
  ...{ summary: 'Makes a `thing` <b>', access: { at: 'team', action: 'manage' }, body: thing },
  replies: { 201: { description: 'It is made.', schema: page(thing, 'Things') } },
  handle: async () => undefined,
};

test('the page shows each route and runs nothing of what it shows', () => {
  const html = docsPage([route]);
  assert.match(html, /<span class="method POST">POST<\/span>/);
  assert.match(html, /\/teams\/<i>\{team\}<\/i>\/&lt;things&gt;/);
  assert.match(html, /Makes a <code>thing<\/code> &lt;b&gt;/);
  assert.match(html, /Needs manage in the whole team/);
  assert.match(html, /-d &#39;\{&quot;name&quot;:&quot;web-shop&quot;/);
  assert.doesNotMatch(html, /<script|<link|<img|\son\w+=|style="|https?:\/\//);
  assert.match(docsPolicy, /^default-src 'none'; style-src 'sha256-[\w+/=]+'; /);
});

test('fields: what is inside is named by its path', () => {
  assert.deepEqual(
    fieldsOf(page(thing, 'Things')).map(({ name, type }) => [name, type]),
    [
      ['items', 'list of object'],
      ['items[].name', 'slug'],
      ['items[].at', 'date-time or null'],
      ['items[].parts', 'list of object'],
      ['items[].parts[].size', 'string'],
      ['next', 'string or null'],
    ],
  );
  assert.deepEqual(fieldsOf({ type: 'string' }), []);
});

test('examples have what must be there', () => {
  const schema = object(
    { kind: oneOf('a', 'b'), more: text(9), list: list({ type: 'integer', minimum: 5 }) },
    { optional: ['more'] },
  );
  assert.deepEqual(exampleOf(schema), { kind: 'a', list: [5] });
});
