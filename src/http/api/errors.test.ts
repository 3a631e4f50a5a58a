import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ErrorKind, refuse } from '../../oci/errors.ts';
import { toErrorResponse } from '../errors.ts';
import { toApiError } from './errors.ts';

const kinds = Object.keys({
  ...{ 'blob-unknown': 1, 'blob-in-use': 1, 'upload-invalid': 1, 'upload-unknown': 1 },
  ...{ 'upload-conflict': 1, 'digest-invalid': 1, 'digest-mismatch': 1, 'manifest-invalid': 1 },
  ...{ 'manifest-blob-unknown': 1, 'manifest-unknown': 1, 'manifest-too-large': 1 },
  ...{ 'manifest-in-use': 1, 'config-too-large': 1, 'name-invalid': 1, 'name-unknown': 1 },
  ...{ 'tag-invalid': 1, 'tag-immutable': 1, 'deletion-off': 1, 'size-invalid': 1 },
  ...{ 'layer-too-large': 1, 'image-too-large': 1, 'range-invalid': 1, unauthorized: 1 },
  ...{ 'range-not-satisfiable': 1, denied: 1, quota: 1, conflict: 1, unsupported: 1 },
  ...{ 'precondition-failed': 1, 'unsupported-media-type': 1, 'method-not-allowed': 1 },
  ...{ 'not-found': 1, invalid: 1, 'body-timeout': 1, 'too-many-requests': 1 },
  ...{ 'storage-full': 1, unavailable: 1, internal: 1 },
} satisfies Record<ErrorKind, 1>) as ErrorKind[];

test('no refusal of the API has an empty hint', () => {
  for (const kind of kinds) {
    for (const given of [undefined, '']) {
      const { status, body } = toApiError(refuse(kind, 'It was refused.', given).info);
      assert.ok(body.hint.length > 10, kind);
      assert.equal(status, toApiError(refuse(kind, 'x', 'y').info).status);
    }
    assert.equal(toApiError(refuse(kind, 'x', 'do this').info).body.hint, 'do this');
    assert.ok(toErrorResponse(refuse(kind, 'x').info).status >= 400);
  }
});

test('no answer is written with an empty hint', () => {
  const root = join(import.meta.dirname, '..', '..');
  const found = globSync('**/*.ts', { cwd: root })
    .filter((path) => !path.endsWith('.test.ts'))
    .filter((path) => /hint: (''|""|``)/.test(readFileSync(join(root, path), 'utf8')));
  assert.deepEqual(found, []);
});

test('what is hidden and what is absent have the same hint', () => {
  const hints = ['not-found', 'name-unknown', 'manifest-unknown', 'blob-unknown'] as const;
  const told = hints.map((kind) => toApiError(refuse(kind, 'x').info).body.hint);
  assert.equal(new Set(told).size, 1);
});
