import assert from 'node:assert/strict';
import type { Answer } from './client.ts';

/** The codes of the distribution-spec, "Error Codes": a JSON answer to a bad request has no others. */
export const errorCodes = new Set([
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'UNAUTHORIZED',
  'DENIED',
  'UNSUPPORTED',
  'TOOMANYREQUESTS',
]);

export interface OciError {
  readonly code: string;
  readonly message?: string;
  readonly detail?: unknown;
}

/** What every answer of a registry must keep to, whatever was asked. */
export function checkAnswer(answer: Answer): void {
  const { what, status } = answer;
  assert.ok(status < 500, `${what}: ${status} ${answer.text()}`);
  if (status === 429) assert.ok(answer.header('retry-after'), `${what}: 429 without Retry-After`);
  checkWarnings(answer);
  if (answer.method === 'HEAD') {
    assert.equal(answer.body.length, 0, `${what}: a HEAD has no body`);
    return;
  }
  if (status >= 400 && answer.path.startsWith('/v2/')) errorsOf(answer);
}

/** "Warnings": `299 - "text"`, no date, 4096 bytes at most in all. */
function checkWarnings(answer: Answer): void {
  const warnings = answer.headerValues('warning');
  for (const value of warnings)
    assert.match(
      value,
      /^299 - "(?:[^"\\]|\\.)*"(?:, 299 - "(?:[^"\\]|\\.)*")*$/,
      `${answer.what}: Warning`,
    );
  assert.ok(warnings.join('').length <= 4_096, `${answer.what}: over 4096 bytes of warnings`);
}

/** The errors of a refusal, after a check of their form ("Error Codes"). */
export function errorsOf(answer: Answer): OciError[] {
  const { what } = answer;
  assert.match(
    answer.header('content-type') ?? '',
    /^application\/json\b/,
    `${what}: a ${answer.status} without a JSON body: ${answer.text().slice(0, 200)}`,
  );
  const body = answer.json() as { errors?: OciError[] };
  assert.ok(Array.isArray(body.errors) && body.errors.length > 0, `${what}: ${answer.text()}`);
  assert.deepEqual(Object.keys(body), ['errors'], `${what}: only "errors" at the top`);
  for (const error of body.errors) {
    assert.ok(errorCodes.has(error.code), `${what}: ${error.code} is no code of the specification`);
    if (error.message !== undefined) assert.equal(typeof error.message, 'string', what);
    const unknown = Object.keys(error).filter(
      (key) => !['code', 'message', 'detail'].includes(key),
    );
    assert.deepEqual(unknown, [], `${what}: fields beside code, message and detail`);
  }
  return body.errors;
}

export function expectStatus(answer: Answer, ...allowed: number[]): Answer {
  assert.ok(
    allowed.includes(answer.status),
    `${answer.what}: expected ${allowed.join(' or ')}, got ${answer.status} ${answer.text().slice(0, 600)}`,
  );
  return answer;
}

/** A refusal with one of `status` whose first error has one of `codes` and says what is wrong. */
export function expectError(
  answer: Answer,
  status: number | readonly number[],
  ...codes: string[]
): Answer {
  expectStatus(answer, ...(typeof status === 'number' ? [status] : status));
  if (answer.method === 'HEAD') return answer;
  const [first] = errorsOf(answer);
  assert.ok(
    codes.includes(first!.code),
    `${answer.what}: expected ${codes.join(' or ')}, got ${answer.text().slice(0, 600)}`,
  );
  assert.ok((first!.message ?? '').length > 0, `${answer.what}: an error without a message`);
  return answer;
}

export function expectHeader(answer: Answer, name: string, value: string | RegExp): void {
  const got = answer.header(name);
  assert.ok(got !== undefined, `${answer.what}: no ${name} header`);
  if (typeof value === 'string') assert.equal(got, value, `${answer.what}: ${name}`);
  else assert.match(got, value, `${answer.what}: ${name}`);
}

/** Both answers are one to whoever looks at them; only the time and the request's own id may differ. */
export function expectSame(one: Answer, other: Answer, message: string): void {
  assert.deepEqual(visible(other), visible(one), message);
}

function visible(answer: Answer): unknown {
  const headers = answer.rawHeaders
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name !== 'date' && !/request-id$/.test(name));
  return { status: answer.status, headers, body: answer.body.toString('latin1') };
}
