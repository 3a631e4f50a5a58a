import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import test from 'node:test';
import { findWrongImports, importsOf, readSources } from './check-deps.ts';

const check = (path: string, text: string): string[] => findWrongImports([{ path, text }]);
const from = (target: string): string => `import { x } from '${target}';\n`;

const right: [path: string, target: string][] = [
  ['src/ports/blobs.ts', '../oci/digest.ts'],
  ['src/registry/pull.ts', '../ports/blobs.ts'],
  ['src/registry/pull.ts', '../policy/image.ts'],
  ['src/registry/pull.ts', './delete.ts'],
  ['src/http/handlers/blobs.ts', '../../registry/pull.ts'],
  ['src/http/handlers/blobs.ts', '../context.ts'],
  ['src/gateway/proxy.ts', '../scheduler/pool.ts'],
  ['src/compose.ts', '../storage-adapters/blobs/s3/store.ts'],
  ['src/compose.ts', './http/app.ts'],
  ['src/main.ts', './compose.ts'],
  ['storage-adapters/blobs/s3/store.ts', '../../../src/ports/blob-store.ts'],
  ['storage-adapters/blobs/s3/store.ts', '../../metadata/keys.ts'],
  ['storage-adapters/blobs/s3/store.ts', '@aws-sdk/client-s3'],
  ['src/auth/tokens.ts', 'jose/errors'],
  ['src/oci/digest.ts', 'node:crypto'],
  ['src/http/app.ts', 'express'],
];
for (const [path, target] of right) {
  test(`${path} may import ${target}`, () => assert.deepEqual(check(path, from(target)), []));
}

const wrong: [path: string, target: string, says: RegExp][] = [
  ['src/oci/digest.ts', '../ports/blobs.ts', /oci may import only: nothing/],
  ['src/ports/blobs.ts', '../registry/pull.ts', /ports may import only: oci$/],
  ['src/ports/blobs.ts', '../config/load.ts', /ports may import only/],
  ['src/registry/pull.ts', '../http/errors.ts', /registry may import only/],
  ['src/registry/pull.ts', '../scheduler/pool.ts', /registry may import only/],
  ['src/registry/pull.ts', '../auth/login.ts', /registry may import only/],
  ['src/registry/pull.ts', '../../storage-adapters/blobs/keys.ts', /registry may import only/],
  ['src/http/app.ts', '../compose.ts', /http may import only/],
  ['src/http/app.ts', '../../storage-adapters/blobs/s3/store.ts', /http may import only/],
  ['src/main.ts', '../storage-adapters/blobs/s3/store.ts', /main\.ts may import only/],
  ['src/cli/main.ts', '../../storage-adapters/metadata/sqlite.ts', /cli may import only/],
  ['src/config/load.ts', '../registry/pull.ts', /config may import only/],
  ['storage-adapters/blobs/s3/store.ts', '../../../src/config/load.ts', /storage-adapters may/],
  ['src/attic/old.ts', '../oci/digest.ts', /attic has no row/],
  ['src/registry/pull.ts', 'jose', /jose, which is for src\/auth alone/],
  ['src/http/app.ts', 'winston', /winston, which is for src\/observability alone/],
  ['src/registry/pull.ts', 'express', /express, which is for src\/http alone/],
  ['src/http/app.ts', '@aws-sdk/client-s3', /for storage-adapters\/blobs\/s3 alone/],
  ['src/http/app.ts', 'left-pad', /left-pad, which has no row/],
  ['src/policy/image.ts', 'node:fs', /node:fs, but src\/policy only decides/],
];
for (const [path, target, says] of wrong) {
  test(`${path} may not import ${target}`, () => {
    const problems = check(path, from(target));
    assert.equal(problems.length, 1);
    assert.ok(problems[0]!.startsWith(`${path}: `));
    assert.match(problems[0]!, says);
  });
}

test('tests, and what they share, are not looked at', () => {
  for (const path of [
    'src/registry/pull.test.ts',
    'src/maintenance/measure-test-kit.ts',
    'storage-adapters/contract/blob-store.ts',
    'conformance/spec/server.ts',
  ]) {
    assert.deepEqual(check(path, from('../../src/compose.ts')), [], path);
  }
});

test('every way to import is seen, and text that only looks like one is not', () => {
  const text = `
import a from './a.ts';
import type { B } from './b.ts';
import {
  c,
  d,
} from './c.ts';
export { e } from './e.ts';
export * from './f.ts';
import './g.ts';
const h = await import('./h.ts');
new Worker(new URL('./i.ts', import.meta.url));
// import { no } from './no.ts';
/** import { no } from './no.ts'; */
const url = new URL('./readme.md', import.meta.url);
`;
  assert.deepEqual(importsOf(text).sort(), [
    './a.ts',
    './b.ts',
    './c.ts',
    './e.ts',
    './f.ts',
    './g.ts',
    './h.ts',
    './i.ts',
  ]);
});

test('the checkout is read whole', () => {
  const paths = readSources(resolve(import.meta.dirname, '..')).map(({ path }) => path);
  assert.ok(paths.includes('src/oci/digest.ts'));
  assert.ok(paths.some((path) => path.startsWith('storage-adapters/')));
});
