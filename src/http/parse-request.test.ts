import assert from 'node:assert/strict';
import test from 'node:test';
import { parseRegistryUrl, type RouteName } from './parse-request.ts';

const digest = `sha256:${'a'.repeat(64)}`;

function parsed(url: string): [RouteName, string, string] | undefined {
  const request = parseRegistryUrl(url);
  return request && [request.route, request.name, request.reference];
}

test('every route, with names of any number of parts', () => {
  for (const name of ['a', 'a/b', 'team/project/web', 'a/b/c/d/e']) {
    const cases: [string, RouteName, string][] = [
      ['manifests/latest', 'manifest', 'latest'],
      [`manifests/${digest}`, 'manifest', digest],
      [`blobs/${digest}`, 'blob', digest],
      ['blobs/uploads/', 'uploads', ''],
      ['blobs/uploads', 'uploads', ''],
      ['blobs/uploads/upl_1', 'upload', 'upl_1'],
      ['tags/list', 'tags', ''],
      [`referrers/${digest}`, 'referrers', digest],
    ];
    for (const [rest, route, reference] of cases)
      assert.deepEqual(parsed(`/v2/${name}/${rest}`), [route, name, reference], rest);
  }
  for (const url of ['/v2/', '/v2', '/v2?a=b', '/v2/?a=b'])
    assert.deepEqual(parsed(url), ['base', '', ''], url);
  assert.deepEqual(parsed('/v2/_catalog?n=5'), ['catalog', '', '']);
});

test('names that hold the words of paths are read from the end', () => {
  const names = [
    'a/manifests/b',
    'manifests/manifests/manifests',
    'a/blobs/uploads',
    'blobs/uploads/blobs',
    'a/b/blobs',
    'a/tags/list',
    'a/b/tags',
    'referrers/tags/blobs',
    '_catalog/a/b',
    'v2/v2/v2',
  ];
  for (const name of names) {
    assert.deepEqual(parsed(`/v2/${name}/manifests/x`), ['manifest', name, 'x'], name);
    assert.deepEqual(parsed(`/v2/${name}/blobs/${digest}`), ['blob', name, digest], name);
    assert.deepEqual(parsed(`/v2/${name}/blobs/uploads/`), ['uploads', name, ''], name);
    assert.deepEqual(parsed(`/v2/${name}/blobs/uploads/u`), ['upload', name, 'u'], name);
    assert.deepEqual(parsed(`/v2/${name}/tags/list`), ['tags', name, ''], name);
  }
  const references = ['manifests', 'list', 'uploads', 'tags', '_catalog'];
  for (const reference of references)
    assert.deepEqual(parsed(`/v2/a/b/c/manifests/${reference}`), ['manifest', 'a/b/c', reference]);
  assert.deepEqual(parsed('/v2/a/b/c/blobs/uploads/uploads'), ['upload', 'a/b/c', 'uploads']);
});

test('what is no route', () => {
  const urls = [
    '',
    '/',
    '/v2/a',
    '/v2//',
    '/v2//_catalog',
    '/v2/_catalog/',
    '/v2/_catalog/x',
    '/v2/manifests/x',
    '/v2/blobs/x',
    '/v2/blobs/uploads/x',
    '/v2/tags/list',
    '/v2/a/b/c/manifests',
    '/v2/a/b/c/manifests/',
    '/v2/a/b/c/blobs/',
    '/v2/a/b/c/referrers/',
    '/v2/a/b/c/tags/',
    '/v2/a/b/c/tags/other',
    '/v2/a/b/c/tags/list/',
    '/v2/a/b/c/uploads/x',
    '/v2/a/b/c/blobs/uploads/x/y',
    '/v2/a/b/c/Manifests/x',
    '/v2/a/b/c/manifests/x/',
    '/v2/%',
    '/v2/a/b/c/manifests/%zz',
    '/v2/a/b/c/manifests/%ff',
    '/v2/a/b/c/manifests/%e2%82',
  ];
  for (const url of urls) assert.equal(parsed(url), undefined, url);
});

test('escapes are decoded once, before anything is read', () => {
  const cases: [string, [RouteName, string, string]][] = [
    ['/v2/a/b/c/manifests/sha256%3Aabc', ['manifest', 'a/b/c', 'sha256:abc']],
    ['/v2/a%2Fb%2fc/manifests/x', ['manifest', 'a/b/c', 'x']],
    ['/v2/a/b/c%2Fmanifests%2Fx', ['manifest', 'a/b/c', 'x']],
    ['/v2/%5fcatalog', ['catalog', '', '']],
    // What these are is for the check of names to refuse: nothing is cut off or folded here.
    ['/v2/%2e%2e/x/manifests/y', ['manifest', '../x', 'y']],
    ['/v2/a/../b/manifests/y', ['manifest', 'a/../b', 'y']],
    ['/v2/a%00b/manifests/y', ['manifest', 'a\0b', 'y']],
    ['/v2/a/b/c/manifests/%252e', ['manifest', 'a/b/c', '%2e']],
    ['/v2/a/b/c/manifests/x%0d%0aX:y', ['manifest', 'a/b/c', 'x\r\nX:y']],
    ['/v2//manifests/y', ['manifest', '', 'y']],
    ['/v2//a/manifests/y', ['manifest', '/a', 'y']],
    ['/v2/a//manifests/y', ['manifest', 'a/', 'y']],
    ['/v2/a/b/c/manifests/y#z', ['manifest', 'a/b/c', 'y#z']],
  ];
  for (const [url, expected] of cases) assert.deepEqual(parsed(url), expected, url);
});

test('the query is what follows the first question mark', () => {
  const query = (url: string) => [...parseRegistryUrl(url)!.query];
  assert.deepEqual(query('/v2/a/b/c/tags/list'), []);
  assert.deepEqual(query('/v2/a/b/c/tags/list?'), []);
  assert.deepEqual(query('/v2/a/b/c/tags/list?n=1&n=2&last=a%2Fb?c'), [
    ['n', '1'],
    ['n', '2'],
    ['last', 'a/b?c'],
  ]);
  assert.deepEqual(query('/v2/a/b/c/blobs/uploads/?mount=%zz&from'), [
    ['mount', '%zz'],
    ['from', ''],
  ]);
});

test('A34: huge paths take no time', () => {
  const started = process.cpuUsage();
  for (const piece of ['a', '/', 'a/', '/manifests', '%2f', '/blobs/uploads', '%e4%bd%a0'])
    parseRegistryUrl(`/v2/${piece.repeat(64_000 / piece.length)}`);
  assert.ok(process.cpuUsage(started).user < 50_000);
});
