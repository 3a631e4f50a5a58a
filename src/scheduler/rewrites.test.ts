import assert from 'node:assert/strict';
import test from 'node:test';
import type { Rewrite } from '../ports/functions.ts';
import { checkRewrites, RewriteTable } from './rewrites.ts';

/** docs/functions/container-images, "Services": vercel.json, as it stands there. */
const sample = JSON.parse(`{
  "services": {
    "frontend": {
      "root": "frontend/",
      "entrypoint": "Dockerfile.vercel"
    },
    "backend": {
      "root": "backend/",
      "entrypoint": "Dockerfile.vercel"
    }
  },
  "rewrites": [
    { "source": "/api/(.*)", "destination": { "service": "backend" } },
    { "source": "/(.*)", "destination": { "service": "frontend" } }
  ]
}`);

function find(rewrites: readonly Rewrite[], url: string, headers = {}, host = 'shop.example') {
  return new RewriteTable(rewrites).find({ url, host, headers });
}

const to = (service: string): Rewrite['destination'] => ({ service });

test('the sample of the document', () => {
  assert.deepEqual(checkRewrites(sample.rewrites, Object.keys(sample.services)), []);
  for (const [url, service] of [
    ['/api/', 'backend'],
    ['/api/users', 'backend'],
    ['/api/users/1?a=b', 'backend'],
    ['/api', 'frontend'],
    ['/apis/1', 'frontend'],
    ['/', 'frontend'],
    ['/index.html?x=/api/', 'frontend'],
  ] as const) {
    // The path is not stripped.
    assert.deepEqual(find(sample.rewrites, url), { service, url }, url);
  }
});

test('the first that matches wins', () => {
  const rewrites = [
    { source: '/a/:id', destination: to('one') },
    { source: '/a/(.*)', destination: to('two') },
  ];
  assert.equal(find(rewrites, '/a/1')?.service, 'one');
  assert.equal(find(rewrites, '/a/1/2')?.service, 'two');
  assert.equal(find(rewrites, '/b'), undefined);
});

test("path-to-regexp 6's syntax", () => {
  const cases: [string, string, boolean][] = [
    ['/a/:id', '/a/b', true],
    ['/a/:id', '/a/b/c', false],
    ['/a/:id', '/a/', false],
    ['/a/:id?', '/a', true],
    ['/a/:rest*', '/a/b/c', true],
    ['/a/:rest+', '/a', false],
    ['/:id(\\d+)', '/12', true],
    ['/:id(\\d+)', '/1a', false],
    ['/:id(\\d{1,3})', '/1234', false],
    ['/a.json', '/axjson', false],
    ['/:name.json', '/b.json', true],
    ['/A', '/a', false],
    ['/a', '/a/', false],
    ['/((?!api/).*)', '/app/1', true],
    ['/((?!api/).*)', '/api/1', false],
  ];
  for (const [source, url, matches] of cases) {
    const rewrites = [{ source, destination: to('s') }];
    assert.deepEqual(checkRewrites(rewrites, ['s']), [], source);
    assert.equal(find(rewrites, url) !== undefined, matches, `${source} ${url}`);
  }
});

test('has and missing: header, cookie, query, host', () => {
  const only = (rewrite: Partial<Rewrite>): Rewrite[] => [
    { source: '/(.*)', destination: to('s'), ...rewrite },
  ];
  const cases: [Partial<Rewrite>, Parameters<typeof find>[2], string, string, boolean][] = [
    [{ has: [{ type: 'header', key: 'X-Beta' }] }, { 'x-beta': '' }, '/', 'h', true],
    [{ has: [{ type: 'header', key: 'X-Beta' }] }, {}, '/', 'h', false],
    [
      { has: [{ type: 'header', key: 'x-beta', value: '[ab]' }] },
      { 'x-beta': 'b' },
      '/',
      'h',
      true,
    ],
    // The whole value has to match.
    [
      { has: [{ type: 'header', key: 'x-beta', value: '[ab]' }] },
      { 'x-beta': 'bc' },
      '/',
      'h',
      false,
    ],
    [{ missing: [{ type: 'header', key: 'x-beta' }] }, { 'x-beta': 'b' }, '/', 'h', false],
    [{ missing: [{ type: 'header', key: 'x-beta' }] }, {}, '/', 'h', true],
    [{ has: [{ type: 'cookie', key: 'a', value: '1' }] }, { cookie: 'b=2; a=1' }, '/', 'h', true],
    [{ has: [{ type: 'cookie', key: 'a' }] }, { cookie: 'aa=1' }, '/', 'h', false],
    [{ has: [{ type: 'query', key: 'q', value: 'x y' }] }, {}, '/?q=x%20y', 'h', true],
    [{ has: [{ type: 'query', key: 'q' }] }, {}, '/?p=q', 'h', false],
    [{ has: [{ type: 'host', value: 'a\\.example' }] }, {}, '/', 'a.example', true],
    [{ has: [{ type: 'host', value: 'a\\.example' }] }, {}, '/', 'aaexample', false],
  ];
  for (const [rewrite, headers, url, host, matches] of cases) {
    const found = find(only(rewrite), url, headers, host);
    assert.equal(found !== undefined, matches, JSON.stringify([rewrite, headers, url, host]));
  }
});

