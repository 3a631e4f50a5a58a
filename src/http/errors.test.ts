import assert from 'node:assert/strict';
import test from 'node:test';
import { type ErrorKind, RegistryError, refuse } from '../oci/errors.ts';
import { toErrorInfo, toErrorResponse } from './errors.ts';

const parse = (body: string) => JSON.parse(body).errors as Record<string, unknown>[];

test("the spec's error JSON, with the hint where docker shows it", () => {
  const { status, code, body } = toErrorResponse({
    kind: 'blob-unknown',
    message: 'No such blob.',
    hint: 'Push it.',
    detail: { digest: 'x' },
  });
  assert.deepEqual([status, code], [404, 'BLOB_UNKNOWN']);
  const expected = {
    code: 'BLOB_UNKNOWN',
    message: 'No such blob. Push it.',
    detail: { digest: 'x' },
  };
  assert.deepEqual(parse(body), [expected]);
  const plain = parse(toErrorResponse({ kind: 'denied', message: 'No.' }).body);
  assert.deepEqual(plain, [{ code: 'DENIED', message: 'No.', detail: {} }]);
});

test('statuses that clients act on', () => {
  const cases: [ErrorKind, number][] = [
    ['unauthorized', 401],
    ['denied', 403],
    ['name-unknown', 404],
    ['upload-unknown', 404],
    ['manifest-blob-unknown', 404],
    ['upload-conflict', 409],
    ['range-not-satisfiable', 416],
    ['layer-too-large', 413],
    ['manifest-too-large', 413],
    ['body-timeout', 408],
    ['too-many-requests', 429],
    ['unavailable', 503],
    ['storage-full', 507],
    ['internal', 500],
  ];
  for (const [kind, status] of cases)
    assert.equal(toErrorResponse({ kind, message: '' }).status, status, kind);
});

test('A49: what a failure was inside does not go over the wire', () => {
  const secret = 'canary-4711';
  for (const error of [new Error(secret), secret, { message: secret }, null, undefined]) {
    const info = toErrorInfo(error);
    assert.equal(info.kind, 'internal');
    assert.ok(!toErrorResponse(info).body.includes(secret));
  }
  const failed = refuse('unavailable', 'Not now.', 'Try again.', { secret });
  const { body } = toErrorResponse(toErrorInfo(failed));
  assert.deepEqual(parse(body)[0]?.detail, {});
  assert.ok(!body.includes(secret));
});

test('a refusal is told as it is', () => {
  const info = { kind: 'quota', message: 'Full.', hint: undefined, detail: undefined } as const;
  assert.equal(toErrorInfo(new RegistryError(info)), info);
});