test('a path as the destination: its names are filled in, and the next rules tell the service', () => {
  const rewrites: Rewrite[] = [
    { source: '/u/:id', destination: '/users/:id?from=u' },
    { source: '/n/(\\d+)', destination: '/users/$1' },
    {
      source: '/t',
      has: [{ type: 'header', key: 'x-tenant', value: '(?<tenant>.+)' }],
      destination: '/users/:tenant',
    },
    { source: '/loop', destination: '/loop' },
    { source: '/users/(.*)', destination: to('users') },
  ];
  assert.deepEqual(checkRewrites(rewrites, ['users']), []);
  assert.deepEqual(find(rewrites, '/u/7?a=b'), { service: 'users', url: '/users/7?from=u&a=b' });
  assert.deepEqual(find(rewrites, '/n/12'), { service: 'users', url: '/users/12' });
  assert.deepEqual(find(rewrites, '/t', { 'x-tenant': 'a/../b c' }), {
    service: 'users',
    url: '/users/a%2F..%2Fb%20c',
  });
  assert.deepEqual(find(rewrites, '/loop'), { service: undefined, url: '/loop' });
});

test('what is wrong is said by rule', () => {
  const problems = (rewrite: object): string =>
    checkRewrites([{ source: '/', destination: to('a'), ...rewrite } as Rewrite], ['a']).join('\n');
  assert.equal(problems({}), '');
  assert.match(problems({ source: 'x' }), /rewrites\[0\].*does not begin with '\/'/);
  assert.match(problems({ source: '/(a' }), /cannot be used/);
  assert.match(problems({ destination: to('b') }), /no service 'b' \(services: a\)/);
  assert.match(problems({ destination: 'https://x.example/' }), /is no path/);
  assert.match(problems({ destination: '//x.example/' }), /is no path/);
  assert.match(problems({ has: [{ type: 'header' }] }), /needs a key/);
  assert.match(problems({ has: [{ type: 'host' }] }), /needs a value/);
  assert.match(problems({ has: [{ type: 'host', value: 'a)|(b' }] }), /cannot be used/);
  assert.match(problems({ source: `/${'a'.repeat(2_000)}` }), /1024 characters/);
  const many = Array.from({ length: 300 }, () => ({ source: '/', destination: to('a') }));
  assert.match(checkRewrites(many, ['a'])[0]!, /256 at most/);
});

test('no pattern that is taken stretches the time: exponential and polynomial ones', () => {
  const hostile = 'a'.repeat(2_000);
  for (const pattern of [
    '(a+)+b',
    '(?:a|aa)+b',
    '(?:a|a)*b',
    '(?:.*a){12}b',
    '.*.*.*.*b',
    'a*a*a*a*a*a*b',
    '(?!x)(?:a+)+b',
    '(?!x)(?:a|aa)+b',
    '(?!x).*.*.*.*b',
    `(?!x)${'a?'.repeat(30)}${'a'.repeat(30)}b`,
    '(?:(?!x)a*)*b',
    '(?=(a+))\\1+b',
  ]) {
    for (const rewrite of [
      {
        source: '/(.*)',
        has: [{ type: 'header', key: 'x', value: pattern }],
        destination: to('s'),
      },
      {
        source: `/(${pattern.replaceAll('(a+)', 'a+').replace(/\((?!\?)/g, '(?:')})`,
        destination: to('s'),
      },
    ] as Rewrite[]) {
      if (checkRewrites([rewrite], ['s']).length > 0) continue;
      const began = process.threadCpuUsage();
      find([rewrite], `/${hostile}`, { x: hostile });
      const { user } = process.threadCpuUsage(began);
      assert.ok(user < 200_000, `${JSON.stringify(rewrite)} took ${user} µs`);
    }
  }
});

test('those with look-around that could stretch it are refused, in words', () => {
  const refused = (value: string): string =>
    checkRewrites(
      [{ source: '/', destination: to('s'), has: [{ type: 'header', key: 'x', value }] }],
      ['s'],
    ).join();
  assert.match(refused('(?!x)(?:a+)+'), /a group that repeats/);
  assert.match(refused('(?!x)(?:a|aa)+'), /a group that repeats/);
  assert.match(refused('(?!x).*.*.*'), /more than 2 repetitions/);
  assert.match(refused(`(?!x)${'a?'.repeat(30)}`), /more than 4 options/);
  assert.match(refused('(a)\\1'), /refers back/);
  assert.equal(refused('(?!admin).*'), '');
});
